//! `cargo xtask bench`: builds the release and runs `benches/measure.rs` against it.

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::keeper::Keeper;
use crate::{cargo, engine, machine, postgres, redis, tools, up};

#[derive(Args)]
pub(crate) struct Options {
    /// What is measured (more than one may be named); without, the programs as one meets them
    #[arg(value_enum)]
    what: Vec<What>,
    /// Of `chain`, `services` or `console` only this
    #[arg(long, value_enum)]
    part: Option<Part>,
    #[command(flatten)]
    engine: engine::Wanted,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// The chain against PostgreSQL, Redis and raw signature checks, as ratios
    Chain,
    /// Mesh, content store and identity service against nginx, sha256sum, SQLite and raw signature checks, as ratios
    Services,
    /// Isolates and the meter against V8 alone, as ratios
    Runtime,
    /// The edge against axum and Node, as ratios, and a contract call against a transfer
    Edge,
    /// The console in a pseudo-terminal: idle, under load, and beside htop, btop and mprocs
    Console,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Of the chain: transfers over HTTP until they are in blocks
    Transfers,
    /// Of the chain: the queue on Redis
    Queue,
    /// Of the chain: verifying blocks in memory
    Verification,
    /// Of the chain: a million accounts, which take ten minutes to be made
    Accounts,
    /// Of the services: reading and writing contents
    Content,
    /// Of the services: logins, and browsers that wait for one
    Logins,
    /// Of the services: heartbeats and topology of 10 000 nodes
    Mesh,
    /// What each screen writes and takes in a minute in which nothing changes
    Idle,
    /// First frame, a block each second, memory, how it ends
    Cost,
    /// Keys while 10 000 nodes and 100 000 log lines a second come
    Load,
    /// The others in the same terminal at the same time
    Beside,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    machine::require(&[machine::COMPILER])?;
    let choice = engine::choose(options.engine.engine)?;
    println!("{}", choice.describe());
    up::build(&choice)?;
    let keeper = Keeper::start()?;
    if options.what.is_empty() {
        return measure(&choice, &keeper, None, None);
    }
    for what in &options.what {
        measure(&choice, &keeper, Some(*what), options.part)?;
    }
    Ok(())
}

fn measure(
    choice: &engine::Choice,
    keeper: &Keeper,
    what: Option<What>,
    part: Option<Part>,
) -> Result<()> {
    // The engine's features are named with both packages that have them.
    let packages: &[&str] = if what == Some(What::Runtime) {
        &["--package", "tana-runtime", "--package", "tana-edge"]
    } else {
        &["--package", "xtask"]
    };
    let mut measure = cargo::cargo();
    measure
        .args(["bench", "--locked", "--bench", "measure"])
        .args(packages);
    match what {
        None => {}
        Some(What::Chain) => {
            machine::require(&[postgres::SERVER, redis::SERVER])?;
            measure.env("TANA_BENCH", "chain");
        }
        Some(What::Services) => {
            machine::require(&[machine::NGINX])?;
            measure.env("TANA_BENCH", "services");
        }
        Some(What::Runtime) => {
            choice.apply(&mut measure);
        }
        Some(What::Edge) => {
            machine::require(&[machine::NODE])?;
            measure.env("TANA_BENCH", "edge");
        }
        Some(What::Console) => {
            measure.env("TANA_BENCH", "console");
            for (name, program) in [
                ("TANA_BENCH_HTOP", tools::of_debian("htop")),
                ("TANA_BENCH_BTOP", tools::of_debian("btop")),
                ("TANA_BENCH_MPROCS", tools::of_npm("mprocs")),
            ] {
                if let Some(program) = program {
                    measure.env(name, program);
                }
            }
        }
    }
    if let Some(part) = part.and_then(|part| part.to_possible_value()) {
        measure.env("TANA_BENCH_PART", part.get_name());
    }
    measure.env("TANA_TEST_BIN", cargo::target_dir()?.join("release"));
    cargo::run(keeper.mark(&mut measure))
}

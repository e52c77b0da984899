//! `cargo xtask bench`: builds the release and runs `benches/measure.rs` against it.

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::keeper::Keeper;
use crate::{cargo, engine, machine, postgres, redis, up};

#[derive(Args)]
pub(crate) struct Options {
    /// What is measured; without, the programs as one meets them
    #[arg(value_enum)]
    what: Option<What>,
    #[command(flatten)]
    engine: engine::Wanted,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// The chain against PostgreSQL, Redis and raw signature checks, as ratios
    Chain,
    /// Content store and identity service against nginx, sha256sum, SQLite and raw signature checks, as ratios
    Services,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    machine::require(&[machine::COMPILER])?;
    let choice = engine::choose(options.engine.engine)?;
    println!("{}", choice.describe());
    up::build(&choice)?;
    let keeper = Keeper::start()?;
    let mut measure = cargo::cargo();
    measure.args([
        "bench",
        "--locked",
        "--package",
        "xtask",
        "--bench",
        "measure",
    ]);
    measure.env("TANA_TEST_BIN", cargo::target_dir()?.join("release"));
    match options.what {
        None => {}
        Some(What::Chain) => {
            machine::require(&[postgres::SERVER, redis::SERVER])?;
            measure.env("TANA_BENCH", "chain");
        }
        Some(What::Services) => {
            machine::require(&[machine::NGINX])?;
            measure.env("TANA_BENCH", "services");
        }
    }
    cargo::run(keeper.mark(&mut measure))
}

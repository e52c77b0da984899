//! `cargo xtask soak`: the tests of `tests/it/soak.rs` and `tests/it/programs.rs`, as long as wanted, on the release.

use anyhow::Result;
use clap::Args;

use crate::keeper::Keeper;
use crate::{cargo, engine, machine, up};

#[derive(Args)]
pub(crate) struct Options {
    /// Requests to an edge whose contracts throw, leak, hang and bring their workers down
    #[arg(long, default_value_t = 100_000)]
    requests: u32,
    /// Generated programs that are run, called on a chain and replayed
    #[arg(long, default_value_t = 2_000)]
    programs: u32,
    /// Run only the tests whose names contain one of these
    #[arg(default_values = ["soak::", "programs::"])]
    filters: Vec<String>,
    #[command(flatten)]
    engine: engine::Wanted,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    machine::require(&[machine::COMPILER])?;
    let choice = engine::choose(options.engine.engine)?;
    println!("{}", choice.describe());
    up::build(&choice)?;
    let keeper = Keeper::start()?;
    let mut test = cargo::cargo();
    test.args(["test", "--locked", "--package", "xtask", "--test", "e2e"]);
    test.args(["--", "--nocapture", "--test-threads", "1"]);
    test.args(&options.filters);
    test.env("TANA_TEST_EDGE_REQUESTS", options.requests.to_string())
        .env("TANA_TEST_PROGRAMS", options.programs.to_string())
        .env("TANA_TEST_BIN", cargo::target_dir()?.join("release"));
    cargo::run(keeper.mark(&mut test))
}

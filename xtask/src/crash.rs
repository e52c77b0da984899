//! `cargo xtask crash`: the crash tests of `tests/it/crash.rs`, with as many rounds as wanted.

use anyhow::Result;
use clap::Args;

use crate::keeper::Keeper;
use crate::{cargo, engine, machine, postgres, redis};

#[derive(Args)]
pub(crate) struct Options {
    /// How often something is killed, in each of the tests
    #[arg(long, default_value_t = 50)]
    rounds: u32,
    /// Run only the tests whose name contains this
    #[arg(default_value = "crash::")]
    filter: String,
    #[command(flatten)]
    engine: engine::Wanted,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    machine::require(&[machine::COMPILER, postgres::SERVER, redis::SERVER])?;
    let choice = engine::choose(options.engine.engine)?;
    println!("{}", choice.describe());
    let mut build = cargo::cargo();
    build.args(["build", "--workspace", "--locked", "--all-targets"]);
    cargo::run(choice.apply(&mut build))?;
    let keeper = Keeper::start()?;
    let mut test = cargo::cargo();
    test.args(["test", "--workspace", "--locked", "--test", "e2e"]);
    choice.apply(&mut test);
    test.args(["--", "--nocapture", "--test-threads", "1", &options.filter]);
    test.env("TANA_TEST_CRASH_ROUNDS", options.rounds.to_string())
        .env("TANA_TEST_BIN", cargo::target_dir()?.join("debug"));
    cargo::run(keeper.mark(&mut test))
}

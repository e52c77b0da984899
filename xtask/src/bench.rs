//! `cargo xtask bench`: builds the release and runs `benches/measure.rs` against it.

use anyhow::Result;
use clap::Args;

use crate::keeper::Keeper;
use crate::{cargo, engine, machine, up};

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    engine: engine::Wanted,
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
    cargo::run(keeper.mark(&mut measure))
}

//! `cargo xtask mesh-run`: three nodes in three network namespaces, as large and cut off as long as wanted.

use anyhow::Result;
use clap::Args;

use crate::keeper::Keeper;
use crate::{cargo, engine, machine};

#[derive(Args)]
pub(crate) struct Options {
    /// How much content the nodes sync, in MiB
    #[arg(long, default_value_t = 1024)]
    mib: u32,
    /// For how many seconds the mesh is cut off; a node is for so long too, a minute at most
    #[arg(long, default_value_t = 600)]
    cut: u32,
    #[command(flatten)]
    engine: engine::Wanted,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    machine::require(&[machine::COMPILER, machine::NETWORK])?;
    let choice = engine::choose(options.engine.engine)?;
    println!("{}", choice.describe());
    let mut build = cargo::cargo();
    build.args(["build", "--workspace", "--locked", "--all-targets"]);
    cargo::run(choice.apply(&mut build))?;
    let keeper = Keeper::start()?;
    let mut test = cargo::cargo();
    test.args(["test", "--workspace", "--locked", "--test", "e2e"]);
    choice.apply(&mut test);
    test.args(["--", "--nocapture", "three::"]);
    test.env("TANA_TEST_MESH_MIB", options.mib.to_string())
        .env("TANA_TEST_MESH_CUT", options.cut.to_string())
        .env("TANA_TEST_BIN", cargo::target_dir()?.join("debug"));
    cargo::run(keeper.mark(&mut test))
}

//! `cargo xtask up`: from a clone to a running node, and the console on it.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::engine::Choice;
use crate::{cargo, engine, machine};

#[derive(Args)]
pub(crate) struct Options {
    /// Start the node and print its status instead of opening the console
    #[arg(long)]
    headless: bool,
    /// Move every port by this number
    #[arg(long, value_name = "N")]
    port_offset: Option<u16>,
    #[command(flatten)]
    engine: engine::Wanted,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    machine::require(&[machine::COMPILER])?;
    let choice = engine::choose(options.engine.engine)?;
    build(&choice)?;

    let tana = cargo::target_dir()?.join("release/tana");
    if !has_chain(&tana)? {
        cargo::run(Command::new(&tana).args(["new", "chain", "demo"]))?;
    }
    let mut start = Command::new(&tana);
    start.args(["start", "--wait"]);
    if let Some(offset) = options.port_offset {
        start.args(["--port-offset", &offset.to_string()]);
    }
    cargo::run(start.stdin(Stdio::null()))?;
    if options.headless {
        return cargo::run(Command::new(&tana).arg("status").stdin(Stdio::null()));
    }
    // The console takes this process's place: its exit status is the command's.
    Err(Command::new(&tana).exec()).with_context(|| format!("cannot run {}", tana.display()))
}

/// Builds the four binaries in release; cargo shows the progress.
pub(crate) fn build(choice: &Choice) -> Result<()> {
    println!(
        "building tana, tanad, tana-runtime and tana-edge (the first time takes some minutes)"
    );
    let mut build = cargo::cargo();
    build.args([
        "build",
        "--locked",
        "--release",
        "-p",
        "tana",
        "-p",
        "tana-daemons",
        "-p",
        "tana-runtime",
        "-p",
        "tana-edge",
    ]);
    cargo::run(choice.apply(&mut build))
}

/// Whether this TANA_HOME has a chain already; `tana` itself knows where that is.
fn has_chain(tana: &Path) -> Result<bool> {
    let output = Command::new(tana)
        .args(["check", "--json"])
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", tana.display()))?;
    ensure!(
        output.status.code().is_some(),
        "tana check was killed ({})",
        output.status
    );
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(!text.contains("\"no-chain\""))
}

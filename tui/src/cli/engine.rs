//! The contract engine that is installed beside this program: what `tana-runtime` says of itself, and what it says of a
//! source.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use tana_protocol::genesis::Engine;

use super::exit::{Exit, failure};
use super::launch;
use crate::show::clean;

/// What a chain fixes when it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Installed {
    pub(crate) engine: Engine,
    /// The version of its gas schedule.
    pub(crate) schedule: u32,
}

/// The engine beside this program; `None` where there is none.
pub(crate) fn installed() -> anyhow::Result<Option<Installed>> {
    let Ok(program) = launch::program("tana-runtime") else {
        return Ok(None);
    };
    // A worker says what it is before it is asked anything, and ends with its input.
    let mut worker = Command::new(&program)
        .arg("worker")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{} cannot be run", program.display()))?;
    let mut line = String::new();
    if let Some(output) = worker.stdout.take() {
        BufReader::new(output).read_line(&mut line)?;
    }
    drop(worker.stdin.take());
    worker.wait()?;
    match serde_json::from_str(&line) {
        Ok(installed) => Ok(Some(installed)),
        Err(_) => bail!(
            "{} does not say which engine it is; build it again: cargo build --release -p tana-runtime",
            program.display()
        ),
    }
}

/// Has a source compiled here before it is sent: a mistake is shown at once and costs nothing. Where no engine is
/// installed the chain's own says it.
pub(crate) fn check(file: &Path) -> anyhow::Result<()> {
    let Ok(program) = launch::program("tana-runtime") else {
        return Ok(());
    };
    let checked = Command::new(&program)
        .arg("check")
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} cannot be run", program.display()))?;
    if checked.status.success() {
        return Ok(());
    }
    let said = [checked.stdout, checked.stderr].concat();
    let said: Vec<String> = String::from_utf8_lossy(&said).lines().map(clean).collect();
    Err(failure(
        Exit::Failed,
        format!("nothing was sent:\n{}", said.join("\n").trim_end()),
    ))
}

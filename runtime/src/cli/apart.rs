//! `tana-runtime run` in a process of its own: an engine that finds no memory ends its process, and what the contract did
//! must be said all the same.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::Context;
use tana_runtime::engine::OUT_OF_MEMORY;
use tana_sandbox::message::{ErrorCode, Failure, Outcome};

use super::report::{self, Form};

/// Starts this command again, and prints what it could not say itself.
pub(super) fn run(file: &Path, source: &str, form: Form) -> anyhow::Result<ExitCode> {
    let this = std::env::current_exe().context("this program's own file is unknown")?;
    let status = Command::new(this)
        .args(std::env::args_os().skip(1))
        .arg("--here")
        .status()
        .context("cannot start the process that runs the contract")?;
    let Some(failure) = failure(status) else {
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        return Ok(code.map_or(ExitCode::FAILURE, ExitCode::from));
    };
    Ok(report::outcome(
        file,
        source,
        &Outcome::failed(failure),
        form,
    ))
}

/// What ended a process that did not end by itself.
fn failure(status: ExitStatus) -> Option<Failure> {
    if status.code() == Some(OUT_OF_MEMORY) {
        return Some(Failure::new(
            ErrorCode::OutOfMemory,
            "the contract used more memory than its process may have; keep less at a time",
        ));
    }
    // A program that is ended by hand ends the same way.
    status.signal().map(|_| {
        Failure::new(
            ErrorCode::WorkerDied,
            format!("the contract brought its process down ({status}); make it use less memory"),
        )
    })
}

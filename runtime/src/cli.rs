//! The commands. Exit codes: 0 success, 1 the contract failed, 2 misuse (clap's own code too).

mod apart;
mod report;
mod run;
mod sandbox;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use tana_runtime::compile::{self, MAX_SOURCE_BYTES};
use tana_runtime::engine::Purpose;

/// What misuse exits with.
pub(crate) const MISUSE: u8 = 2;

/// Runs contracts in an isolate.
#[derive(Parser)]
#[command(name = "tana-runtime", version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run one contract and exit: 0 on success, 1 when it fails
    Run(run::Run),
    /// Compile a contract and say what it exports, or what is wrong with it and where
    Check {
        /// The TypeScript file
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what each line costs each time it runs
    Gas {
        /// The TypeScript file
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run contracts for a host: JSON messages on standard input and output, one a line
    Worker,
    /// Shut this process in as workers are, try to get out, and say what came of it: 0 when nothing was possible
    Sandbox,
}

impl Command {
    /// What the engine is prepared for.
    pub(crate) fn purpose(&self) -> Purpose {
        match self {
            Self::Worker | Self::Sandbox => Purpose::Many,
            _ => Purpose::Once,
        }
    }

    pub(crate) fn execute(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Run(run) => run.execute(),
            Self::Worker => tana_runtime::worker::serve().map(|()| ExitCode::SUCCESS),
            Self::Sandbox => sandbox::execute(),
            Self::Check { file, json } => {
                let source = read(&file)?;
                let checked = compile::compile(&name(&file), &source);
                Ok(report::checked(
                    &file,
                    &source,
                    &checked,
                    report::Form::from_flag(json),
                ))
            }
            Self::Gas { file, json } => {
                let source = read(&file)?;
                let compiled = compile::compile(&name(&file), &source);
                Ok(report::gas(
                    &file,
                    &source,
                    &compiled,
                    report::Form::from_flag(json),
                ))
            }
        }
    }
}

/// Reads a source; what is too large is not read.
pub(crate) fn read(file: &Path) -> anyhow::Result<String> {
    let size = std::fs::metadata(file)
        .with_context(|| format!("cannot read {}", file.display()))?
        .len();
    if size > 64 * MAX_SOURCE_BYTES as u64 {
        bail!(
            "{} has {size} bytes; a contract may have {MAX_SOURCE_BYTES}",
            file.display()
        );
    }
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8", file.display()))
}

pub(crate) fn name(file: &Path) -> String {
    file.file_name().map_or_else(
        || "contract.ts".into(),
        |name| name.to_string_lossy().into_owned(),
    )
}

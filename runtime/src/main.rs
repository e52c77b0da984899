//! `tana-runtime`: runs one contract and exits, checks one, estimates its gas, or works for a host.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let command = cli::Cli::parse().command;
    tana_runtime::engine::init(command.purpose());
    match command.execute() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tana-runtime: {error:#}");
            ExitCode::from(cli::MISUSE)
        }
    }
}

//! The program `tana`: the console without arguments, else the command line.

mod agent;
mod cli;
mod console;
mod contexts;
mod draft;
mod effect;
mod effects;
mod export;
mod features;
mod filter;
mod keys;
mod model;
mod msg;
mod palette;
mod picture;
mod plain;
mod record;
mod replay;
mod run;
mod show;
mod sign;
mod survey;
mod term;
mod theme;
mod update;
mod validators;
mod view;
mod widgets;

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    if let Some(exit) = detached() {
        return exit;
    }
    let cli = cli::Cli::parse();
    match cli.command {
        Some(command) => cli::execute(&cli.globals, command),
        None if cli.globals.replay.is_some() => cli::replay(&cli.globals),
        None if cli.globals.plain => cli::open_plain(&cli.globals),
        None if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() => {
            cli::open_console(&cli.globals)
        }
        None => cli::plain_status(&cli.globals),
    }
}

/// The half of `tana start` that becomes the supervisor. No command of its own: nobody types it.
fn detached() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() != Some(OsStr::new(cli::launch::DETACH)) {
        return None;
    }
    let program = arguments.next()?;
    let error = cli::launch::detach(Path::new(&program));
    // Read by `tana start` from the supervisor's log.
    eprintln!("{} cannot be run: {error}", Path::new(&program).display());
    Some(ExitCode::FAILURE)
}

//! `tana-edge`: reads flags and settings, then serves; or works for itself, in a process of its own (`worker`).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tana_edge::{Options, Source};
use tana_home::{Overrides, Settings};
use tana_protocol::ServiceKind;

/// Serves contracts over HTTP: a fresh isolate for every request.
///
/// Settings come from these flags, the environment, config.json in TANA_HOME, and defaults, in this order.
#[derive(Parser)]
#[command(name = "tana-edge", version)]
struct Arguments {
    /// The node's directory, in place of TANA_HOME
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    /// The chain, by the name of its file
    #[arg(long, value_name = "NAME")]
    chain: Option<String>,
    /// What all ports are moved by
    #[arg(long, value_name = "N")]
    port_offset: Option<u16>,
    /// The port, in place of the setting
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// For development: serve the contracts of a directory, without a chain; changes are seen at once
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Worker processes, and so requests that run at a time; default: processors, 2 at least
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    /// A host that contracts may fetch from, `example.com` or `localhost:9000`; may repeat
    #[arg(long, value_name = "HOST")]
    allow: Vec<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run contracts for another process: JSON messages on standard input and output
    #[command(hide = true)]
    Worker,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if matches!(arguments.command, Some(Command::Worker)) {
        tana_runtime::engine::init(tana_runtime::engine::Purpose::Many);
        return match tana_runtime::worker::serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => tana_kit::service::fail(&error),
        };
    }
    let overrides = Overrides {
        home: arguments.home,
        chain: arguments.chain,
        port_offset: arguments.port_offset,
        ..Overrides::default()
    };
    let mut settings = match Settings::load(&overrides) {
        Ok(settings) => settings,
        Err(error) => return tana_kit::service::fail(&error.into()),
    };
    if let Some(port) = arguments.port {
        settings.set_port(ServiceKind::Edge, port);
    }
    let level = settings.log_level.clone();
    let source = match arguments.dir {
        Some(dir) => Source::Directory(dir),
        None => Source::Node,
    };
    tana_kit::service::main(&level, async move {
        let options = Options {
            source,
            workers: arguments
                .workers
                .map_or_else(tana_edge::default_workers, usize::from),
            fetch_hosts: arguments.allow,
            program: std::env::current_exe()?,
        };
        tana_edge::run(settings, options).await
    })
}

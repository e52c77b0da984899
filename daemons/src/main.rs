//! `tanad`: one subcommand a daemon. Reads the settings, then hands them to the daemon's module.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tana_daemons::ledger::Heights;
use tana_daemons::{identity, ledger, mesh, node, producer, t4};
use tana_home::{Overrides, Settings};
use tana_protocol::ServiceKind;
use tana_protocol::service::NodeRole;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The headless daemons of a Tana node.
///
/// Settings come from these flags, the environment, config.json in TANA_HOME, and defaults, in this order.
#[derive(Debug, Parser)]
#[command(name = "tanad", version, arg_required_else_help = true)]
struct Arguments {
    /// The node's directory, in place of TANA_HOME
    #[arg(long, global = true, value_name = "DIR")]
    home: Option<PathBuf>,
    /// The chain, by the name of its file
    #[arg(long, global = true, value_name = "NAME")]
    chain: Option<String>,
    /// What the node is for: full, validator, api or coordinator
    #[arg(long, global = true, value_name = "ROLE")]
    role: Option<NodeRole>,
    /// What all ports are moved by
    #[arg(long, global = true, value_name = "N")]
    port_offset: Option<u16>,
    #[command(subcommand)]
    daemon: Daemon,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Daemon {
    /// The supervisor: starts the others in order and keeps them running
    Node,
    /// The registry that nodes register with
    Mesh(Listen),
    /// The chain's data and rules
    Ledger(Listen),
    /// The content store
    T4(Listen),
    /// Logins and approvals by phone
    Identity(Listen),
    /// The block producer
    Producer(Listen),
    /// Verifies the chain straight from its database, without any service; one JSON value a line
    Verify(Verify),
}

#[derive(Clone, Copy, Debug, clap::Args)]
struct Verify {
    /// From this block on; without --from, --to and --all the latest block alone
    #[arg(long, value_name = "HEIGHT", conflicts_with = "all")]
    from: Option<u64>,
    /// Up to this block
    #[arg(long, value_name = "HEIGHT", conflicts_with = "all")]
    to: Option<u64>,
    /// Every block, and what the database holds besides
    #[arg(long)]
    all: bool,
}

impl From<Verify> for Heights {
    fn from(wanted: Verify) -> Self {
        match (wanted.all, wanted.from, wanted.to) {
            (true, ..) => Self::All,
            (false, None, None) => Self::Tip,
            (false, from, to) => Self::Between(from, to),
        }
    }
}

#[derive(Clone, Copy, Debug, clap::Args)]
struct Listen {
    /// The port, in place of the setting
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
}

impl Daemon {
    /// The port that a flag sets.
    const fn port(self) -> Option<(ServiceKind, u16)> {
        let (kind, listen) = match self {
            Self::Node | Self::Verify(_) => return None,
            Self::Mesh(listen) => (ServiceKind::Mesh, listen),
            Self::Ledger(listen) => (ServiceKind::Ledger, listen),
            Self::T4(listen) => (ServiceKind::T4, listen),
            Self::Identity(listen) => (ServiceKind::Identity, listen),
            Self::Producer(listen) => (ServiceKind::Producer, listen),
        };
        match listen.port {
            Some(port) => Some((kind, port)),
            None => None,
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let overrides = Overrides {
        home: arguments.home,
        chain: arguments.chain,
        role: arguments.role,
        port_offset: arguments.port_offset,
    };
    let mut settings = match Settings::load(&overrides) {
        Ok(settings) => settings,
        Err(error) => return tana_kit::service::fail(&error.into()),
    };
    if let Some((kind, port)) = arguments.daemon.port() {
        settings.set_port(kind, port);
    }
    let level = settings.log_level.clone();
    let own_log = matches!(arguments.daemon, Daemon::Node).then(|| node::log_file(&settings));
    let run = async move {
        // A coordinator starts in a home that nothing has been made in yet.
        settings.home.create()?;
        match arguments.daemon {
            Daemon::Node => node::run(settings).await,
            Daemon::Mesh(_) => mesh::run(settings).await,
            Daemon::Ledger(_) => ledger::run(settings).await,
            Daemon::T4(_) => t4::run(settings).await,
            Daemon::Identity(_) => identity::run(settings).await,
            Daemon::Producer(_) => producer::run(settings).await,
            Daemon::Verify(wanted) => ledger::print_verification(&settings, wanted.into()).await,
        }
    };
    match arguments.daemon {
        Daemon::Verify(_) => tana_kit::service::command_main(&level, run),
        _ => tana_kit::service::main_with_log(&level, own_log, run),
    }
}

//! The command line: what `tana` understands, one file a group of commands in `cli/`. The console is `console`'s; what
//! is sent and how is `tana-client`'s.

mod bar;
mod check;
mod content;
pub(crate) mod context;
mod contract;
mod deploy;
mod engine;
pub(crate) mod exit;
pub(crate) mod launch;
mod login;
mod logs;
mod mesh;
mod money;
pub(crate) mod new;
mod node;
mod output;
mod passphrase;
pub(crate) mod phone;
mod proof;
pub(crate) mod queue;
mod run;
mod sovereign;
mod start;
mod status;
mod stop;
pub(crate) mod submit;
mod verify;
pub(crate) mod wait;

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::console::{self, ConsoleOptions};
use crate::model::Mode;
use context::Context;
pub(crate) use exit::Exit;
use exit::failure;

const EXITS: &str = "\
Exit codes:
  0  done
  1  failed: something is wrong on this machine or with what was looked at
  2  misuse: a flag, an argument or a setting is wrong
  3  the node, or the service that is asked, cannot be reached
  4  refused by the chain or a service; nothing has changed
  5  not confirmed in time; it may still happen";

/// Runs and watches a Tana node. Alone it opens the console.
#[derive(Debug, Parser)]
#[command(name = "tana", version, about, after_help = EXITS, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What every command takes.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Globals {
    /// The node's files; default: TANA_HOME, else the XDG directories
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Ask another machine's node, such as http://10.0.0.5
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) node: Option<String>,
    /// Turn to another node by its name in the setting `contexts`
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "node")]
    pub(crate) context: Option<String>,
    /// The chain, where the home has several
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) chain: Option<String>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The console as lines, for screen readers and pipes: tells what changes, takes commands
    #[arg(long)]
    pub(crate) plain: bool,
    /// Record the console's session in a new file, for `asciinema play` and for --replay; secrets are left out
    #[arg(long, value_name = "FILE", conflicts_with_all = ["plain", "replay"])]
    pub(crate) record: Option<PathBuf>,
    /// Show a session that was recorded; to a pipe, its last screen
    #[arg(long, value_name = "FILE")]
    pub(crate) replay: Option<PathBuf>,
    /// Change nothing: the console refuses every action that would
    #[arg(long, global = true)]
    pub(crate) read_only: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a chain, a user's or node's key, or a contract's first file
    #[command(subcommand)]
    New(new::New),
    /// Bring a user or a contract onto the chain
    #[command(subcommand)]
    Deploy(deploy::Deploy),
    /// Call a contract, and look at those that are deployed
    #[command(subcommand)]
    Contract(contract::Contract),
    /// Bring funds onto the chain, signed by the sovereign
    Deposit(money::Deposit),
    /// Move funds from a user of this home to another user
    Transfer(money::Transfer),
    /// What a user has
    Balance(money::Balance),
    /// Start the node and wait until its services are ready
    Start(start::Start),
    /// Stop the node and all its services
    Stop(stop::Stop),
    /// The node's services, and what is not ready
    Status,
    /// What is wrong on this machine
    Check,
    /// Register and admit nodes
    #[command(subcommand)]
    Mesh(mesh::Mesh),
    /// The keys that admit nodes
    #[command(subcommand)]
    Sovereign(sovereign::Sovereign),
    /// Show a login code and follow the session
    Login(login::Login),
    /// Act as a phone, for testing
    #[command(subcommand)]
    Phone(phone::Phone),
    /// Have blocks checked: hashes, signatures, roots by replay
    Verify(verify::Verify),
    /// Run a contract once with tana-runtime
    Run(run::Run),
    /// Lines of a service's log
    Logs(logs::Logs),
    /// Bytes by their SHA-256: store, read, and what the chain refers to
    #[command(subcommand)]
    Content(content::Content),
    /// What this node offers to other machines
    #[command(subcommand)]
    Node(node::Node),
    /// What waits for a block, and what no block can take
    Queue(queue::Queue),
}

/// Runs a command to its end.
pub(crate) fn execute(globals: &Globals, command: Command) -> ExitCode {
    let mut json = globals.json;
    let result = (|| match command {
        // These need no settings of a node.
        Command::Run(run) => run.execute(),
        Command::New(new::New::Contract(contract)) => contract.execute(globals.json),
        command => {
            let context = Context::load(globals, command.port_offset(), command.role())?;
            json = context.out.is_json();
            if (globals.read_only || context.read_only) && command.changes() {
                return Err(failure(
                    Exit::Misuse,
                    "this context, or the command, is read-only; nothing was changed",
                ));
            }
            with_runtime(dispatch(&context, command))
        }
    })();
    exit::report(result, json)
}

/// Opens the console. Nothing but the settings is read before its first frame.
pub(crate) fn open_console(globals: &Globals) -> ExitCode {
    opened(globals, console::open)
}

/// Opens the console as lines.
pub(crate) fn open_plain(globals: &Globals) -> ExitCode {
    opened(globals, console::open_plain)
}

/// Shows a recorded session. Nothing of this home is read.
pub(crate) fn replay(globals: &Globals) -> ExitCode {
    let path = globals.replay.clone().unwrap_or_default();
    let result = crate::replay::open(&path).map(|()| Exit::Done);
    exit::report(result, globals.json)
}

fn opened(globals: &Globals, open: impl FnOnce(ConsoleOptions) -> anyhow::Result<()>) -> ExitCode {
    let result = Context::load(globals, None, None).and_then(|context| {
        open(ConsoleOptions {
            settings: context.settings,
            environment: context.environment,
            remote: context.remote,
            via: context.via,
            context: globals.context.clone(),
            origin: Box::new(context.origin),
            mode: if globals.read_only || context.read_only {
                Mode::ReadOnly
            } else {
                Mode::ReadWrite
            },
            screen: None,
            record: globals.record.clone(),
        })?;
        Ok(Exit::Done)
    });
    exit::report(result, globals.json)
}

/// What is printed instead of the console where there is no terminal.
pub(crate) fn plain_status(globals: &Globals) -> ExitCode {
    execute(globals, Command::Status)
}

impl Command {
    /// Whether it changes anything of the node that it turns to.
    fn changes(&self) -> bool {
        match self {
            Self::New(_)
            | Self::Deploy(_)
            | Self::Deposit(_)
            | Self::Transfer(_)
            | Self::Start(_)
            | Self::Stop(_)
            | Self::Login(_)
            | Self::Phone(_) => true,
            Self::Mesh(mesh) => !matches!(
                mesh,
                mesh::Mesh::Status | mesh::Mesh::List(_) | mesh::Mesh::Decisions(_)
            ),
            Self::Sovereign(sovereign) => !matches!(sovereign, sovereign::Sovereign::List),
            Self::Queue(queue) => queue.changes(),
            Self::Content(content) => matches!(content, content::Content::Put(_)),
            Self::Contract(contract) => matches!(contract, contract::Contract::Call(_)),
            // What carries a console's orders from elsewhere is asked there whether it may.
            Self::Balance(_)
            | Self::Status
            | Self::Check
            | Self::Verify(_)
            | Self::Run(_)
            | Self::Logs(_)
            | Self::Node(_) => false,
        }
    }

    fn port_offset(&self) -> Option<u16> {
        match self {
            Self::Start(start) => start.port_offset,
            _ => None,
        }
    }

    fn role(&self) -> Option<tana_protocol::service::NodeRole> {
        match self {
            Self::Start(start) => start.role,
            _ => None,
        }
    }
}

async fn dispatch(context: &Context, command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::New(new) => new.execute(context),
        Command::Deploy(deploy) => deploy.execute(context).await,
        Command::Contract(contract) => contract.execute(context).await,
        Command::Deposit(deposit) => deposit.execute(context).await,
        Command::Transfer(transfer) => transfer.execute(context).await,
        Command::Balance(balance) => balance.execute(context).await,
        Command::Start(start) => start.execute(context).await,
        Command::Stop(stop) => stop.execute(context).await,
        Command::Status => status::execute(context).await,
        Command::Check => check::execute(context).await,
        Command::Mesh(mesh) => mesh.execute(context).await,
        Command::Sovereign(sovereign) => sovereign.execute(context).await,
        Command::Login(login) => login.execute(context).await,
        Command::Phone(phone) => phone.execute(context).await,
        Command::Verify(verify) => verify.execute(context).await,
        Command::Run(run) => run.execute(),
        Command::Logs(logs) => logs.execute(context).await,
        Command::Content(content) => content.execute(context).await,
        Command::Node(node) => node.execute(context),
        Command::Queue(queue) => queue.execute(context).await,
    }
}

/// One thread is enough: a command waits for one thing at a time.
fn with_runtime(work: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work)
}

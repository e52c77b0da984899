//! The edge: contracts as web pages and services. Each request runs `get()` or `post()` of a contract in an isolate
//! that is made for it, in a worker process; the edge itself links the engine but never runs a contract.

mod answers;
mod chain;
mod content;
mod contracts;
mod failure;
mod http;
mod request;
mod run;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use tana_client::LedgerClient;
use tana_home::Settings;
use tana_kit::service::Context;
use tana_kit::{App, ServiceSpec, Tasks, run_service};
use tana_protocol::ServiceKind;
use tana_sandbox::pool::{Pool, PoolOptions};

use answers::ChainAnswers;
use chain::Chain;
use content::Content;
use contracts::Contracts;

/// Where contracts come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// `contracts/` of the node's directory, and what is deployed on its chain.
    Node,
    /// A directory alone, without a chain.
    Directory(PathBuf),
}

/// What the edge needs beside the node's settings.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where contracts come from.
    pub source: Source,
    /// Worker processes.
    pub workers: usize,
    /// Hosts that contracts may fetch from.
    pub fetch_hosts: Vec<String>,
    /// The program of the workers: this one.
    pub program: PathBuf,
}

/// As many workers as there are processors, 2 at least.
#[must_use]
pub fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(2, |count| count.get().clamp(2, 16))
}

/// What the handlers share.
pub(crate) struct Edge {
    contracts: Contracts,
    pool: Pool,
    chain: Option<Arc<Chain>>,
    answers: ChainAnswers,
    content: Content,
    fetch_hosts: Vec<String>,
    tasks: Tasks,
}

/// Runs the edge until it is told to stop.
///
/// # Errors
/// One sentence that says what failed.
pub async fn run(settings: Settings, options: Options) -> anyhow::Result<()> {
    if let Source::Directory(dir) = &options.source {
        ensure!(
            dir.is_dir(),
            "{} is no directory; give --dir one that holds contracts",
            dir.display()
        );
    }
    let mut spec = ServiceSpec::new(ServiceKind::Edge, env!("CARGO_PKG_VERSION"), &settings);
    spec.limits.body_bytes = request::MAX_BODY_BYTES;
    run_service(spec, |context| build(settings, options, context)).await
}

async fn build(settings: Settings, options: Options, context: Context) -> anyhow::Result<App> {
    let engine = context.readiness.check("engine", "starting");
    let pool = Pool::start(PoolOptions {
        workers: options.workers,
        ..PoolOptions::new(&options.program)
    })
    .await
    .context("the contract engine does not start")?;
    engine.ok_with(pool.gaps());
    let (contracts, chain) = match options.source {
        Source::Directory(dir) => (Contracts::directory(dir), None),
        Source::Node => {
            let ledger = LedgerClient::new(&settings.url(ServiceKind::Ledger))?;
            let chain = Arc::new(Chain::new(ledger.clone()));
            let follow = Arc::clone(&chain);
            let stop = context.shutdown.clone();
            context.tasks.spawn("chain events", async move {
                tokio::select! {
                    () = follow.follow() => {}
                    () = stop.begun() => {}
                }
            });
            (
                Contracts::node(settings.home.contracts_dir(), ledger, Arc::clone(&chain)),
                Some(chain),
            )
        }
    };
    let edge = Arc::new(Edge {
        contracts,
        pool,
        answers: ChainAnswers::new(chain.clone(), options.fetch_hosts.clone()),
        chain,
        content: Content::new(&settings.url(ServiceKind::T4))?,
        fetch_hosts: options.fetch_hosts,
        tasks: context.tasks,
    });
    Ok(App::new(http::routes(edge), http::openapi))
}

//! The producer daemon: takes batches off the queue, has the ledger execute them, has the block agreed on, hands it to
//! the ledger to commit, then acknowledges.
//!
//! It keeps nothing of its own. Killed at any point, its successor takes the same entries again, and the chain skips
//! what is in a block already.

mod consensus;
mod sealer;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tana_client::{LedgerClient, LedgerEvent, StreamItem};
use tana_home::{KeyFile, Settings};
use tana_kit::{App, Check, Context, ServiceSpec, run_service};
use tana_protocol::api::ledger::event;
use tana_protocol::node::NodeKey;
use tana_protocol::{ServiceKind, ServiceToken};
use tana_store::queue::{Consumer, TxQueue};
use tana_store::sqlite::Durability;
use tokio::sync::Notify;
use utoipa::OpenApi;

pub use consensus::{Consensus, Solo};
use sealer::Sealer;

#[derive(OpenApi)]
#[openapi(info(
    title = "Tana producer",
    description = "Seals blocks. It takes its work from the queue and answers only for its health and its metrics."
))]
struct ApiDoc;

/// How long a token for the ledger holds; one is issued for each request.
const TOKEN_LIFETIME: Duration = Duration::from_secs(60);

/// Runs it until it is told to stop.
///
/// # Errors
/// One sentence that says what failed.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let spec = ServiceSpec::new(ServiceKind::Producer, crate::VERSION, &settings);
    run_service(spec, |context| build(settings, context)).await
}

/// Builds it within a context: for [`run`], and for tests that bring their own listener.
///
/// # Errors
/// One sentence that says what failed.
pub async fn build(settings: Settings, context: Context) -> anyhow::Result<App> {
    let chain = settings.chain()?;
    let node = NodeKey::new(KeyFile::read(&settings.home.node_key_file())?.secret_key);
    let key = node.service_key(ServiceKind::Producer);
    let ledger = LedgerClient::new(&settings.url(ServiceKind::Ledger))?;
    let reachable = context
        .readiness
        .check("ledger", "connecting to the ledger");
    let redis_url = settings.redis_url.as_deref();
    let queue = crate::queue::open(redis_url, &settings.queue_path, Durability::Normal).await?;
    let probed = queue.clone();
    context
        .readiness
        .probe("queue", move || crate::queue::probe(probed.clone()));
    let wake = Arc::new(Notify::new());
    let sealer = Sealer {
        queue: queue.clone(),
        ledger: ledger.clone(),
        consensus: Arc::new(Solo::new(key.clone())),
        consumer: Consumer::new(format!("producer@{}", settings.node_id)),
        most: usize::try_from(chain.limits.block_transactions)?,
        interval: settings.block_interval,
        empty_block: settings.empty_block,
        wake: wake.clone(),
        clock: context.clock.clone(),
        shutdown: context.shutdown.clone(),
        token: Box::new(move |now| {
            ServiceToken::issue(
                &key,
                ServiceKind::Producer,
                settings.node_id.clone(),
                now,
                TOKEN_LIFETIME,
            )
        }),
    };
    let stop = context.shutdown.clone();
    let (arrivals, woken) = (queue.arrivals(), wake.clone());
    context.tasks.spawn("listening to the ledger", async move {
        tokio::select! {
            () = listen(&ledger, &reachable, &wake) => {}
            () = heed(arrivals, &woken) => {}
            () = stop.begun() => {}
        }
    });
    context.tasks.spawn("sealing blocks", sealer.run());
    Ok(App::new(Router::new(), ApiDoc::openapi).at_end(move || async move { queue.close().await }))
}

/// Wakes the sealer when the queue itself says that something has come: another node's ledger may have queued it.
async fn heed(mut arrivals: BoxStream<'static, ()>, wake: &Notify) {
    while arrivals.next().await.is_some() {
        wake.notify_one();
    }
}

/// Wakes the sealer when something is queued, and whenever the ledger is there again.
async fn listen(ledger: &LedgerClient, reachable: &Check, wake: &Notify) {
    let mut events = ledger.events_of(&[event::QUEUE]);
    while let Some(item) = events.next().await {
        match item {
            StreamItem::Connected => {
                reachable.ok();
                wake.notify_one();
            }
            StreamItem::Event(LedgerEvent::Queue(queue)) if queue.length > 0 => wake.notify_one(),
            StreamItem::Event(_) => {}
            StreamItem::Lost { why, .. } => {
                reachable.not_ok(format!("no word from the ledger: {why}"));
            }
            StreamItem::Refused(error) => reachable.not_ok(error.to_string()),
        }
    }
}

/// A queue that the sealer can hold, whatever its backend.
type Queue = dyn TxQueue;

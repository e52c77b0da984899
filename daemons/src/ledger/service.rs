//! The ledger as the rest of the daemon holds it: its parts, what they share, and how it comes to life.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use anyhow::bail;
use futures::StreamExt as _;
use tana_chain::{Prepared, TreeNodes};
use tana_kit::{Backoff, Clock, Context, EventHub};
use tana_protocol::api::ledger::{ChainInfo, QueueEvent, event};
use tana_protocol::state::ValidatorState;
use tana_protocol::{ChainSpec, Hash32, Timestamp};
use tana_store::ledger::{LedgerStore, Tip};
use tana_store::queue::{QueueEntry, StreamId, TxQueue};
use tokio::sync::mpsc;

use crate::contracts::Engine;

use super::blocks::BuiltBlock;
use super::config::Config;
use super::error::LedgerError;
use super::load::{self, At};
use super::mempool::{Checked, Mempool};
use super::start::{Standing, stand};
use super::submit::{self, Submission};
use super::turns::Turns;
use super::verify::Verifier;

/// Submissions that wait for their turn; more wait in their connections.
const WAITING: usize = 1024;
/// Entries that are read off the queue at a time when the ledger starts.
const SEED: usize = 1000;
/// Between two looks at the queue.
const KEEP_UP: Duration = Duration::from_secs(1);
/// What was queued so many ms ago and is not in the queue has left it.
const SETTLED: u64 = 5_000;

/// The ledger. Clones share it.
#[derive(Clone)]
pub(super) struct Ledger(Arc<Inner>);

pub(super) struct Inner {
    spec: Arc<ChainSpec>,
    genesis_hash: Hash32,
    store: Arc<dyn LedgerStore>,
    queue: Arc<dyn TxQueue>,
    engine: Option<Arc<Engine>>,
    clock: Arc<dyn Clock>,
    hub: EventHub,
    mempool: Mutex<Mempool>,
    standing: RwLock<(Tip, ValidatorState)>,
    submissions: mpsc::Sender<Submission>,
    queue_limit: usize,
    /// Entries of a queue that other ledgers fill too, as of the last look.
    shared_length: AtomicUsize,
    /// Up to where the queue was read: what lies behind it and was not queued here is not known yet.
    read_to: tokio::sync::Mutex<Option<StreamId>>,
    /// Whether something may be queued that was forgotten here, since its queueing was not answered.
    queue_in_doubt: AtomicBool,
    threads: NonZeroUsize,
    /// One block at a time: held while one is built or committed.
    pub(super) workshop: tokio::sync::Mutex<Workshop>,
    pub(super) verifications: Turns,
}

/// What building and committing blocks keep between them.
#[derive(Default)]
pub(super) struct Workshop {
    /// The last block that was built here and not committed.
    pub(super) built: Option<BuiltBlock>,
    /// Nodes of the tree that were read or written lately.
    pub(super) nodes: TreeNodes,
    pub(super) tip: TipIs,
}

/// Whether the tip in memory is the store's.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum TipIs {
    #[default]
    Known,
    /// A commit was begun and not answered.
    Unsure,
}

impl Ledger {
    /// Commits the genesis where it is missing, verifies the tip, and reads what is queued.
    pub(super) async fn start(
        config: Config,
        store: Arc<dyn LedgerStore>,
        queue: Arc<dyn TxQueue>,
        engine: Option<Engine>,
        context: &Context,
    ) -> anyhow::Result<Self> {
        let Standing {
            genesis_hash,
            tip,
            validators,
        } = stand(&*store, &config.chain).await?;
        let (submissions, received) = mpsc::channel(WAITING);
        let ledger = Self(Arc::new(Inner {
            spec: Arc::new(config.chain),
            genesis_hash,
            store,
            queue,
            engine: engine.map(Arc::new),
            clock: context.clock.clone(),
            hub: EventHub::new(&context.shutdown),
            mempool: Mutex::default(),
            standing: RwLock::new((tip.clone(), validators)),
            submissions,
            queue_limit: config.queue_limit,
            shared_length: AtomicUsize::new(0),
            read_to: tokio::sync::Mutex::default(),
            queue_in_doubt: AtomicBool::new(false),
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            workshop: tokio::sync::Mutex::default(),
            verifications: Turns::new(context.tasks.clone()),
        }));
        let verification = ledger.verify(tip.header.height).await?;
        if let Some(check) = verification.checks.iter().find(|check| !check.ok) {
            bail!(
                "block {} of the database does not hold (check {}): {}; restore the database from a copy",
                tip.header.height,
                super::views::check_word(check.name),
                check.detail.as_deref().unwrap_or("no detail")
            );
        }
        ledger.seed_once_it_answers(context).await?;
        let stop = context.shutdown.clone();
        let worker = ledger.clone();
        context.tasks.spawn("submissions", async move {
            tokio::select! {
                () = submit::serve(worker, received) => {}
                () = stop.begun() => {}
            }
        });
        let (stop, looker) = (context.shutdown.clone(), ledger.clone());
        context.tasks.spawn("comparing with the queue", async move {
            tokio::select! {
                () = looker.keep_up() => {}
                () = stop.begun() => {}
            }
        });
        let (stop, reader) = (context.shutdown.clone(), ledger.clone());
        context
            .tasks
            .spawn("reading what others queue", async move {
                tokio::select! {
                    () = reader.follow() => {}
                    () = stop.begun() => {}
                }
            });
        Ok(ledger)
    }

    /// Reads what the queue holds, as soon as it answers: a Redis that is away is waited for.
    async fn seed_once_it_answers(&self, context: &Context) -> anyhow::Result<()> {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        loop {
            match self.catch_up().await {
                Err(LedgerError::Store(error)) if error.is_transient() => {
                    if backoff.tries() == 3 {
                        tracing::warn!("waiting for the queue: {}", crate::queue::chain_of(&error));
                    }
                    tokio::select! {
                        () = tokio::time::sleep(backoff.next_delay()) => {}
                        () = context.shutdown.begun() => bail!("stopped while waiting for the queue"),
                    }
                    *self.0.read_to.lock().await = None;
                    *self.mempool() = Mempool::default();
                }
                other => return Ok(other?),
            }
        }
    }

    /// Reads what other ledgers queue, as it comes. Until the shutdown.
    async fn follow(&self) {
        let mut strangers = self.0.queue.strangers();
        while strangers.next().await.is_some() {
            if let Err(error) = self.catch_up().await {
                tracing::debug!("the queue was not read: {error}");
            }
        }
    }

    /// Compares what is remembered of the queue with what is in it: another ledger's block, a dropped dead letter and a
    /// queue that was emptied are noticed so. Until the shutdown.
    async fn keep_up(&self) {
        loop {
            tokio::time::sleep(KEEP_UP).await;
            if let Err(error) = self.compare().await {
                tracing::debug!("the queue was not looked at: {error}");
            }
        }
    }

    async fn compare(&self) -> Result<(), LedgerError> {
        if self.0.queue.is_shared() {
            let length = self.0.queue.stats().await?.length;
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            self.0.shared_length.store(length, Ordering::Relaxed);
        }
        let old = self.now().ms().saturating_sub(SETTLED);
        let queued = self.mempool().queued_before(old);
        for ids in queued.chunks(SEED) {
            let gone = self.0.queue.absent(ids).await?;
            let included = self.0.store.included(&gone).await?;
            let mut mempool = self.mempool();
            for id in gone {
                if included.contains_key(&id) {
                    mempool.remove(&id);
                } else {
                    mempool.reject(&id);
                }
            }
        }
        Ok(())
    }

    /// How many wait, as far as this ledger knows: what it has queued itself, or what all have.
    pub(super) fn queue_length(&self, own: usize) -> usize {
        own.max(self.0.shared_length.load(Ordering::Relaxed))
    }

    /// Reads what the queue holds and was not queued here, so that new submissions are judged by it.
    pub(super) async fn catch_up(&self) -> Result<(), LedgerError> {
        let mut read_to = self.0.read_to.lock().await;
        loop {
            let entries = self.0.queue.entries(*read_to, SEED).await?;
            let Some(last) = entries.last().map(|entry| entry.stream_id) else {
                return Ok(());
            };
            while !self.note(&entries).await? {}
            *read_to = Some(last);
        }
    }

    /// What was being queued may be there or not.
    pub(super) fn doubt_queue(&self) {
        self.0.queue_in_doubt.store(true, Ordering::Relaxed);
    }

    /// Reads what is queued where that is in doubt; whether it was.
    pub(super) async fn settle_queue(&self) -> Result<bool, LedgerError> {
        let doubt = self.0.queue_in_doubt.load(Ordering::Relaxed);
        if doubt {
            self.catch_up().await?;
            self.0.queue_in_doubt.store(false, Ordering::Relaxed);
        }
        Ok(doubt)
    }

    /// Notes entries of the queue that are not known; false where the chain has moved on meanwhile.
    async fn note(&self, entries: &[QueueEntry]) -> Result<bool, LedgerError> {
        let tip = self.tip().hash;
        let new: Vec<_> = {
            let mempool = self.mempool();
            let entries = entries.iter();
            entries
                .filter(|entry| !mempool.contains(&entry.id))
                .collect()
        };
        if new.is_empty() {
            return Ok(true);
        }
        let ids: Vec<_> = new.iter().map(|entry| entry.id).collect();
        let included = self.0.store.included(&ids).await?;
        let transactions = new.iter().map(|entry| &entry.transaction.transaction);
        let state = load::state(self.store(), transactions, At::Tip).await?;
        let mut mempool = self.mempool();
        if self.tip().hash != tip {
            return Ok(false);
        }
        for entry in new {
            if !included.contains_key(&entry.id) && !mempool.contains(&entry.id) {
                let transaction = &entry.transaction.transaction;
                let bytes = transaction.message().len();
                mempool.add(entry.id, transaction, bytes, &state, Checked::No);
                mempool.queued(&entry.id, entry.stream_id);
            }
        }
        Ok(true)
    }

    pub(super) fn verifier(&self) -> Verifier {
        Verifier::new(
            Arc::clone(&self.0.store),
            Arc::clone(&self.0.spec),
            self.0.engine.clone(),
            self.0.threads,
        )
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.0
    }

    pub(super) fn spec(&self) -> &Arc<ChainSpec> {
        &self.0.spec
    }

    pub(super) fn store(&self) -> &dyn LedgerStore {
        &*self.0.store
    }

    pub(super) fn store_shared(&self) -> Arc<dyn LedgerStore> {
        Arc::clone(&self.0.store)
    }

    /// What executes contracts, where the chain names it.
    pub(super) fn engine(&self) -> Option<&Engine> {
        self.0.engine.as_deref()
    }

    pub(super) fn queue(&self) -> &dyn TxQueue {
        &*self.0.queue
    }

    pub(super) fn hub(&self) -> &EventHub {
        &self.0.hub
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(super) fn threads(&self) -> NonZeroUsize {
        self.0.threads
    }

    pub(super) fn queue_limit(&self) -> usize {
        self.0.queue_limit
    }

    pub(super) fn mempool(&self) -> MutexGuard<'_, Mempool> {
        self.0
            .mempool
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tip(&self) -> Tip {
        let standing = self.0.standing.read();
        standing.unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Who agrees on the next block.
    pub(super) fn validators(&self) -> ValidatorState {
        let standing = self.0.standing.read();
        standing.unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    pub(super) fn stand_at(&self, tip: Tip, validators: ValidatorState) {
        let mut standing = self
            .0
            .standing
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *standing = (tip, validators);
    }

    pub(super) fn info(&self) -> ChainInfo {
        ChainInfo {
            chain_id: self.0.spec.chain_id.clone(),
            name: self.0.spec.name.clone(),
            genesis_hash: self.0.genesis_hash,
            height: self.tip().header.height,
            validators: self.validators().set,
        }
    }

    /// Says how long the queue is now.
    pub(super) fn tell_queue(&self) {
        let length = self.mempool().len() as u64;
        self.hub().publish(event::QUEUE, &QueueEvent { length });
    }

    /// Hands submissions over to the one task that judges them in order, and waits for its answers.
    pub(super) async fn submit(
        &self,
        transactions: Vec<Prepared>,
    ) -> Result<Vec<Result<submit::Accepted, LedgerError>>, LedgerError> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let submission = Submission {
            transactions,
            answer,
        };
        self.0
            .submissions
            .send(submission)
            .await
            .map_err(|_| LedgerError::Stopping)?;
        answered.await.map_err(|_| LedgerError::Stopping)
    }
}

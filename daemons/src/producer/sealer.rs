//! The loop that seals blocks: at once when the first transaction waits, then at most one every interval.

use std::sync::Arc;
use std::time::Duration;

use tana_client::{ClientError, LedgerClient};
use tana_kit::{Backoff, Clock, Shutdown};
use tana_protocol::api::ledger::{BuildRequest, Built, WhenEmpty};
use tana_protocol::block::BlockText;
use tana_protocol::{Code, ServiceToken, Timestamp, TransactionId};
use tana_store::StoreError;
use tana_store::queue::{Burial, Consumer, QueueEntry, Take};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Consensus, Queue};
use crate::queue::chain_of;

/// The queue is looked at this often even when nothing wakes us: an event may be lost, an entry may lie abandoned.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Transactions of one block, as JSON, at most about this long.
const MOST_BYTES: usize = 16 << 20;
/// Entries that another producer took and left for so long are taken over.
const ABANDONED: Duration = Duration::from_secs(10);

pub(super) struct Sealer {
    pub(super) queue: Arc<Queue>,
    pub(super) ledger: LedgerClient,
    pub(super) consensus: Arc<dyn Consensus>,
    pub(super) consumer: Consumer,
    /// Transactions that one block may hold.
    pub(super) most: usize,
    /// Between two blocks at least.
    pub(super) interval: Duration,
    /// After which an empty block is sealed.
    pub(super) empty_block: Option<Duration>,
    pub(super) wake: Arc<Notify>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) shutdown: Shutdown,
    pub(super) token: Box<dyn Fn(Timestamp) -> ServiceToken + Send + Sync>,
}

/// Why a block was not sealed. All of it is tried again: the entries stay taken until they are acknowledged.
#[derive(Debug, thiserror::Error)]
enum SealError {
    #[error(transparent)]
    Queue(#[from] StoreError),
    /// The ledger will never make a block of what it was asked to.
    #[error("the ledger does not make a block of {count} transactions")]
    Unbuildable {
        count: usize,
        /// Of the first of them.
        first: Option<TransactionId>,
        #[source]
        source: ClientError,
    },
    #[error(transparent)]
    Ledger(#[from] ClientError),
    #[error("the validators did not agree on the block")]
    Consensus(#[source] anyhow::Error),
}

/// What came of looking at the queue.
enum Sealed {
    /// Something was done; there may be more.
    Block,
    /// As much as a block may hold was taken; more waits, probably.
    Full,
    /// Nothing waits.
    Nothing,
}

impl Sealer {
    pub(super) async fn run(self) {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        // The interval before the first block has passed long ago.
        let mut last = Instant::now()
            .checked_sub(self.interval)
            .unwrap_or_else(Instant::now);
        let mut most = self.most;
        while !self.shutdown.has_begun() {
            // Counted from when a block was begun: what one takes to be made is part of the interval.
            let begun = Instant::now();
            match self.seal(most).await {
                Ok(Sealed::Block) => {
                    (last, most) = (begun, self.most);
                    backoff.reset();
                }
                // Who waits behind a full block does not wait for the interval too.
                Ok(Sealed::Full) => {
                    (last, most) = (begun, self.most);
                    backoff.reset();
                    continue;
                }
                // One that spoils every block that it is in is found by halves, so that the others do not wait for ever.
                Err(SealError::Unbuildable { count, source, .. }) if count > 1 => {
                    tracing::warn!("half of {count} transactions is tried: {source}");
                    most = count / 2;
                    continue;
                }
                Ok(Sealed::Nothing) => {
                    backoff.reset();
                    if !self.wait(&mut last).await {
                        break;
                    }
                }
                Err(error) => {
                    let delay = backoff.next_delay();
                    // The ledger restarting is no news: its own log says so. What stays is.
                    if backoff.tries() == 5 {
                        tracing::warn!("no block can be sealed, trying on: {}", chain_of(&error));
                    } else {
                        tracing::debug!("no block was sealed: {}", chain_of(&error));
                    }
                    if self.pause(Instant::now() + delay).await.is_none() {
                        break;
                    }
                }
            }
            if self.pause(last + self.interval).await.is_none() {
                break;
            }
        }
    }

    /// Waits until the queue is worth a look; false when the daemon ends.
    async fn wait(&self, last: &mut Instant) -> bool {
        let look = Instant::now() + LOOK_EVERY;
        let empty = self.empty_block.map(|after| *last + after);
        let until = empty.map_or(look, |empty| empty.min(look));
        tokio::select! {
            _ = timeout_at(until, self.wake.notified()) => {}
            () = self.shutdown.begun() => return false,
        }
        if empty.is_some_and(|empty| Instant::now() >= empty) {
            *last = Instant::now();
            if let Err(error) = self.build_and_commit(&[], WhenEmpty::Build).await {
                tracing::debug!("no empty block was sealed: {}", chain_of(&error));
            }
        }
        true
    }

    /// Sleeps; `None` when the daemon ends.
    async fn pause(&self, until: Instant) -> Option<()> {
        tokio::select! {
            () = sleep_until(until) => Some(()),
            () = self.shutdown.begun() => None,
        }
    }

    async fn seal(&self, most: usize) -> Result<Sealed, SealError> {
        let take = Take {
            most,
            idle: ABANDONED,
        };
        let entries = self
            .queue
            .take(&self.consumer, take, self.clock.now())
            .await?;
        if entries.is_empty() {
            return Ok(Sealed::Nothing);
        }
        match self
            .build_and_commit(within(&entries), WhenEmpty::Skip)
            .await
        {
            Err(SealError::Unbuildable {
                count: 1,
                first: Some(id),
                source,
            }) => {
                let reason = format!("no block can be made of it: {source}");
                tracing::warn!("{id} is a dead letter now: {reason}");
                let code = source.code().unwrap_or(Code::BadTransaction);
                let dead = Burial { id, code, reason };
                self.queue.bury(&[dead], self.clock.now()).await?;
            }
            done => done?,
        }
        Ok(if entries.len() >= most {
            Sealed::Full
        } else {
            Sealed::Block
        })
    }

    async fn build_and_commit(
        &self,
        entries: &[QueueEntry],
        when_empty: WhenEmpty,
    ) -> Result<(), SealError> {
        let request = BuildRequest {
            transactions: entries
                .iter()
                .map(|entry| entry.transaction.clone())
                .collect(),
            when_empty,
        };
        let token = (self.token)(self.clock.now());
        let Built {
            block,
            known,
            rejected,
        } = self
            .ledger
            .build_block::<BlockText>(&request, &token)
            .await
            .map_err(|source| refused(entries, source))?;
        if !rejected.is_empty() {
            tracing::warn!(
                "{} queued transactions can be in no block; they are dead letters now",
                rejected.len()
            );
            let dead: Vec<_> = rejected
                .into_iter()
                .map(|dead| Burial {
                    id: dead.id,
                    code: dead.code,
                    reason: dead.reason,
                })
                .collect();
            self.queue.bury(&dead, self.clock.now()).await?;
        }
        if !known.is_empty() {
            self.queue.ack(&known).await?;
        }
        let Some(block) = block else { return Ok(()) };
        let agreed = (self.consensus.agree(&block).await).map_err(SealError::Consensus)?;
        let started = Instant::now();
        self.ledger.commit_block(agreed, &token).await?;
        tracing::info!(
            "block {} sealed: {} transactions, committed in {} ms",
            block.height(),
            block.transactions().len(),
            started.elapsed().as_millis()
        );
        self.queue.ack(block.transactions()).await?;
        Ok(())
    }
}

/// Whether the ledger cannot have meant these entries, or only not now.
fn refused(entries: &[QueueEntry], source: ClientError) -> SealError {
    let for_ever = match &source {
        ClientError::TooLarge { .. } => true,
        ClientError::Problem(problem) => matches!(problem.status, 400 | 413),
        _ => false,
    };
    if for_ever {
        SealError::Unbuildable {
            count: entries.len(),
            first: entries.first().map(|entry| entry.id),
            source,
        }
    } else {
        SealError::Ledger(source)
    }
}

/// The first of these entries that may travel to the ledger together; the others stay taken and come next.
fn within(entries: &[QueueEntry]) -> &[QueueEntry] {
    let mut bytes = 0;
    let weight = |entry: &QueueEntry| {
        let transaction = &entry.transaction.transaction;
        let free = [&transaction.contract_input, &transaction.metadata];
        let free = free.into_iter().flatten();
        // All other fields are short.
        1024 + free.map(|value| value.to_string().len()).sum::<usize>()
    };
    let count = entries
        .iter()
        .take_while(|entry| {
            bytes += weight(entry);
            bytes <= MOST_BYTES
        })
        .count();
    &entries[..count.max(1)]
}

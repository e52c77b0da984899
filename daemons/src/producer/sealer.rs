//! The loop that seals blocks: at once when the first transaction waits, then at most one every interval.
//! Under load, with a queue that has a server of its own, the next block's entries are taken while one is committed, and
//! those of the one before are acknowledged while it is built.

mod error;

use std::sync::Arc;
use std::time::Duration;

use tana_client::LedgerClient;
use tana_kit::{Backoff, Clock, Shutdown};
use tana_protocol::api::ledger::{BuildRequest, Built, WhenEmpty};
use tana_protocol::block::BlockText;
use tana_protocol::{Code, ServiceToken, Timestamp, TransactionId};
use tana_store::StoreError;
use tana_store::queue::{Burial, Consumer, QueueEntry, StreamId, Take};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Consensus, Queue};
use crate::queue::chain_of;
use error::{SealError, refused};

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

/// What the sealer has in its hands between two blocks. Where it drops it, it is taken again.
#[derive(Default)]
struct Hand {
    /// A block full of entries that were taken while the block before was committed.
    next: Vec<QueueEntry>,
    /// What is in a block and not acknowledged. Nothing where nothing comes next.
    done: Vec<TransactionId>,
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
        let mut hand = Hand::default();
        while !self.shutdown.has_begun() {
            // Counted from when a block was begun: what one takes to be made is part of the interval.
            let begun = Instant::now();
            match self.seal(most, &mut hand).await {
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
            let empty = self.build_and_commit(&[], WhenEmpty::Build, &[], None);
            if let Err(error) = empty.await {
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

    /// Takes entries: all that this sealer has not acknowledged, or only what follows on a place, and what is new.
    async fn take(
        &self,
        most: usize,
        after: Option<StreamId>,
    ) -> Result<Vec<QueueEntry>, StoreError> {
        let take = Take {
            most,
            idle: ABANDONED,
            after,
        };
        let now = self.clock.now();
        self.queue.take(&self.consumer, take, now).await
    }

    async fn seal(&self, most: usize, hand: &mut Hand) -> Result<Sealed, SealError> {
        let Hand { next, done } = std::mem::take(hand);
        let entries = match next.is_empty() {
            true => self.take(most, None).await?,
            false => next,
        };
        if entries.is_empty() {
            return Ok(Sealed::Nothing);
        }
        let is_full = entries.len() >= most;
        let sent = within(&entries);
        // Where the queue has a server of its own. Who writes to the embedded one waits for the others who do.
        let ahead = (is_full && self.queue.is_shared()).then_some(most);
        match self
            .build_and_commit(sent, WhenEmpty::Skip, &done, ahead)
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
            made => *hand = made?,
        }
        Ok(if is_full { Sealed::Full } else { Sealed::Block })
    }

    /// Seals a block of these entries. Meanwhile acknowledges what is done, and takes as many as come next, `ahead`.
    async fn build_and_commit(
        &self,
        entries: &[QueueEntry],
        when_empty: WhenEmpty,
        done: &[TransactionId],
        ahead: Option<usize>,
    ) -> Result<Hand, SealError> {
        let request = BuildRequest {
            transactions: entries
                .iter()
                .map(|entry| entry.transaction.clone())
                .collect(),
            when_empty,
        };
        let token = (self.token)(self.clock.now());
        let (built, acknowledged) = tokio::join!(
            self.ledger.build_block::<BlockText>(&request, &token),
            self.acknowledge(done)
        );
        let Built {
            block,
            known,
            rejected,
        } = built.map_err(|source| refused(entries, source))?;
        acknowledged?;
        let apart = known.len() + rejected.len();
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
        self.acknowledge(&known).await?;
        let Some(block) = block else {
            return Ok(Hand::default());
        };
        let agreed = (self.consensus.agree(&block).await).map_err(SealError::Consensus)?;
        let started = Instant::now();
        // Where the block leaves something out, that comes before whatever follows.
        let ahead = ahead.filter(|_| block.transactions().len() + apart == entries.len());
        let last = entries.last().map(|entry| entry.stream_id);
        let (committed, next) = tokio::join!(
            self.ledger.commit_block(agreed, &token),
            self.take_ahead(ahead, last)
        );
        committed?;
        tracing::info!(
            "block {} sealed: {} transactions, committed in {} ms",
            block.height(),
            block.transactions().len(),
            started.elapsed().as_millis()
        );
        if next.is_empty() {
            self.acknowledge(block.transactions()).await?;
            return Ok(Hand::default());
        }
        Ok(Hand {
            next,
            done: block.transactions().to_vec(),
        })
    }

    async fn acknowledge(&self, done: &[TransactionId]) -> Result<(), StoreError> {
        if done.is_empty() {
            return Ok(());
        }
        self.queue.ack(done).await
    }

    /// What follows on a place, where it fills a block. Fewer wait for what comes until the next block; what cannot be
    /// taken now is taken then.
    async fn take_ahead(&self, most: Option<usize>, last: Option<StreamId>) -> Vec<QueueEntry> {
        let Some(most) = most else {
            return Vec::new();
        };
        let taken = self.take(most, last).await;
        taken.map_or_else(
            |_| Vec::new(),
            |taken| {
                if taken.len() < most {
                    Vec::new()
                } else {
                    taken
                }
            },
        )
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

//! The transaction queue: a stream with one consumer group, the producers. At-least-once; the chain makes it
//! exactly-once, since an id that is in a block is never applied again.
//!
//! [`conformance`] is what every backend must do.

pub mod conformance;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt as _};
use tana_protocol::problem::Code;
use tana_protocol::{SignedTransaction, Timestamp, TransactionId};

use crate::error::StoreResult;

/// The place of an entry in the stream, `<ms>-<seq>` as in Redis. Ordered as the stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// When it was queued, in milliseconds since the epoch; never less than that of the entry before.
    pub ms: u64,
    /// Its number.
    pub seq: u64,
}

/// A text that is no stream id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stream id is two numbers with a hyphen between them, such as 1800000000000-7")]
pub struct StreamIdError;

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for StreamId {
    type Err = StreamIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (ms, seq) = text.split_once('-').ok_or(StreamIdError)?;
        let number = |text: &str| text.parse().map_err(|_| StreamIdError);
        Ok(Self {
            ms: number(ms)?,
            seq: number(seq)?,
        })
    }
}

/// An entry that nobody has acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueEntry {
    /// Its place in the stream.
    pub stream_id: StreamId,
    /// The transaction's id.
    pub id: TransactionId,
    /// What was submitted.
    pub transaction: SignedTransaction,
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It is in the queue now.
    Queued(StreamId),
    /// It was there already, and is there once.
    Known(StreamId),
}

impl Pushed {
    /// Where it is.
    #[must_use]
    pub const fn stream_id(self) -> StreamId {
        match self {
            Self::Queued(id) | Self::Known(id) => id,
        }
    }
}

/// An entry that no block can take.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// The transaction's id.
    pub id: TransactionId,
    /// The place it had.
    pub stream_id: StreamId,
    /// What was submitted.
    pub transaction: SignedTransaction,
    /// Why no block can take it, for programs.
    pub code: Code,
    /// Why no block can take it, in words.
    pub reason: String,
    /// Since when it lies here.
    pub buried_at: Timestamp,
    /// Its place among the dead letters, by which they are listed.
    pub grave: StreamId,
}

/// An entry that is to be moved to the dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Burial {
    /// The transaction's id.
    pub id: TransactionId,
    /// Why no block can take it, for programs.
    pub code: Code,
    /// Why no block can take it, in words.
    pub reason: String,
}

/// Who takes entries: a producer of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer(String);

impl Consumer {
    /// The consumer of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which entries a producer takes.
#[derive(Clone, Copy, Debug)]
pub struct Take {
    /// At most so many.
    pub most: usize,
    /// Entries that another producer took so long ago and did not acknowledge are taken over.
    pub idle: Duration,
}

/// How the queue is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Entries that are not acknowledged.
    pub length: u64,
    /// Those of them that a producer has taken.
    pub pending: u64,
    /// Dead letters.
    pub dead: u64,
    /// When the oldest entry was queued.
    pub oldest: Option<Timestamp>,
    /// Producers that have taken entries and not acknowledged them.
    pub consumers: Vec<String>,
    /// What the operator should know: a sentence, such as that the server may lose what it has accepted.
    pub warning: Option<String>,
}

/// The queue of submitted transactions.
pub trait TxQueue: Send + Sync + 'static {
    /// `embedded` or `redis`.
    fn backend(&self) -> &'static str;

    /// Whether other nodes may use it too.
    fn is_shared(&self) -> bool;

    /// Queues submissions in their order, all or none, and answers for each. On disk before it answers. A dead letter
    /// that is queued again is none any more.
    fn push<'a>(
        &'a self,
        transactions: &'a [SignedTransaction],
        now: Timestamp,
    ) -> BoxFuture<'a, StoreResult<Vec<Pushed>>>;

    /// Takes entries: first what this consumer took and has not acknowledged, then what others left lying, then new
    /// ones. Answers them in the order of the stream.
    fn take<'a>(
        &'a self,
        consumer: &'a Consumer,
        take: Take,
        now: Timestamp,
    ) -> BoxFuture<'a, StoreResult<Vec<QueueEntry>>>;

    /// Acknowledges entries: they leave the queue. Unknown ids are passed over.
    fn ack<'a>(&'a self, ids: &'a [TransactionId]) -> BoxFuture<'a, StoreResult<()>>;

    /// Moves entries to the dead letters, each with its reason. Unknown ids are passed over.
    fn bury<'a>(&'a self, entries: &'a [Burial], now: Timestamp) -> BoxFuture<'a, StoreResult<()>>;

    /// Deletes a dead letter; false where there is none.
    fn drop_dead<'a>(&'a self, id: &'a TransactionId) -> BoxFuture<'a, StoreResult<bool>>;

    /// One entry by its transaction's id.
    fn find<'a>(&'a self, id: &'a TransactionId) -> BoxFuture<'a, StoreResult<Option<QueueEntry>>>;

    /// Entries after a place, in the order of the stream. Fewer than `most` only where no more follow.
    fn entries(
        &self,
        after: Option<StreamId>,
        most: usize,
    ) -> BoxFuture<'_, StoreResult<Vec<QueueEntry>>>;

    /// Entries before a place, or all of them, the last queued first.
    fn newest(
        &self,
        before: Option<StreamId>,
        most: usize,
    ) -> BoxFuture<'_, StoreResult<Vec<QueueEntry>>>;

    /// Those of these ids that are not in the queue.
    fn absent<'a>(
        &'a self,
        ids: &'a [TransactionId],
    ) -> BoxFuture<'a, StoreResult<Vec<TransactionId>>>;

    /// Dead letters whose grave is before a place, or all of them, the last buried first.
    fn dead(
        &self,
        before: Option<StreamId>,
        most: usize,
    ) -> BoxFuture<'_, StoreResult<Vec<DeadLetter>>>;

    /// One dead letter.
    fn find_dead<'a>(
        &'a self,
        id: &'a TransactionId,
    ) -> BoxFuture<'a, StoreResult<Option<DeadLetter>>>;

    /// How the queue is.
    fn stats(&self) -> BoxFuture<'_, StoreResult<QueueStats>>;

    /// Says when there is something to take, where the backend itself can tell: an item may come too many, and one may be
    /// lost with a connection. Never ends. The embedded queue says nothing; its ledger does.
    fn arrivals(&self) -> BoxStream<'static, ()>;

    /// Says when somebody else than this handle may have queued something, where others use the queue: after every
    /// connection too. Never ends.
    fn strangers(&self) -> BoxStream<'static, ()> {
        futures::stream::pending().boxed()
    }

    /// Lets go of connections and files.
    fn close(&self) -> BoxFuture<'_, ()>;
}

//! What waits, and what was given up.

use serde::{Deserialize, Serialize};

use crate::id::TransactionId;
use crate::problem::Code;
use crate::time::Timestamp;
use crate::transaction::SignedTransaction;

/// `GET /queue`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueView {
    /// `embedded` or `redis`.
    pub backend: String,
    /// Entries that are not acknowledged.
    pub length: u64,
    /// Entries that a producer has taken and not acknowledged.
    pub pending: u64,
    /// Entries that no block can take.
    pub dead: u64,
    /// The age of the oldest entry, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_ms: Option<u64>,
    /// Who reads.
    #[serde(default)]
    pub consumers: Vec<String>,
    /// What the operator should know, such as that the server may lose what was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// `GET /queue/dead`: an accepted transaction that no block can take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterView {
    /// The transaction's id.
    pub id: TransactionId,
    /// The place it had in the queue.
    pub stream_id: String,
    /// Why no block can take it, for programs.
    pub code: Code,
    /// Why no block can take it, in words.
    pub reason: String,
    /// Since when it lies there.
    pub buried_at: Timestamp,
    /// What was signed, and the signature.
    #[serde(flatten)]
    pub signed: SignedTransaction,
}

/// The answer to `DELETE /queue/dead/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterDropped {
    /// Which.
    pub id: TransactionId,
    /// That it is gone.
    pub dropped: bool,
}

//! Transactions on their way and in blocks.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::block::{Event, Receipt};
use crate::id::TransactionId;
use crate::problem::Problem;
use crate::time::{Timestamp, either};
use crate::transaction::{Party, SignedTransaction, TransactionType};

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransactionStatus {
    /// Accepted, not in a block yet.
    Queued,
    /// In a block, and did what it said.
    Confirmed,
    /// In a block, and changed nothing.
    Failed,
}

impl TransactionStatus {
    /// The wire word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
        }
    }
}

/// The answer to an accepted submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Submitted {
    /// The transaction's id.
    pub id: TransactionId,
    /// `queued`; its present status when it was submitted before.
    pub status: TransactionStatus,
    /// Its place in the queue; absent once it is in a block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_id: Option<String>,
    /// What it does.
    #[serde(rename = "type")]
    pub kind: TransactionType,
    /// As signed.
    pub from: Party,
    /// As signed.
    pub to: Party,
    /// As signed.
    #[serde(with = "either")]
    pub timestamp: Timestamp,
}

/// One answer of a batch, in the order of the submissions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BatchAnswer {
    /// Queued: `status` 202 and the fields of [`Submitted`] but its status.
    Accepted(BatchAccepted),
    /// Refused.
    Refused(Box<Problem>),
}

/// An accepted member of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchAccepted {
    /// 202, or 200 when it was submitted before.
    pub status: u16,
    /// The transaction's id.
    pub id: TransactionId,
    /// Its place in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_id: Option<String>,
    /// What it does.
    #[serde(rename = "type")]
    pub kind: TransactionType,
    /// As signed.
    pub from: Party,
    /// As signed.
    pub to: Party,
    /// As signed.
    #[serde(with = "either")]
    pub timestamp: Timestamp,
}

/// What a client reads of a receipt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptView {
    /// `ok`, or the code of the problem.
    pub code: String,
    /// In words.
    pub message: String,
    /// What it cost.
    pub gas_used: u64,
    /// What a contract returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// What a contract printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs: Option<Vec<String>>,
    /// What a contract reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<Event>>,
}

impl From<Receipt> for ReceiptView {
    fn from(receipt: Receipt) -> Self {
        let Receipt {
            transaction_id: _,
            code,
            message,
            gas_used,
            result,
            logs,
            events,
        } = receipt;
        Self {
            code,
            message,
            gas_used,
            result,
            logs,
            events,
        }
    }
}

/// A transaction and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransactionView {
    /// Its id.
    pub id: TransactionId,
    /// What was signed, and the signature.
    #[serde(flatten)]
    pub signed: SignedTransaction,
    /// Where it stands.
    pub status: TransactionStatus,
    /// The block it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_height: Option<u64>,
    /// When it was signed, as ISO text.
    pub created_at: Timestamp,
    /// The time of its block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
    /// What became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptView>,
}

/// `GET /pending`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// How many wait.
    pub count: u64,
    /// The first of them.
    pub transactions: Vec<TransactionView>,
}

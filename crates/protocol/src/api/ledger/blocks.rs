//! Blocks: read, built and posted.

use serde::{Deserialize, Serialize};

use crate::block::{BlockHeader, Receipt, StateChange, UnsignedBlock};
use crate::hash::Hash32;
use crate::id::TransactionId;
use crate::key::Signature;
use crate::problem::Code;
use crate::transaction::SignedTransaction;

/// A block as it is listed, or whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockView {
    /// What the hash covers.
    #[serde(flatten)]
    pub header: BlockHeader,
    /// The hash of the header.
    pub hash: Hash32,
    /// The producer's; none on the genesis.
    pub signature: Option<Signature>,
    /// Not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<Vec<SignedTransaction>>,
    /// Not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipts: Option<Vec<Receipt>>,
    /// Not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_changes: Option<Vec<StateChange>>,
    /// How many of its transactions failed. Only in lists and events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_count: Option<u32>,
}

/// `POST /blocks/build`: what a producer asks the ledger to execute. Needs a token of a producer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildRequest {
    /// In the order of the queue. Ids that are in a block already are skipped and named in the answer.
    pub transactions: Vec<SignedTransaction>,
    /// What happens when nothing is left to put into a block.
    #[serde(default)]
    pub when_empty: WhenEmpty,
}

/// What happens when nothing is left to put into a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenEmpty {
    /// There is none.
    #[default]
    Skip,
    /// There is one all the same: a sign of life.
    Build,
}

/// The answer to `POST /blocks/build`. The block is read and written as its text where nobody needs its parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Built<B = UnsignedBlock> {
    /// The block to sign; `None` when nothing was left to put into one.
    pub block: Option<B>,
    /// Those that are in a block already: to be acknowledged, not repeated.
    pub known: Vec<TransactionId>,
    /// Those that can never be in a block (such as a signature that does not fit), with the reason: dead letters.
    pub rejected: Vec<Rejected>,
}

/// A transaction that can never be in a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rejected {
    /// Which.
    pub id: TransactionId,
    /// Why, for programs.
    pub code: Code,
    /// Why.
    pub reason: String,
}

/// The answer to `POST /blocks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockAccepted {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: Hash32,
}

//! The ledger's bodies.

mod accounts;
mod blocks;
mod checks;
mod contracts;
mod queue;
mod transactions;

use serde::{Deserialize, Serialize};

use crate::hash::Hash32;
use crate::id::TransactionId;
pub use accounts::{
    BalanceView, CreateUser, CurrencyView, NonceView, OwnerType, UserQueued, UserView,
};
pub use blocks::{BlockAccepted, BlockView, BuildRequest, Built, Rejected, WhenEmpty};
pub use checks::{
    BlockCheck, BlockVerification, CheckName, InclusionView, ProofView, VerificationLine,
};
pub use contracts::{ContractQueued, ContractView};
pub use queue::{DeadLetterDropped, DeadLetterView, QueueView};
pub use transactions::{
    BatchAccepted, BatchAnswer, Pending, ReceiptView, Submitted, TransactionStatus, TransactionView,
};

/// `GET /info` of the ledger: which chain it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChainInfo {
    /// The chain's id.
    pub chain_id: String,
    /// The chain's name.
    pub name: String,
    /// The hash of the genesis block.
    pub genesis_hash: Hash32,
    /// The tip's height.
    pub height: u64,
    /// Whose blocks are accepted.
    pub validators: Vec<crate::genesis::Validator>,
}

/// Names of the ledger's SSE events. `block` carries a listed [`BlockView`], `transaction` a
/// [`TransactionEvent`], `queue` a [`QueueEvent`].
pub mod event {
    /// A block was committed.
    pub const BLOCK: &str = "block";
    /// A transaction is in a block.
    pub const TRANSACTION: &str = "transaction";
    /// The queue's length changed.
    pub const QUEUE: &str = "queue";
    /// All of them.
    pub const ALL: [&str; 3] = [BLOCK, TRANSACTION, QUEUE];
}

/// A transaction is in a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransactionEvent {
    /// Which.
    pub id: TransactionId,
    /// `confirmed` or `failed`.
    pub status: TransactionStatus,
    /// The block it is in.
    pub block_height: u64,
    /// The receipt's code.
    pub code: String,
}

/// The queue's length changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueEvent {
    /// Entries that are not acknowledged.
    pub length: u64,
}

//! Verification and proofs.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hash::Hash32;
use crate::id::TransactionId;
use crate::state::StateKey;

/// The six checks of a block, by their wire names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckName {
    /// The hash is the header's.
    Hash,
    /// The transaction root is the transactions'.
    TxRoot,
    /// Every transaction's signature fits.
    Signatures,
    /// The state root is what replay gives.
    StateRoot,
    /// The producer's signature fits.
    ProducerSignature,
    /// The state changes are what execution gives.
    StateChanges,
}

impl CheckName {
    /// All of them, in the order in which they are answered.
    pub const ALL: [Self; 6] = [
        Self::Hash,
        Self::TxRoot,
        Self::Signatures,
        Self::StateRoot,
        Self::ProducerSignature,
        Self::StateChanges,
    ];
}

/// One check of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockCheck {
    /// Which.
    pub name: CheckName,
    /// Whether it held.
    pub ok: bool,
    /// What did not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// `GET /blocks/{height}/verify`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockVerification {
    /// The block.
    pub height: u64,
    /// Whether all held.
    pub valid: bool,
    /// All six.
    pub checks: Vec<BlockCheck>,
}

/// `GET /proof/{key}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProofView {
    /// The state's key.
    pub key: StateKey,
    /// Its value after the block; absent where it has none, which the proof says too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The block.
    pub height: u64,
    /// The root that the proof is against.
    pub state_root: Hash32,
    /// What is checked with `tana_chain::tree::check_proof`.
    pub proof: Value,
}

/// `GET /transactions/{id}/proof`: that a transaction is in a block. Who believes the block's header, whose hash the producer
/// has signed, checks the rest with `tana_chain::block::is_included` (RFC 6962, over the ids' bytes).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InclusionView {
    /// The transaction.
    pub transaction_id: TransactionId,
    /// The block it is in.
    pub height: u64,
    /// That block's hash.
    pub block_hash: Hash32,
    /// The root that the path leads to.
    pub tx_root: Hash32,
    /// Its place in the block, from 0.
    pub index: usize,
    /// Transactions of the block.
    pub count: usize,
    /// Siblings from the leaf up.
    pub path: Vec<Hash32>,
}

/// A line of what `tanad verify` prints: first which blocks are verified, then each of them, and, where all of them are,
/// what the database holds besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VerificationLine {
    /// The blocks that are verified.
    Range {
        /// From this height on.
        from: u64,
        /// Up to this one.
        to: u64,
    },
    /// What was found of one.
    Block(BlockVerification),
    /// Rows of the database that belong to no block, in words.
    Strays(Vec<String>),
}

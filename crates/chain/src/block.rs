//! Makes a block of what execution gave.

use std::collections::BTreeSet;

use tana_protocol::block::{BlockHeader, Receipt, StateChange, UnsignedBlock};
use tana_protocol::json::canonical;
use tana_protocol::{ChainSpec, Hash32, NodeId, SignedTransaction, Timestamp, TransactionId};

use crate::execute::Execution;
use crate::merkle;
use crate::tree::TreeUpdate;

/// What a block is made of besides its execution.
#[derive(Clone, Debug)]
pub struct BlockPlan<'a> {
    /// The chain.
    pub spec: &'a ChainSpec,
    /// The block before.
    pub parent: &'a BlockHeader,
    /// Its hash.
    pub parent_hash: Hash32,
    /// Later than the block before.
    pub timestamp: Timestamp,
    /// Who builds it.
    pub producer: NodeId,
}

/// Why no block can be made.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// More transactions than a number holds.
    #[error("the block has too many transactions")]
    Count,
}

/// The root over the transactions' ids.
#[must_use]
pub fn tx_root(ids: &[TransactionId]) -> Hash32 {
    let leaves: Vec<[u8; 32]> = ids.iter().map(|id| id.0.0).collect();
    merkle::root(&leaves)
}

/// The siblings, from the leaf up, that prove the transaction at this place to be under [`tx_root`]; `None` where there is
/// none.
#[must_use]
pub fn inclusion(ids: &[TransactionId], index: usize) -> Option<Vec<Hash32>> {
    let leaves: Vec<[u8; 32]> = ids.iter().map(|id| id.0.0).collect();
    merkle::proof(&leaves, index)
}

/// Whether a transaction is in the block with this root, at this place of so many.
#[must_use]
pub fn is_included(
    root: Hash32,
    id: &TransactionId,
    (index, count): (usize, usize),
    path: &[Hash32],
) -> bool {
    merkle::verify(root, &id.0.0, index, count, path)
}

/// The root over the canonical JSON of the receipts.
#[must_use]
pub fn receipts_root(receipts: &[Receipt]) -> Hash32 {
    let leaves: Vec<Vec<u8>> = receipts.iter().map(canonical).collect();
    merkle::root(&leaves)
}

/// SHA-256 of the canonical JSON of the state changes.
#[must_use]
pub fn changes_hash(changes: &[StateChange]) -> Hash32 {
    Hash32::of(&StateChange::canonical_list(changes))
}

/// The contents that the transactions which succeeded refer to, each once, in the order of hashes.
#[must_use]
pub fn content_refs(transactions: &[SignedTransaction], receipts: &[Receipt]) -> Vec<Hash32> {
    let refs: BTreeSet<Hash32> = transactions
        .iter()
        .zip(receipts)
        .filter(|(_, receipt)| receipt.is_ok())
        .flat_map(|(signed, _)| signed.transaction.content_refs().unwrap_or_default())
        .collect();
    refs.into_iter().collect()
}

/// The unsigned block.
///
/// # Errors
/// When it is too large to be counted.
pub fn seal(
    plan: &BlockPlan<'_>,
    transactions: Vec<SignedTransaction>,
    execution: &Execution,
    tree: &TreeUpdate,
) -> Result<UnsignedBlock, SealError> {
    let ids: Vec<TransactionId> = execution
        .receipts
        .iter()
        .map(|receipt| receipt.transaction_id)
        .collect();
    let header = BlockHeader {
        chain_id: plan.spec.chain_id.clone(),
        height: plan.parent.height.saturating_add(1),
        previous_hash: plan.parent_hash,
        timestamp: plan.timestamp,
        producer: plan.producer.clone(),
        tx_root: tx_root(&ids),
        receipts_root: receipts_root(&execution.receipts),
        changes_hash: Hash32::of(execution.changes.text()),
        state_root: tree.root,
        tx_count: u32::try_from(transactions.len()).map_err(|_| SealError::Count)?,
        gas_used: execution.gas_used,
        gas_limit: plan.spec.limits.block_gas_limit,
        content_refs: content_refs(&transactions, &execution.receipts),
        validators_hash: execution.validators.set_hash(),
        next_validators_hash: execution.next_validators.set_hash(),
    };
    Ok(UnsignedBlock {
        hash: header.hash(),
        header,
        transactions,
        receipts: execution.receipts.clone(),
        state_changes: execution.state_changes(),
    })
}

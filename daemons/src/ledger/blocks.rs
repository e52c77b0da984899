//! Builds, commits and verifies blocks. The database is asked before and after, computing happens off the async threads.
//!
//! `build` makes the next block of what is queued, `commit` takes one that a producer has signed.

mod build;
mod commit;

use tana_chain::{Contracts, Execution, MemoryState, TreeUpdate, plan};
use tana_protocol::api::ledger::BlockVerification;
use tana_protocol::state::TreeNode;
use tana_protocol::{
    Block, Hash32, SignedTransaction, StateKey, StateValue, TransactionId, TransactionType, UserId,
};
use tana_store::ledger::{BlockRef, Parties};

use super::error::LedgerError;
use super::service::Ledger;
use crate::contracts::EngineAt;

pub(super) use build::BuiltBlock;

/// What is written with a block.
pub(super) struct Written {
    pub(super) values: Vec<(StateKey, StateValue)>,
    pub(super) nodes: Vec<TreeNode>,
    pub(super) parties: Vec<Parties>,
}

impl Ledger {
    /// All six checks of a stored block.
    pub(super) async fn verify(&self, height: u64) -> Result<BlockVerification, LedgerError> {
        let verifier = self.verifier();
        let work = async move { verifier.block(height).await };
        let turns = &self.inner().verifications;
        let verified = turns.take("verifying a block", work).await?;
        verified.ok_or_else(|| LedgerError::not_found(format!("block {height}")))
    }

    pub(super) async fn stored(&self, height: u64) -> Result<Block, LedgerError> {
        let block = self.store().block(BlockRef::Height(height)).await?;
        block.ok_or_else(|| LedgerError::not_found(format!("block {height}")))
    }
}

/// What becomes of contracts on top of the block with this hash.
pub(super) fn contracts<'a>(host: Option<&'a EngineAt<'a>>, parent: Hash32) -> Contracts<'a> {
    match host {
        Some(host) => Contracts::Run(host, parent),
        None => Contracts::Refused,
    }
}

pub(super) fn written(
    transactions: &[SignedTransaction],
    ids: &[TransactionId],
    mut state: MemoryState,
    execution: Execution,
    tree: TreeUpdate,
) -> Written {
    // Names that the block itself created are known after it.
    state.apply(&execution.values);
    let parties = transactions
        .iter()
        .zip(ids)
        .map(|(signed, id)| {
            let transaction = &signed.transaction;
            let to = match transaction.kind {
                TransactionType::UserCreation => Some(UserId::created_by(id)),
                _ => plan::party(&transaction.to, &state),
            };
            Parties {
                from: plan::party(&transaction.from, &state),
                to,
            }
        })
        .collect();
    Written {
        values: execution.values,
        nodes: tree.nodes,
        parties,
    }
}

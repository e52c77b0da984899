//! Fetches the part of the state and of the tree that execution needs, in a few batches.

use tana_chain::{MemoryState, TreeNodes, plan, tree};
use tana_protocol::state::TreeNodeKey;
use tana_protocol::{StateKey, Transaction};
use tana_store::StoreError;
use tana_store::ledger::LedgerStore;

use super::error::LedgerError;

/// The state of which moment.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    /// After the tip.
    Tip,
    /// After the block at this height.
    Height(u64),
}

/// The values that executing these transactions may read.
pub(super) async fn state<'a>(
    store: &dyn LedgerStore,
    transactions: impl IntoIterator<Item = &'a Transaction> + Clone,
    at: At,
) -> Result<MemoryState, LedgerError> {
    let mut state = MemoryState::part();
    loop {
        let missing = plan::missing(transactions.clone(), &state);
        if missing.is_empty() {
            return Ok(state);
        }
        let mut found = match at {
            At::Tip => store.state(&missing).await?,
            At::Height(height) => store.state_at(&missing, height).await?,
        };
        for key in missing {
            let value = found.remove(&key);
            state.load(key, value);
        }
    }
}

/// The nodes on the way to these keys after the block at `height`, added to those that are there.
pub(super) async fn nodes(
    store: &dyn LedgerStore,
    nodes: &mut TreeNodes,
    height: u64,
    keys: &[StateKey],
) -> Result<(), LedgerError> {
    let root = TreeNodeKey {
        path: vec![0],
        version: height,
    };
    let mut missing = if nodes.is_empty() {
        vec![root]
    } else {
        tree::missing(nodes, height, keys)
    };
    while !missing.is_empty() {
        fetch(store, nodes, height, &missing).await?;
        missing = tree::missing(nodes, height, keys);
    }
    Ok(())
}

/// The nodes that a proof of this key after the block at `height` is made from.
pub(super) async fn nodes_for_proof(
    store: &dyn LedgerStore,
    height: u64,
    key: &StateKey,
) -> Result<TreeNodes, LedgerError> {
    let mut nodes = TreeNodes::default();
    loop {
        let missing = tree::missing_for_proof(&nodes, height, key);
        if missing.is_empty() {
            return Ok(nodes);
        }
        fetch(store, &mut nodes, height, &missing).await?;
    }
}

async fn fetch(
    store: &dyn LedgerStore,
    nodes: &mut TreeNodes,
    height: u64,
    missing: &[TreeNodeKey],
) -> Result<(), LedgerError> {
    let found = store.nodes(missing).await?;
    if found.len() < missing.len() {
        return Err(StoreError::Damaged {
            what: "state tree".to_owned(),
            detail: format!("a node on the way to a value is missing at height {height}"),
        }
        .into());
    }
    nodes.load(found)?;
    Ok(())
}

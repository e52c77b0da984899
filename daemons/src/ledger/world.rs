//! The state that execution reads, where nobody can say beforehand what it will be asked: what is not loaded is read
//! when a contract asks for it. For threads that may block only.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::executor::block_on;
use serde_json::{Value, json};
use tana_chain::{MemoryState, StateError, StateReader};
use tana_protocol::contract::DataKey;
use tana_protocol::{ContractId, StateKey, StateValue, TransactionId};
use tana_store::StoreError;
use tana_store::ledger::{LedgerStore, Slice};

use super::load::At;
use crate::contracts::History;

/// The state after a block, as far as it is asked for.
pub(super) struct Lazy {
    loaded: Mutex<MemoryState>,
    store: Arc<dyn LedgerStore>,
    at: At,
    /// The height of that block.
    height: u64,
}

impl Lazy {
    /// Begins with what was loaded in batches.
    pub(super) const fn new(
        loaded: MemoryState,
        store: Arc<dyn LedgerStore>,
        at: At,
        height: u64,
    ) -> Self {
        Self {
            loaded: Mutex::new(loaded),
            store,
            at,
            height,
        }
    }

    /// Everything that is loaded now.
    pub(super) fn into_loaded(self) -> MemoryState {
        self.loaded
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn loaded(&self) -> MutexGuard<'_, MemoryState> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn unavailable(error: StoreError) -> StateError {
    StateError::Unavailable(format!("the state cannot be read: {error}"))
}

impl StateReader for Lazy {
    fn get(&self, key: &StateKey) -> Result<Option<StateValue>, StateError> {
        if let Ok(found) = self.loaded().get(key) {
            return Ok(found);
        }
        let keys = std::slice::from_ref(key);
        let mut found = block_on(async {
            match self.at {
                At::Tip => self.store.state(keys).await,
                At::Height(height) => self.store.state_at(keys, height).await,
            }
        })
        .map_err(unavailable)?;
        let value = found.remove(key);
        self.loaded().load(key.clone(), value.clone());
        Ok(value)
    }

    fn storage(&self, contract: ContractId) -> Result<BTreeMap<DataKey, String>, StateError> {
        if !self.loaded().knows_storage(contract) {
            let height = match self.at {
                At::Tip => None,
                At::Height(height) => Some(height),
            };
            let stored = block_on(self.store.storage(contract, height)).map_err(unavailable)?;
            self.loaded().load_storage(contract, stored);
        }
        self.loaded().storage(contract)
    }
}

impl History for Lazy {
    fn block(&self, height: Option<u64>) -> Result<Value, StateError> {
        let height = height.unwrap_or(self.height);
        if height > self.height {
            return Ok(Value::Null);
        }
        let slice = Slice {
            after: height.checked_add(1),
            offset: 0,
            limit: 1,
        };
        let found = block_on(self.store.blocks(slice)).map_err(unavailable)?;
        // Without the signature: what proves agreement may differ from node to node.
        Ok(found.first().map_or(Value::Null, |block| {
            let mut said = json!(block.header);
            said["hash"] = json!(block.hash);
            said["timestamp"] = json!(block.header.timestamp.ms());
            said
        }))
    }

    fn transaction(&self, id: &TransactionId) -> Result<Value, StateError> {
        let found = block_on(self.store.transaction(id)).map_err(unavailable)?;
        let found = found.filter(|record| record.block_height <= self.height);
        Ok(found.map_or(Value::Null, |record| {
            let mut said = json!(record.signed);
            said["id"] = json!(record.id);
            said["status"] = json!(record.status);
            said["blockHeight"] = json!(record.block_height);
            said
        }))
    }
}

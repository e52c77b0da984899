//! Contracts of the chain, by id or by name. A deployed source never changes, so it is kept; which contract a name means
//! may change with every block.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tana_client::{ClientError, LedgerClient};
use tana_protocol::{Code, ContractId};

use super::{Contract, ContractError};
use crate::chain::Chain;

/// Sources that are kept in memory.
const KEPT: usize = 256;

pub(super) struct Deployed {
    ledger: LedgerClient,
    chain: Arc<Chain>,
    sources: Mutex<HashMap<ContractId, Contract>>,
}

impl Deployed {
    pub(super) fn new(ledger: LedgerClient, chain: Arc<Chain>) -> Self {
        Self {
            ledger,
            chain,
            sources: Mutex::default(),
        }
    }

    pub(super) async fn find(&self, name: &str) -> Result<Contract, ContractError> {
        let unknown = || ContractError::Unknown(name.to_owned());
        let id = match name.parse::<ContractId>() {
            Ok(id) => id,
            Err(_) => {
                let name = name.to_ascii_lowercase().parse().map_err(|_| unknown())?;
                let found = self.chain.named(&name).await;
                found
                    .map_err(|error| unavailable(&error))?
                    .ok_or_else(unknown)?
            }
        };
        if let Some(contract) = self
            .sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
        {
            return Ok(contract.clone());
        }
        let view = match self.ledger.contract(&id).await {
            Ok(view) => view,
            Err(error) if error.code() == Some(Code::NotFound) => return Err(unknown()),
            Err(error) => return Err(unavailable(&error)),
        };
        let source: Arc<str> = view.source_code.ok_or_else(unknown)?.into();
        let contract = Contract {
            file: format!("{}.ts", view.name),
            source,
            id: Some(view.id),
            owner: Some(view.owner_id.to_string()),
        };
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.len() >= KEPT {
            sources.clear();
        }
        sources.insert(id, contract.clone());
        Ok(contract)
    }
}

fn unavailable(error: &ClientError) -> ContractError {
    ContractError::Unavailable(error.to_string())
}

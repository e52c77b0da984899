//! Contracts of the chain, by id or by name. A deployed source never changes, so it is kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tana_client::{ClientError, LedgerClient, PageQuery};
use tana_protocol::api::ledger::ContractView;
use tana_protocol::{Code, ContractId};

use super::{Contract, ContractError};

/// Sources that are kept in memory.
const KEPT: usize = 256;

pub(super) struct Deployed {
    ledger: LedgerClient,
    sources: Mutex<HashMap<ContractId, Contract>>,
}

impl Deployed {
    pub(super) fn new(ledger: LedgerClient) -> Self {
        Self {
            ledger,
            sources: Mutex::default(),
        }
    }

    pub(super) async fn find(&self, name: &str) -> Result<Contract, ContractError> {
        let unknown = || ContractError::Unknown(name.to_owned());
        let id = match name.parse::<ContractId>() {
            Ok(id) => id,
            Err(_) => self.named(name).await?.ok_or_else(unknown)?,
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
            id: Some(view.id.to_string()),
            owner: Some(view.owner_id.to_string()),
        };
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.len() >= KEPT {
            sources.clear();
        }
        sources.insert(id, contract.clone());
        Ok(contract)
    }

    /// The newest active contract of a name.
    async fn named(&self, name: &str) -> Result<Option<ContractId>, ContractError> {
        let mut query = PageQuery::default();
        loop {
            let page = match self.ledger.contracts(&query).await {
                Ok(page) => page,
                // A ledger without contracts has no such path.
                Err(error) if error.code() == Some(Code::NotFound) => return Ok(None),
                Err(error) => return Err(unavailable(&error)),
            };
            let fits =
                |view: &&ContractView| view.is_active && view.name.eq_ignore_ascii_case(name);
            if let Some(view) = page.items.iter().find(fits) {
                return Ok(Some(view.id));
            }
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => return Ok(None),
            }
        }
    }
}

fn unavailable(error: &ClientError) -> ContractError {
    ContractError::Unavailable(error.to_string())
}

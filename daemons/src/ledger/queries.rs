//! Answers what is stored. Transactions, which may also wait or have failed outside of blocks, are in `transactions`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tana_chain::{block, tree};
use tana_protocol::api::ledger::{
    BalanceView, ContractView, CurrencyView, InclusionView, NonceView, OwnerType, QueueView,
    UserView,
};
use tana_protocol::state::{BalanceState, UserState};
use tana_protocol::{
    Amount, ContractId, ContractName, CurrencyCode, Decimals, PublicKey, StateKey, StateValue,
    Timestamp, TransactionId, UserId, Username,
};
use tana_store::ledger::{BalanceFilter, BalanceRecord, BlockRef, Slice};

use super::error::LedgerError;
use super::service::Ledger;
use super::views;

/// Balances of one user that are answered at most.
const OWN_BALANCES: u32 = 500;

impl Ledger {
    /// One present value.
    async fn value(&self, key: StateKey) -> Result<Option<StateValue>, LedgerError> {
        let mut found = self.store().state(std::slice::from_ref(&key)).await?;
        Ok(found.remove(&key))
    }

    pub(super) async fn owner(&self, key: StateKey) -> Result<Option<UserId>, LedgerError> {
        Ok(match self.value(key).await? {
            Some(StateValue::Owner(id)) => Some(id),
            _ => None,
        })
    }

    pub(super) async fn user_state(&self, id: UserId) -> Result<UserState, LedgerError> {
        match self.value(StateKey::User(id)).await? {
            Some(StateValue::User(user)) => Ok(Arc::unwrap_or_clone(user)),
            _ => Err(LedgerError::not_found(format!("user {id}"))),
        }
    }

    pub(super) async fn username(&self, id: UserId) -> Result<Option<Username>, LedgerError> {
        Ok(match self.value(StateKey::User(id)).await? {
            Some(StateValue::User(user)) => Some(user.username.clone()),
            _ => None,
        })
    }

    pub(super) async fn user(&self, id: UserId) -> Result<UserView, LedgerError> {
        let state = self.user_state(id).await?;
        Ok(UserView::of(id, state, self.spec().network))
    }

    pub(super) async fn user_named(&self, name: Username) -> Result<UserView, LedgerError> {
        let missing = LedgerError::not_found(format!("user {name}"));
        match self.owner(StateKey::Username(name)).await? {
            Some(id) => self.user(id).await,
            None => Err(missing),
        }
    }

    pub(super) async fn user_with_key(&self, key: PublicKey) -> Result<UserView, LedgerError> {
        match self.owner(StateKey::UserKey(Box::new(key))).await? {
            Some(id) => self.user(id).await,
            None => Err(LedgerError::not_found("user with this key")),
        }
    }

    pub(super) async fn contract(&self, id: ContractId) -> Result<ContractView, LedgerError> {
        let keys = [StateKey::Contract(id), StateKey::Code(id)];
        let mut found = self.store().state(&keys).await?;
        match (found.remove(&keys[0]), found.remove(&keys[1])) {
            (Some(StateValue::Contract(state)), Some(StateValue::Code(code))) => {
                let mut view = views::contract(id, *state);
                view.source_code = Some(code.source);
                Ok(view)
            }
            _ => Err(LedgerError::not_found(format!("contract {id}"))),
        }
    }

    pub(super) async fn contract_named(
        &self,
        name: ContractName,
    ) -> Result<ContractView, LedgerError> {
        let missing = LedgerError::not_found(format!("contract {name}"));
        match self.value(StateKey::ContractName(name)).await? {
            Some(StateValue::Named(id)) => self.contract(id).await,
            _ => Err(missing),
        }
    }

    /// All that a contract has stored.
    pub(super) async fn contract_data(
        &self,
        id: ContractId,
    ) -> Result<BTreeMap<String, String>, LedgerError> {
        if self.value(StateKey::Contract(id)).await?.is_none() {
            return Err(LedgerError::not_found(format!("contract {id}")));
        }
        let stored = self.store().storage(id, None).await?;
        Ok(stored
            .into_iter()
            .map(|(key, value)| (key.as_str().to_owned(), value))
            .collect())
    }

    pub(super) async fn nonce(&self, id: UserId) -> Result<NonceView, LedgerError> {
        let (user, pending) = loop {
            let tip = self.tip().hash;
            let user = self.user_state(id).await?;
            let mempool = self.mempool();
            // A block came in between: the user would be of before it, and what is queued of after it.
            if self.tip().hash == tip {
                let pending = mempool.last_nonce(id, user.nonce);
                break (user, pending);
            }
        };
        Ok(NonceView {
            user_id: id,
            username: user.username,
            current_nonce: user.nonce,
            pending_nonce: pending,
            next_nonce: pending.saturating_add(1),
        })
    }

    pub(super) async fn currencies(&self) -> Result<Vec<CurrencyView>, LedgerError> {
        let found = self.store().currencies().await?;
        Ok(found
            .into_iter()
            .map(|(code, state)| views::currency(code, state))
            .collect())
    }

    async fn decimals(&self) -> Result<BTreeMap<CurrencyCode, Decimals>, LedgerError> {
        let found = self.store().currencies().await?;
        Ok(found
            .into_iter()
            .map(|(code, state)| (code, state.decimals))
            .collect())
    }

    /// Balances; where exactly one is asked for, it is nothing where there is none.
    pub(super) async fn balances(
        &self,
        filter: &BalanceFilter,
        slice: Slice<(UserId, CurrencyCode)>,
    ) -> Result<Vec<BalanceView>, LedgerError> {
        let is_from_the_start = slice.after.is_none() && slice.offset == 0;
        let mut records = self.store().balances(filter, slice).await?;
        if let (true, true, Some(owner), Some(owner_type), Some(currency)) = (
            records.is_empty(),
            is_from_the_start,
            filter.owner,
            filter.owner_type,
            &filter.currency,
        ) {
            records.push(nothing(owner, owner_type, currency));
        }
        // After the balances: a block in between may have brought a currency, and never takes one away.
        let decimals = self.decimals().await?;
        Ok(records
            .into_iter()
            .filter_map(|record| {
                let places = *decimals.get(&record.currency)?;
                views::balance(record, places)
            })
            .collect())
    }

    pub(super) async fn balances_of(&self, id: UserId) -> Result<Vec<BalanceView>, LedgerError> {
        self.user_state(id).await?;
        let filter = BalanceFilter {
            owner: Some(id),
            ..BalanceFilter::default()
        };
        let slice = Slice {
            after: None,
            offset: 0,
            limit: OWN_BALANCES,
        };
        self.balances(&filter, slice).await
    }

    pub(super) async fn queue_view(&self) -> Result<QueueView, LedgerError> {
        let stats = self.queue().stats().await?;
        let now = self.now();
        let age =
            |since: Timestamp| u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
        Ok(QueueView {
            backend: self.queue().backend().to_owned(),
            length: stats.length,
            pending: stats.pending,
            dead: stats.dead,
            oldest_ms: stats.oldest.map(age),
            consumers: stats.consumers,
            warning: stats.warning,
        })
    }

    /// A value with the proof that it is, or is not, in the state of a block.
    pub(super) async fn proof(
        &self,
        key: &StateKey,
        height: Option<u64>,
    ) -> Result<Value, LedgerError> {
        let (height, root) = match height {
            None => {
                let tip = self.tip();
                (tip.header.height, tip.header.state_root)
            }
            Some(height) => {
                let block = self.store().blocks(Slice {
                    after: Some(height.saturating_add(1)),
                    offset: 0,
                    limit: 1,
                });
                let found = block.await?.pop();
                let found = found.filter(|found| found.header.height == height);
                let found =
                    found.ok_or_else(|| LedgerError::not_found(format!("block {height}")))?;
                (height, found.header.state_root)
            }
        };
        let keys = std::slice::from_ref(key);
        let value = self.store().state_at(keys, height).await?.remove(key);
        let nodes = super::load::nodes_for_proof(self.store(), height, key).await?;
        let proof = tree::prove(&nodes, height, key)?;
        let mut answer = json!({"key": key, "height": height, "stateRoot": root, "proof": proof});
        if let Some(value) = value {
            answer["value"] = value.to_json();
        }
        Ok(answer)
    }

    /// That a transaction is in its block.
    pub(super) async fn inclusion(&self, id: &TransactionId) -> Result<InclusionView, LedgerError> {
        let missing = || LedgerError::not_found(format!("{id} in any block"));
        let found = self.store().included(std::slice::from_ref(id)).await?;
        let height = *found.get(id).ok_or_else(missing)?;
        let content = self.block(BlockRef::Height(height)).await?.content;
        let ids = content
            .receipts
            .iter()
            .map(|receipt| receipt.transaction_id);
        let ids: Vec<TransactionId> = ids.collect();
        let index = ids.iter().position(|one| one == id).ok_or_else(missing)?;
        let path = block::inclusion(&ids, index).ok_or_else(missing)?;
        Ok(InclusionView {
            transaction_id: *id,
            height,
            block_hash: content.hash,
            tx_root: content.header.tx_root,
            index,
            count: ids.len(),
            path,
        })
    }

    pub(super) async fn block(&self, which: BlockRef) -> Result<tana_protocol::Block, LedgerError> {
        let block = self.store().block(which).await?;
        block.ok_or_else(|| LedgerError::not_found("such block"))
    }
}

fn nothing(owner: UserId, owner_type: OwnerType, currency: &CurrencyCode) -> BalanceRecord {
    BalanceRecord {
        owner,
        currency: currency.clone(),
        state: BalanceState {
            amount: Amount::ZERO,
            owner_type,
            updated_at: Timestamp::default(),
        },
    }
}

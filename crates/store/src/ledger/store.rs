//! [`LedgerStore`] for every database that can do what [`Backend`] asks for.

use std::collections::BTreeMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use tana_protocol::block::Block;
use tana_protocol::contract::DataKey;
use tana_protocol::state::{CurrencyState, TreeNode, TreeNodeKey};
use tana_protocol::{
    ContractId, CurrencyCode, StateKey, StateValue, Timestamp, TransactionId, UserId,
};

use super::backend::Backend;
use super::{
    BalanceFilter, BalanceRecord, BlockRef, BlockSummary, Commit, Committed, ContractRecord,
    Difference, LedgerStore, References, Slice, StoredBlock, Tip, TransactionFilter,
    TransactionRecord, UserRecord, lists, state, stored, write,
};
use crate::error::StoreResult;

impl<B: Backend> LedgerStore for B {
    fn backend(&self) -> &'static str {
        B::NAME
    }

    fn tip(&self) -> BoxFuture<'_, StoreResult<Option<Tip>>> {
        lists::tip(self).boxed()
    }

    fn height(&self) -> BoxFuture<'_, StoreResult<Option<u64>>> {
        lists::height(self).boxed()
    }

    fn commit<'a>(&'a self, commit: &'a Commit<'a>) -> BoxFuture<'a, StoreResult<Committed>> {
        write::commit(self, commit).boxed()
    }

    fn block(&self, which: BlockRef) -> BoxFuture<'_, StoreResult<Option<Block>>> {
        lists::block(self, which).boxed()
    }

    fn blocks(&self, slice: Slice<u64>) -> BoxFuture<'_, StoreResult<Vec<BlockSummary>>> {
        lists::blocks(self, slice).boxed()
    }

    fn references(&self, after: u64, limit: u32) -> BoxFuture<'_, StoreResult<Vec<References>>> {
        lists::references(self, after, limit).boxed()
    }

    fn transaction<'a>(
        &'a self,
        id: &'a TransactionId,
    ) -> BoxFuture<'a, StoreResult<Option<TransactionRecord>>> {
        lists::transaction(self, id).boxed()
    }

    fn included<'a>(
        &'a self,
        ids: &'a [TransactionId],
    ) -> BoxFuture<'a, StoreResult<BTreeMap<TransactionId, u64>>> {
        lists::included(self, ids).boxed()
    }

    fn transactions(
        &self,
        filter: TransactionFilter,
        slice: Slice<u64>,
    ) -> BoxFuture<'_, StoreResult<Vec<TransactionRecord>>> {
        lists::transactions(self, filter, slice).boxed()
    }

    fn users(
        &self,
        slice: Slice<(Timestamp, UserId)>,
    ) -> BoxFuture<'_, StoreResult<Vec<UserRecord>>> {
        lists::users(self, slice).boxed()
    }

    fn balances<'a>(
        &'a self,
        filter: &'a BalanceFilter,
        slice: Slice<(UserId, CurrencyCode)>,
    ) -> BoxFuture<'a, StoreResult<Vec<BalanceRecord>>> {
        lists::balances(self, filter, slice).boxed()
    }

    fn currencies(&self) -> BoxFuture<'_, StoreResult<Vec<(CurrencyCode, CurrencyState)>>> {
        lists::currencies(self).boxed()
    }

    fn state<'a>(
        &'a self,
        keys: &'a [StateKey],
    ) -> BoxFuture<'a, StoreResult<BTreeMap<StateKey, StateValue>>> {
        state::present(self, keys).boxed()
    }

    fn state_at<'a>(
        &'a self,
        keys: &'a [StateKey],
        height: u64,
    ) -> BoxFuture<'a, StoreResult<BTreeMap<StateKey, StateValue>>> {
        state::past(self, keys, height).boxed()
    }

    fn contracts(
        &self,
        owner: Option<UserId>,
        slice: Slice<(Timestamp, ContractId)>,
    ) -> BoxFuture<'_, StoreResult<Vec<ContractRecord>>> {
        lists::contracts(self, owner, slice).boxed()
    }

    fn storage(
        &self,
        contract: ContractId,
        height: Option<u64>,
    ) -> BoxFuture<'_, StoreResult<BTreeMap<DataKey, String>>> {
        state::storage(self, contract, height).boxed()
    }

    fn nodes<'a>(&'a self, keys: &'a [TreeNodeKey]) -> BoxFuture<'a, StoreResult<Vec<TreeNode>>> {
        state::nodes(self, keys).boxed()
    }

    fn stored(&self, height: u64) -> BoxFuture<'_, StoreResult<StoredBlock>> {
        stored::stored(self, height).boxed()
    }

    fn differences<'a>(
        &'a self,
        height: u64,
        values: &'a [(StateKey, StateValue)],
    ) -> BoxFuture<'a, StoreResult<Vec<Difference>>> {
        stored::present(self, height, values).boxed()
    }

    fn strays(&self) -> BoxFuture<'_, StoreResult<Vec<Difference>>> {
        stored::strays(self).boxed()
    }
}

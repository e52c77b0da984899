//! The chain's data: blocks, transactions, the state and its tree. Written by one ledger, a block at a time.
//!
//! [`conformance`] is what every backend must do.

mod backend;
pub mod conformance;
mod lists;
mod rows;
mod state;
mod store;
mod stored;
mod table;
mod write;

pub(crate) use backend::{Argument, Backend, Query, Transaction, same_key};
pub use stored::{Difference, StoredBlock};
pub(crate) use table::{Answer, Cell, Column, Kind, Rows, Table, list};

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use tana_protocol::api::ledger::{OwnerType, TransactionStatus};
use tana_protocol::block::{Block, BlockHeader, Receipt};
use tana_protocol::contract::{ContractState, DataKey};
use tana_protocol::state::{BalanceState, CurrencyState, TreeNode, TreeNodeKey, UserState};
use tana_protocol::{
    ContractId, CurrencyCode, Hash32, Signature, SignedTransaction, StateKey, StateValue,
    Timestamp, TransactionId, TransactionType, UserId,
};

use crate::error::StoreResult;

/// A block and everything that is written with it, in one transaction of the database.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// The block.
    pub block: &'a Block,
    /// The values after the block of what it changed.
    pub values: &'a [(StateKey, StateValue)],
    /// The new nodes of the state tree.
    pub nodes: &'a [TreeNode],
    /// Who each transaction's `from` and `to` are, in their order.
    pub parties: &'a [Parties],
}

/// The ids that `from` and `to` stand for. In a user creation `to` is the new user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parties {
    /// `from`, where it names anybody.
    pub from: Option<UserId>,
    /// `to`, where it names anybody.
    pub to: Option<UserId>,
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It is written.
    Done,
    /// The very same block was there already.
    Known,
    /// Another block is due; nothing was changed.
    WrongHeight {
        /// The height that is.
        expected: u64,
    },
}

/// The last block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its header.
    pub header: BlockHeader,
    /// Its hash.
    pub hash: Hash32,
}

/// A block as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockSummary {
    /// Its header.
    pub header: BlockHeader,
    /// Its hash.
    pub hash: Hash32,
    /// The producer's.
    pub signature: Option<Signature>,
    /// Transactions that failed.
    pub failed_count: u32,
}

/// What a block refers to: its height, and the hashes of contents.
pub type References = (u64, Vec<Hash32>);

/// Which block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockRef {
    /// The tip.
    Latest,
    /// By height.
    Height(u64),
    /// By hash.
    Hash(Hash32),
}

/// A transaction in a block.
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionRecord {
    /// Its id.
    pub id: TransactionId,
    /// Where it stands in the order of all; newer is greater.
    pub seq: u64,
    /// What was signed.
    pub signed: SignedTransaction,
    /// Whether it did what it said.
    pub status: TransactionStatus,
    /// Its block.
    pub block_height: u64,
    /// Its block's time.
    pub confirmed_at: Timestamp,
    /// What became of it.
    pub receipt: Receipt,
}

/// Which transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionFilter {
    /// From or to this account.
    pub account: Option<UserId>,
    /// Of this type.
    pub kind: Option<TransactionType>,
    /// That stand there; nothing that is queued is here.
    pub status: Option<TransactionStatus>,
}

/// A user as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRecord {
    /// The id.
    pub id: UserId,
    /// The rest.
    pub state: UserState,
}

/// A balance as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceRecord {
    /// Whose.
    pub owner: UserId,
    /// Of what.
    pub currency: CurrencyCode,
    /// How much.
    pub state: BalanceState,
}

/// A contract as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractRecord {
    /// The id.
    pub id: ContractId,
    /// The rest.
    pub state: ContractState,
}

/// Which balances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BalanceFilter {
    /// Of this owner.
    pub owner: Option<UserId>,
    /// Of this kind of owners.
    pub owner_type: Option<OwnerType>,
    /// In this currency.
    pub currency: Option<CurrencyCode>,
}

/// A part of a list: what comes after a place in its order, less what is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice<C> {
    /// The place of the last entry of the page before.
    pub after: Option<C>,
    /// Entries to skip.
    pub offset: u32,
    /// Entries at most.
    pub limit: u32,
}

/// The chain's data.
pub trait LedgerStore: Send + Sync + 'static {
    /// `sqlite` or `postgres`.
    fn backend(&self) -> &'static str;

    /// The last block, `None` before the genesis is committed.
    fn tip(&self) -> BoxFuture<'_, StoreResult<Option<Tip>>>;

    /// The last block's height, whatever else its row says.
    fn height(&self) -> BoxFuture<'_, StoreResult<Option<u64>>>;

    /// Writes a block and all that belongs to it, or nothing. Idempotent by height.
    ///
    /// [`crate::StoreError::Conflict`] where a transaction is in a block already.
    fn commit<'a>(&'a self, commit: &'a Commit<'a>) -> BoxFuture<'a, StoreResult<Committed>>;

    /// A whole block.
    fn block(&self, which: BlockRef) -> BoxFuture<'_, StoreResult<Option<Block>>>;

    /// Blocks without their bodies, newest first; the place in the order is the height.
    fn blocks(&self, slice: Slice<u64>) -> BoxFuture<'_, StoreResult<Vec<BlockSummary>>>;

    /// The blocks above `after` that refer to content, the oldest first, at most `limit`: their heights and what they
    /// refer to.
    fn references(&self, after: u64, limit: u32) -> BoxFuture<'_, StoreResult<Vec<References>>>;

    /// A transaction that is in a block.
    fn transaction<'a>(
        &'a self,
        id: &'a TransactionId,
    ) -> BoxFuture<'a, StoreResult<Option<TransactionRecord>>>;

    /// Those of these that are in a block, each with its height.
    fn included<'a>(
        &'a self,
        ids: &'a [TransactionId],
    ) -> BoxFuture<'a, StoreResult<BTreeMap<TransactionId, u64>>>;

    /// Transactions that are in blocks, newest first; the place in the order is `seq`.
    fn transactions(
        &self,
        filter: TransactionFilter,
        slice: Slice<u64>,
    ) -> BoxFuture<'_, StoreResult<Vec<TransactionRecord>>>;

    /// Users, newest first; the place in the order is the time of the block that created them, and the id.
    fn users(
        &self,
        slice: Slice<(Timestamp, UserId)>,
    ) -> BoxFuture<'_, StoreResult<Vec<UserRecord>>>;

    /// Balances, in the order of owner and currency, which is also the place in it.
    fn balances<'a>(
        &'a self,
        filter: &'a BalanceFilter,
        slice: Slice<(UserId, CurrencyCode)>,
    ) -> BoxFuture<'a, StoreResult<Vec<BalanceRecord>>>;

    /// All currencies, in the order of their codes.
    fn currencies(&self) -> BoxFuture<'_, StoreResult<Vec<(CurrencyCode, CurrencyState)>>>;

    /// The present values of these keys; a key without a value is not in the answer.
    fn state<'a>(
        &'a self,
        keys: &'a [StateKey],
    ) -> BoxFuture<'a, StoreResult<BTreeMap<StateKey, StateValue>>>;

    /// The values of these keys after the block at `height`.
    fn state_at<'a>(
        &'a self,
        keys: &'a [StateKey],
        height: u64,
    ) -> BoxFuture<'a, StoreResult<BTreeMap<StateKey, StateValue>>>;

    /// Contracts, newest first; the place in the order is the time of the block that deployed them, and the id.
    fn contracts(
        &self,
        owner: Option<UserId>,
        slice: Slice<(Timestamp, ContractId)>,
    ) -> BoxFuture<'_, StoreResult<Vec<ContractRecord>>>;

    /// All that a contract has stored: now, or after the block at `height`.
    fn storage(
        &self,
        contract: ContractId,
        height: Option<u64>,
    ) -> BoxFuture<'_, StoreResult<BTreeMap<DataKey, String>>>;

    /// Nodes of the state tree; one that is not there is not in the answer.
    fn nodes<'a>(&'a self, keys: &'a [TreeNodeKey]) -> BoxFuture<'a, StoreResult<Vec<TreeNode>>>;

    /// The rows that a block wrote, exactly as they lie in the database.
    fn stored(&self, height: u64) -> BoxFuture<'_, StoreResult<StoredBlock>>;

    /// Where the rows of the state are not the values that the block at `height` gave them, as far as no later block has
    /// changed them again.
    fn differences<'a>(
        &'a self,
        height: u64,
        values: &'a [(StateKey, StateValue)],
    ) -> BoxFuture<'a, StoreResult<Vec<Difference>>>;

    /// Rows that belong to no block and to no value that one wrote. Reads all there is.
    fn strays(&self) -> BoxFuture<'_, StoreResult<Vec<Difference>>>;
}

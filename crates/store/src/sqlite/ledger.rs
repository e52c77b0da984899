//! The chain's data in SQLite. Batches travel as one JSON parameter, so that a batch costs one statement whatever its
//! length. What is written is in `write`, the state in `state`, lists in `lists`, the form of rows in `rows`.

mod lists;
mod rows;
mod state;
mod write;

use std::collections::BTreeMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use tana_protocol::block::Block;
use tana_protocol::contract::DataKey;
use tana_protocol::state::{CurrencyState, TreeNode, TreeNodeKey};
use tana_protocol::{ContractId, CurrencyCode, StateKey, StateValue, TransactionId, UserId};

use crate::error::StoreResult;
use crate::ledger::{
    BalanceFilter, BalanceRecord, BlockRef, BlockSummary, Commit, Committed, ContractRecord,
    LedgerStore, Slice, Tip, TransactionFilter, TransactionRecord, UserRecord,
};
use crate::sqlite::{Durability, Sqlite};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/ledger/sqlite");

/// The chain's data in one SQLite file. Clones share its connections.
#[derive(Clone, Debug)]
pub struct SqliteLedger(Sqlite);

impl SqliteLedger {
    /// Opens a file (a path, or a `sqlite:` address), and makes it where there is none.
    ///
    /// # Errors
    /// One sentence for each: no database, a newer version's, no room, no permission.
    pub async fn open(address: &str) -> StoreResult<Self> {
        Sqlite::open(address, &MIGRATIONS, Durability::Full)
            .await
            .map(Self)
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

impl LedgerStore for SqliteLedger {
    fn backend(&self) -> &'static str {
        "sqlite"
    }

    fn tip(&self) -> BoxFuture<'_, StoreResult<Option<Tip>>> {
        lists::tip(self.0.readers()).boxed()
    }

    fn commit<'a>(&'a self, commit: &'a Commit<'a>) -> BoxFuture<'a, StoreResult<Committed>> {
        write::commit(self.0.writer(), commit).boxed()
    }

    fn block(&self, which: BlockRef) -> BoxFuture<'_, StoreResult<Option<Block>>> {
        lists::block(self.0.readers(), which).boxed()
    }

    fn blocks(&self, slice: Slice<u64>) -> BoxFuture<'_, StoreResult<Vec<BlockSummary>>> {
        lists::blocks(self.0.readers(), slice).boxed()
    }

    fn transaction<'a>(
        &'a self,
        id: &'a TransactionId,
    ) -> BoxFuture<'a, StoreResult<Option<TransactionRecord>>> {
        lists::transaction(self.0.readers(), id).boxed()
    }

    fn included<'a>(
        &'a self,
        ids: &'a [TransactionId],
    ) -> BoxFuture<'a, StoreResult<BTreeMap<TransactionId, u64>>> {
        lists::included(self.0.readers(), ids).boxed()
    }

    fn transactions(
        &self,
        filter: TransactionFilter,
        slice: Slice<u64>,
    ) -> BoxFuture<'_, StoreResult<Vec<TransactionRecord>>> {
        lists::transactions(self.0.readers(), filter, slice).boxed()
    }

    fn users(&self, slice: Slice<u64>) -> BoxFuture<'_, StoreResult<Vec<UserRecord>>> {
        lists::users(self.0.readers(), slice).boxed()
    }

    fn balances<'a>(
        &'a self,
        filter: &'a BalanceFilter,
        slice: Slice<(UserId, CurrencyCode)>,
    ) -> BoxFuture<'a, StoreResult<Vec<BalanceRecord>>> {
        lists::balances(self.0.readers(), filter, slice).boxed()
    }

    fn currencies(&self) -> BoxFuture<'_, StoreResult<Vec<(CurrencyCode, CurrencyState)>>> {
        lists::currencies(self.0.readers()).boxed()
    }

    fn state<'a>(
        &'a self,
        keys: &'a [StateKey],
    ) -> BoxFuture<'a, StoreResult<BTreeMap<StateKey, StateValue>>> {
        state::present(self.0.readers(), keys).boxed()
    }

    fn state_at<'a>(
        &'a self,
        keys: &'a [StateKey],
        height: u64,
    ) -> BoxFuture<'a, StoreResult<BTreeMap<StateKey, StateValue>>> {
        state::past(self.0.readers(), keys, height).boxed()
    }

    fn contracts(
        &self,
        owner: Option<UserId>,
        slice: Slice<u64>,
    ) -> BoxFuture<'_, StoreResult<Vec<ContractRecord>>> {
        lists::contracts(self.0.readers(), owner, slice).boxed()
    }

    fn storage(
        &self,
        contract: ContractId,
        height: Option<u64>,
    ) -> BoxFuture<'_, StoreResult<BTreeMap<DataKey, String>>> {
        state::storage(self.0.readers(), contract, height).boxed()
    }

    fn nodes<'a>(&'a self, keys: &'a [TreeNodeKey]) -> BoxFuture<'a, StoreResult<Vec<TreeNode>>> {
        state::nodes(self.0.readers(), keys).boxed()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::SqliteLedger;
    use crate::error::StoreError;
    use crate::ledger::conformance;

    #[tokio::test]
    async fn the_embedded_ledger_conforms() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        let store = SqliteLedger::open(path.to_str().unwrap()).await.unwrap();
        conformance::check(&store).await.unwrap();
        store.close().await;
        let again = SqliteLedger::open(path.to_str().unwrap()).await.unwrap();
        conformance::check_reopened(&again).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_no_database_is_refused_in_one_sentence() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        std::fs::write(
            &path,
            b"this is a letter to my aunt, not a database\n".repeat(200),
        )
        .unwrap();
        let error = SqliteLedger::open(path.to_str().unwrap())
            .await
            .unwrap_err();
        assert!(
            matches!(error, StoreError::NotADatabase { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains("ledger.db"), "{error}");
    }

    #[tokio::test]
    async fn a_database_of_a_newer_version_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        let store = SqliteLedger::open(path.to_str().unwrap()).await.unwrap();
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (9999, 'of tomorrow', 1, x'00', 0)",
        )
        .execute(store.0.writer())
        .await
        .unwrap();
        store.close().await;
        let error = SqliteLedger::open(path.to_str().unwrap())
            .await
            .unwrap_err();
        assert!(
            matches!(error, StoreError::Newer { found: 9999, .. }),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn a_full_disk_is_said_and_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        let store = SqliteLedger::open(path.to_str().unwrap()).await.unwrap();
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count")
            .fetch_one(store.0.writer())
            .await
            .unwrap();
        // SQLite's own limit stands for the disk's: it gives the same SQLITE_FULL.
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "PRAGMA max_page_count = {pages}"
        )))
        .execute(store.0.writer())
        .await
        .unwrap();
        let error = conformance::commit_large(&store).await.unwrap_err();
        assert!(matches!(error, StoreError::Full), "{error:?}");
        assert_eq!(crate::ledger::LedgerStore::tip(&store).await.unwrap(), None);
    }
}

//! Blocks, transactions and lists, as they are asked for.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::sqlite::SqlitePool;
use sqlx::{QueryBuilder, Sqlite};
use tana_protocol::block::{Block, Receipt, StateChange, UnsignedBlock};
use tana_protocol::state::CurrencyState;
use tana_protocol::{CurrencyCode, TransactionId, UserId};

use super::rows::{self, BLOCK, TRANSACTION};
use super::write::{POSITIONS, integer};
use crate::error::StoreResult;
use crate::ledger::{
    BalanceFilter, BalanceRecord, BlockRef, BlockSummary, ContractRecord, Slice, Tip,
    TransactionFilter, TransactionRecord, UserRecord,
};
use crate::sqlite::failed;

const DOING: &str = "reading the ledger";

pub(super) async fn tip(pool: &SqlitePool) -> StoreResult<Option<Tip>> {
    let summary = summary(pool, BlockRef::Latest).await?;
    Ok(summary.map(|summary| Tip {
        header: summary.header,
        hash: summary.hash,
    }))
}

async fn summary(pool: &SqlitePool, which: BlockRef) -> StoreResult<Option<BlockSummary>> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query.push(BLOCK).push(" FROM blocks ");
    match which {
        BlockRef::Latest => query.push("ORDER BY height DESC LIMIT 1"),
        BlockRef::Height(height) => query.push("WHERE height = ").push_bind(integer(height)),
        BlockRef::Hash(hash) => query.push("WHERE hash = ").push_bind(hash.to_hex()),
    };
    query
        .build()
        .fetch_optional(pool)
        .await
        .map_err(failed(DOING))?
        .as_ref()
        .map(rows::block)
        .transpose()
}

pub(super) async fn block(pool: &SqlitePool, which: BlockRef) -> StoreResult<Option<Block>> {
    let Some(summary) = summary(pool, which).await? else {
        return Ok(None);
    };
    let height = summary.header.height;
    let first = height.saturating_mul(POSITIONS);
    let found = sqlx::query(
        "SELECT body, receipt FROM transactions WHERE seq >= ? AND seq < ? ORDER BY seq",
    )
    .bind(integer(first))
    .bind(integer(first.saturating_add(POSITIONS)))
    .fetch_all(pool)
    .await
    .map_err(failed(DOING))?;
    let mut transactions = Vec::with_capacity(found.len());
    let mut receipts: Vec<Receipt> = Vec::with_capacity(found.len());
    for row in &found {
        transactions.push(rows::json(row, "body")?);
        receipts.push(rows::json(row, "receipt")?);
    }
    let found = sqlx::query(
        "SELECT key, before, after FROM state_changes WHERE height = ? ORDER BY position",
    )
    .bind(integer(height))
    .fetch_all(pool)
    .await
    .map_err(failed(DOING))?;
    let mut state_changes = Vec::with_capacity(found.len());
    for row in &found {
        let value = |column| {
            rows::optional(row, column)?
                .map(|text| serde_json::from_str(&text))
                .transpose()
                .map_err(|error| rows::damaged(format!("state change of block {height}"), error))
        };
        state_changes.push(StateChange {
            key: rows::text(row, "key")?,
            before: value("before")?,
            after: value("after")?,
        });
    }
    Ok(Some(Block {
        content: UnsignedBlock {
            header: summary.header,
            hash: summary.hash,
            transactions,
            receipts,
            state_changes,
        },
        signature: summary.signature,
    }))
}

/// The end of a query: newest first by `column`, after a place, so many.
fn newest(query: &mut QueryBuilder<Sqlite>, column: &'static str, slice: Slice<u64>) {
    if let Some(after) = slice.after {
        query
            .push(" AND ")
            .push(column)
            .push(" < ")
            .push_bind(integer(after));
    }
    query.push(" ORDER BY ").push(column).push(" DESC LIMIT ");
    query.push_bind(i64::from(slice.limit));
    query.push(" OFFSET ").push_bind(i64::from(slice.offset));
}

pub(super) async fn blocks(pool: &SqlitePool, slice: Slice<u64>) -> StoreResult<Vec<BlockSummary>> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query.push(BLOCK).push(" FROM blocks WHERE true");
    newest(&mut query, "height", slice);
    let found = query.build().fetch_all(pool).await.map_err(failed(DOING))?;
    found.iter().map(rows::block).collect()
}

pub(super) async fn transaction(
    pool: &SqlitePool,
    id: &TransactionId,
) -> StoreResult<Option<TransactionRecord>> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query
        .push(TRANSACTION)
        .push(" FROM transactions WHERE id = ");
    query.push_bind(id.to_string());
    query
        .build()
        .fetch_optional(pool)
        .await
        .map_err(failed(DOING))?
        .as_ref()
        .map(rows::transaction)
        .transpose()
}

pub(super) async fn included(
    pool: &SqlitePool,
    ids: &[TransactionId],
) -> StoreResult<BTreeMap<TransactionId, u64>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = sqlx::query(
        "SELECT id, block_height FROM transactions WHERE id IN (SELECT value FROM json_each(?))",
    )
    .bind(json!(ids).to_string())
    .fetch_all(pool)
    .await
    .map_err(failed(DOING))?;
    found
        .iter()
        .map(|row| Ok((rows::parsed(row, "id")?, rows::number(row, "block_height")?)))
        .collect()
}

pub(super) async fn transactions(
    pool: &SqlitePool,
    filter: TransactionFilter,
    slice: Slice<u64>,
) -> StoreResult<Vec<TransactionRecord>> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query.push(TRANSACTION).push(" FROM transactions WHERE ");
    match filter.account {
        None => {
            query.push("true");
        }
        // Each side reads its own index from the newest on and stops: an OR would read and sort them whole.
        Some(account) => {
            query.push("seq IN (SELECT seq FROM (");
            one_side(&mut query, "from_id", account, &filter, slice);
            query.push(") UNION SELECT seq FROM (");
            one_side(&mut query, "to_id", account, &filter, slice);
            query.push("))");
        }
    }
    restrict(&mut query, &filter);
    newest(&mut query, "seq", slice);
    let found = query.build().fetch_all(pool).await.map_err(failed(DOING))?;
    found.iter().map(rows::transaction).collect()
}

fn restrict(query: &mut QueryBuilder<Sqlite>, filter: &TransactionFilter) {
    if let Some(kind) = filter.kind {
        query.push(" AND type = ").push_bind(kind.as_str());
    }
    if let Some(status) = filter.status {
        query.push(" AND status = ").push_bind(status.as_str());
    }
}

fn one_side(
    query: &mut QueryBuilder<Sqlite>,
    column: &'static str,
    account: UserId,
    filter: &TransactionFilter,
    slice: Slice<u64>,
) {
    query
        .push("SELECT seq FROM transactions WHERE ")
        .push(column);
    query.push(" = ").push_bind(account.to_string());
    restrict(query, filter);
    let whole = Slice {
        offset: 0,
        limit: slice.limit.saturating_add(slice.offset),
        ..slice
    };
    newest(query, "seq", whole);
}

pub(super) async fn users(pool: &SqlitePool, slice: Slice<u64>) -> StoreResult<Vec<UserRecord>> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM users WHERE true");
    newest(&mut query, "seq", slice);
    let found = query.build().fetch_all(pool).await.map_err(failed(DOING))?;
    found
        .iter()
        .map(|row| {
            Ok(UserRecord {
                id: rows::parsed(row, "id")?,
                seq: rows::number(row, "seq")?,
                state: rows::user(row)?,
            })
        })
        .collect()
}

pub(super) async fn balances(
    pool: &SqlitePool,
    filter: &BalanceFilter,
    slice: Slice<(UserId, CurrencyCode)>,
) -> StoreResult<Vec<BalanceRecord>> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM balances WHERE true");
    if let Some(owner) = filter.owner {
        query.push(" AND owner_id = ").push_bind(owner.to_string());
    }
    if let Some(owner_type) = filter.owner_type {
        let word =
            serde_json::to_value(owner_type).map_err(|error| rows::damaged("filter", error))?;
        query.push(" AND owner_type = ");
        query.push_bind(word.as_str().unwrap_or_default().to_owned());
    }
    if let Some(code) = &filter.currency {
        query
            .push(" AND currency_code = ")
            .push_bind(code.to_string());
    }
    if let Some((owner, code)) = slice.after {
        query.push(" AND (owner_id, currency_code) > (");
        query.push_bind(owner.to_string()).push(", ");
        query.push_bind(code.to_string()).push(")");
    }
    query.push(" ORDER BY owner_id, currency_code LIMIT ");
    query.push_bind(i64::from(slice.limit));
    query.push(" OFFSET ").push_bind(i64::from(slice.offset));
    let found = query.build().fetch_all(pool).await.map_err(failed(DOING))?;
    found
        .iter()
        .map(|row| {
            Ok(BalanceRecord {
                owner: rows::parsed(row, "owner_id")?,
                currency: rows::parsed(row, "currency_code")?,
                state: rows::balance(row)?,
            })
        })
        .collect()
}

pub(super) async fn contracts(
    pool: &SqlitePool,
    owner: Option<UserId>,
    slice: Slice<u64>,
) -> StoreResult<Vec<ContractRecord>> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT seq, id, value FROM contracts WHERE true");
    if let Some(owner) = owner {
        query.push(" AND owner_id = ").push_bind(owner.to_string());
    }
    newest(&mut query, "seq", slice);
    let found = query.build().fetch_all(pool).await.map_err(failed(DOING))?;
    found
        .iter()
        .map(|row| {
            Ok(ContractRecord {
                id: rows::parsed(row, "id")?,
                seq: rows::number(row, "seq")?,
                state: rows::json(row, "value")?,
            })
        })
        .collect()
}

pub(super) async fn currencies(
    pool: &SqlitePool,
) -> StoreResult<Vec<(CurrencyCode, CurrencyState)>> {
    let found = sqlx::query("SELECT * FROM currencies ORDER BY code")
        .fetch_all(pool)
        .await
        .map_err(failed(DOING))?;
    found
        .iter()
        .map(|row| Ok((rows::parsed(row, "code")?, rows::currency(row)?)))
        .collect()
}

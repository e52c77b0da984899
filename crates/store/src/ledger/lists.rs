//! Blocks, transactions and lists, as they are asked for.

use std::collections::BTreeMap;

use tana_protocol::block::Block;
use tana_protocol::state::CurrencyState;
use tana_protocol::{ContractId, CurrencyCode, Timestamp, TransactionId, UserId};

use super::backend::{Backend, Query};
use super::rows::{self, POSITIONS};
use super::table::{
    Answer, BALANCES, BLOCKS, CONTRACTS, CURRENCIES, Cell, Column, STATE_CHANGES, TRANSACTIONS,
    USERS, text,
};
use super::{
    BalanceFilter, BalanceRecord, BlockRef, BlockSummary, ContractRecord, References, Slice, Tip,
    TransactionFilter, TransactionRecord, UserRecord,
};
use crate::error::StoreResult;

/// What is asked for without a block's body.
fn summary_columns() -> Vec<Column> {
    BLOCKS.without(&["transactions"])
}

pub(crate) async fn tip<B: Backend>(backend: &B) -> StoreResult<Option<Tip>> {
    let found = block_row(backend, BlockRef::Latest).await?;
    found
        .first()
        .map(|row| {
            let summary = rows::summary(&row)?;
            Ok(Tip {
                header: summary.header,
                hash: summary.hash,
            })
        })
        .transpose()
}

pub(crate) async fn height<B: Backend>(backend: &B) -> StoreResult<Option<u64>> {
    let mut query = Query::select(&BLOCKS, BLOCKS.only(&["height"]));
    query.push(" ORDER BY height DESC LIMIT 1");
    let found = backend.read(query).await?;
    let height = found.first().map(|row| row.number("height"));
    Ok(height.transpose()?)
}

async fn block_row<B: Backend>(backend: &B, which: BlockRef) -> StoreResult<Answer> {
    let mut query = Query::select(&BLOCKS, summary_columns());
    match which {
        BlockRef::Latest => query.push(" ORDER BY height DESC LIMIT 1"),
        BlockRef::Height(height) => query.push(" WHERE height = ").bind(height),
        BlockRef::Hash(hash) => query.push(" WHERE hash = ").bind(text(hash.to_hex())),
    };
    backend.read(query).await
}

/// The rows of a block's transactions.
pub(super) fn transactions_of(height: u64, columns: Vec<Column>) -> Query {
    let first = height.saturating_mul(POSITIONS);
    let mut query = Query::select(&TRANSACTIONS, columns);
    query.push(" WHERE seq >= ").bind(first);
    query
        .push(" AND seq < ")
        .bind(first.saturating_add(POSITIONS));
    query.push(" ORDER BY seq");
    query
}

/// The rows of a block's state changes.
pub(super) fn changes_of(height: u64) -> Query {
    let mut query = Query::select(&STATE_CHANGES, STATE_CHANGES.columns.to_vec());
    query.push(" WHERE height = ").bind(height);
    query.push(" ORDER BY position");
    query
}

pub(crate) async fn block<B: Backend>(backend: &B, which: BlockRef) -> StoreResult<Option<Block>> {
    let found = block_row(backend, which).await?;
    let Some(row) = found.first() else {
        return Ok(None);
    };
    let height = row.number("height")?;
    let bodies = TRANSACTIONS.only(&["body", "receipt"]);
    let transactions = backend.read(transactions_of(height, bodies)).await?;
    let changes = backend.read(changes_of(height)).await?;
    Ok(Some(rows::block(
        &row,
        transactions.records(),
        changes.records(),
    )?))
}

/// The end of a query: so many, after so many.
fn page<C>(query: &mut Query, slice: &Slice<C>) {
    query.push(" LIMIT ").bind(u64::from(slice.limit));
    query.push(" OFFSET ").bind(u64::from(slice.offset));
}

/// The end of a query: newest first by `column`, after a place, so many.
fn newest(query: &mut Query, column: &str, slice: Slice<u64>) {
    if let Some(after) = slice.after {
        query.push(" AND ").push(column).push(" < ").bind(after);
    }
    query.push(" ORDER BY ").push(column).push(" DESC");
    page(query, &slice);
}

pub(crate) async fn blocks<B: Backend>(
    backend: &B,
    slice: Slice<u64>,
) -> StoreResult<Vec<BlockSummary>> {
    let mut query = Query::select(&BLOCKS, summary_columns());
    query.push(" WHERE true");
    newest(&mut query, "height", slice);
    let found = backend.read(query).await?;
    found
        .records()
        .map(|row| Ok(rows::summary(&row)?))
        .collect()
}

pub(crate) async fn references<B: Backend>(
    backend: &B,
    after: u64,
    limit: u32,
) -> StoreResult<Vec<References>> {
    let columns = BLOCKS.only(&["height", "content_refs"]);
    let mut query = Query::select(&BLOCKS, columns);
    // Word for word the condition of the index.
    query.push(" WHERE content_refs <> '[]' AND height > ");
    query.bind(after);
    query.push(" ORDER BY height LIMIT ").bind(u64::from(limit));
    let found = backend.read(query).await?;
    found
        .records()
        .map(|row| Ok((row.number("height")?, row.json("content_refs")?)))
        .collect()
}

fn transaction_columns() -> Vec<Column> {
    TRANSACTIONS.only(&[
        "seq",
        "id",
        "body",
        "status",
        "block_height",
        "confirmed_at",
        "receipt",
    ])
}

pub(crate) async fn transaction<B: Backend>(
    backend: &B,
    id: &TransactionId,
) -> StoreResult<Option<TransactionRecord>> {
    let mut query = Query::select(&TRANSACTIONS, transaction_columns());
    query.push(" WHERE id = ").bind(text(id));
    let found = backend.read(query).await?;
    Ok(found
        .first()
        .map(|row| rows::transaction(&row))
        .transpose()?)
}

pub(crate) async fn included<B: Backend>(
    backend: &B,
    ids: &[TransactionId],
) -> StoreResult<BTreeMap<TransactionId, u64>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids = ids.iter().map(ToString::to_string).collect();
    let columns = TRANSACTIONS.only(&["id", "block_height"]);
    let query = Query::among::<B>(&TRANSACTIONS, columns, "id", ids);
    let found = backend.read(query).await?;
    found
        .records()
        .map(|row| Ok((row.parsed("id")?, row.number("block_height")?)))
        .collect()
}

pub(crate) async fn transactions<B: Backend>(
    backend: &B,
    filter: TransactionFilter,
    slice: Slice<u64>,
) -> StoreResult<Vec<TransactionRecord>> {
    let mut query = Query::select(&TRANSACTIONS, transaction_columns());
    query.push(" WHERE ");
    match filter.account {
        None => {
            query.push("true");
        }
        // Each side reads its own index from the newest on and stops: an OR would read and sort them whole.
        Some(account) => {
            query.push("seq IN (SELECT seq FROM (");
            one_side(&mut query, "from_id", account, &filter, slice);
            query.push(") AS sent UNION SELECT seq FROM (");
            one_side(&mut query, "to_id", account, &filter, slice);
            query.push(") AS received)");
        }
    }
    restrict(&mut query, &filter);
    newest(&mut query, "seq", slice);
    let found = backend.read(query).await?;
    found
        .records()
        .map(|row| Ok(rows::transaction(&row)?))
        .collect()
}

fn restrict(query: &mut Query, filter: &TransactionFilter) {
    if let Some(kind) = filter.kind {
        query.push(" AND \"type\" = ").bind(text(kind));
    }
    if let Some(status) = filter.status {
        query.push(" AND status = ").bind(text(status.as_str()));
    }
}

fn one_side(
    query: &mut Query,
    column: &str,
    account: UserId,
    filter: &TransactionFilter,
    slice: Slice<u64>,
) {
    query
        .push("SELECT seq FROM transactions WHERE ")
        .push(column);
    query.push(" = ").bind(text(account));
    restrict(query, filter);
    let whole = Slice {
        offset: 0,
        limit: slice.limit.saturating_add(slice.offset),
        ..slice
    };
    newest(query, "seq", whole);
}

/// The end of a query: the latest created first, after a place, so many.
fn latest<C: std::fmt::Display>(query: &mut Query, slice: &Slice<(Timestamp, C)>) {
    if let Some((created, id)) = &slice.after {
        query.push(" AND (created_at, id) < (").bind(*created);
        query.push(", ").bind(text(id)).push(")");
    }
    query.push(" ORDER BY created_at DESC, id DESC");
    page(query, slice);
}

pub(crate) async fn contracts<B: Backend>(
    backend: &B,
    owner: Option<UserId>,
    slice: Slice<(Timestamp, ContractId)>,
) -> StoreResult<Vec<ContractRecord>> {
    let mut query = Query::select(&CONTRACTS, CONTRACTS.only(&["id", "value"]));
    query.push(" WHERE true");
    if let Some(owner) = owner {
        query.push(" AND owner_id = ").bind(text(owner));
    }
    latest(&mut query, &slice);
    let found = backend.read(query).await?;
    found
        .records()
        .map(|row| {
            Ok(ContractRecord {
                id: row.parsed("id")?,
                state: row.json("value")?,
            })
        })
        .collect()
}

pub(crate) async fn users<B: Backend>(
    backend: &B,
    slice: Slice<(Timestamp, UserId)>,
) -> StoreResult<Vec<UserRecord>> {
    let mut query = Query::select(&USERS, USERS.columns.to_vec());
    query.push(" WHERE true");
    latest(&mut query, &slice);
    let found = backend.read(query).await?;
    found
        .records()
        .map(|row| {
            Ok(UserRecord {
                id: row.parsed("id")?,
                state: rows::user(&row)?,
            })
        })
        .collect()
}

pub(crate) async fn balances<B: Backend>(
    backend: &B,
    filter: &BalanceFilter,
    slice: Slice<(UserId, CurrencyCode)>,
) -> StoreResult<Vec<BalanceRecord>> {
    let mut query = Query::select(&BALANCES, BALANCES.columns.to_vec());
    query.push(" WHERE true");
    let mut only = |column: &str, value: Option<Cell>| {
        if let Some(value) = value {
            query.push(" AND ").push(column).push(" = ").bind(value);
        }
    };
    only("owner_id", filter.owner.map(text));
    only("owner_type", filter.owner_type.as_ref().map(rows::word));
    only("currency_code", filter.currency.as_ref().map(text));
    if let Some((owner, code)) = &slice.after {
        query.push(" AND (owner_id, currency_code) > (");
        query.bind(text(owner)).push(", ").bind(text(code));
        query.push(")");
    }
    query.push(" ORDER BY owner_id, currency_code");
    page(&mut query, &slice);
    let found = backend.read(query).await?;
    found
        .records()
        .map(|row| {
            Ok(BalanceRecord {
                owner: row.parsed("owner_id")?,
                currency: row.parsed("currency_code")?,
                state: rows::balance(&row)?,
            })
        })
        .collect()
}

pub(crate) async fn currencies<B: Backend>(
    backend: &B,
) -> StoreResult<Vec<(CurrencyCode, CurrencyState)>> {
    let mut query = Query::select(&CURRENCIES, CURRENCIES.columns.to_vec());
    query.push(" ORDER BY code");
    let found = backend.read(query).await?;
    found
        .records()
        .map(|row| Ok((row.parsed("code")?, rows::currency(&row)?)))
        .collect()
}

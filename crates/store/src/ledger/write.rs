//! Writes a block and all that belongs to it in one transaction.

use tana_protocol::block::Block;

use super::backend::{Backend, Query, Transaction};
use super::rows;
use super::table::{BLOCKS, Cell, TRANSACTIONS};
use super::{Commit, Committed};
use crate::error::{StoreError, StoreResult};

/// Tried again where the connection was lost: a block that is there already is not written twice.
pub(crate) async fn commit<B: Backend>(backend: &B, commit: &Commit<'_>) -> StoreResult<Committed> {
    let history = rows::history(commit)?;
    let present = rows::present(commit.values)?;
    let mut tries = 0;
    loop {
        match once(backend, commit, &history, &present).await {
            Err(error) => {
                tries += 1;
                if !backend.again(&error, tries).await {
                    return Err(error);
                }
                tracing::warn!("committing block {} again: {error}", commit.block.height());
            }
            done => return done,
        }
    }
}

async fn once<B: Backend>(
    backend: &B,
    commit: &Commit<'_>,
    history: &[rows::TableRows],
    present: &rows::Present,
) -> StoreResult<Committed> {
    let mut change = backend.begin().await?;
    if let Some(answer) = follows(&mut change, commit.block).await? {
        return Ok(answer);
    }
    is_new::<B>(&mut change, commit.block).await?;
    for (table, rows) in history.iter().chain(&present.rows) {
        if !rows.is_empty() {
            change.write(table, rows).await?;
        }
    }
    for (table, keys) in &present.gone {
        if !keys.is_empty() {
            change.remove(table, keys).await?;
        }
    }
    change.commit().await?;
    Ok(Committed::Done)
}

/// Whether the block is not the one after the tip, and then what to answer.
async fn follows(change: &mut impl Transaction, block: &Block) -> StoreResult<Option<Committed>> {
    let columns = || BLOCKS.only(&["height", "hash"]);
    let mut query = Query::select(&BLOCKS, columns());
    query.push(" ORDER BY height DESC LIMIT 1");
    let tip = change.read(query).await?;
    let height = block.height();
    let (expected, parent) = match tip.first() {
        None => (0, None),
        Some(row) => (
            row.number("height")?.saturating_add(1),
            Some(row.text("hash")?.to_owned()),
        ),
    };
    if height < expected {
        let mut query = Query::select(&BLOCKS, columns());
        query.push(" WHERE height = ").bind(height);
        let stored = change.read(query).await?;
        let same = |row: super::table::Record<'_>| {
            Ok::<_, StoreError>(row.text("hash")? == block.content.hash.to_hex())
        };
        if stored.first().map(same).transpose()? == Some(true) {
            return Ok(Some(Committed::Known));
        }
    }
    let previous = block.content.header.previous_hash.to_hex();
    if height != expected || parent.is_some_and(|hash| hash != previous) {
        return Ok(Some(Committed::WrongHeight { expected }));
    }
    Ok(None)
}

/// Refuses a block with a transaction that is in a block already.
async fn is_new<B: Backend>(change: &mut B::Transaction, block: &Block) -> StoreResult<()> {
    let ids: Vec<String> = block
        .content
        .receipts
        .iter()
        .map(|receipt| receipt.transaction_id.to_string())
        .collect();
    if ids.is_empty() {
        return Ok(());
    }
    let mut query = Query::among::<B>(&TRANSACTIONS, TRANSACTIONS.only(&["id"]), "id", ids);
    query.push(" LIMIT 1");
    match change.read(query).await?.rows.first().map(Vec::as_slice) {
        Some([Cell::Text(id), ..]) => {
            Err(StoreError::Conflict(format!("{id} is in a block already")))
        }
        _ => Ok(()),
    }
}

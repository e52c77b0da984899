//! Writes a block and all that belongs to it in one transaction.

use serde_json::{Value, json};
use sqlx::sqlite::SqlitePool;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};
use tana_protocol::api::ledger::TransactionStatus;
use tana_protocol::block::Block;
use tana_protocol::json::compact;
use tana_protocol::state::TreeNode;
use tana_protocol::{StateKey, StateValue, TransactionId};

use super::rows::{damaged, number, text};
use crate::error::{StoreError, StoreResult};
use crate::ledger::{Commit, Committed};
use crate::sqlite::failed;

const DOING: &str = "committing a block";
/// Positions that a block has in the order of transactions.
pub(super) const POSITIONS: u64 = 1 << 20;

/// SQLite's integers are signed; nothing here comes near their end.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) async fn commit(pool: &SqlitePool, commit: &Commit<'_>) -> StoreResult<Committed> {
    let mut change = pool
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(failed(DOING))?;
    if let Some(answer) = follows(&mut change, commit.block).await? {
        return Ok(answer);
    }
    block(&mut change, commit.block).await?;
    transactions(&mut change, commit).await?;
    changes(&mut change, commit.block).await?;
    values(&mut change, commit.values).await?;
    nodes(&mut change, commit.nodes).await?;
    change.commit().await.map_err(failed(DOING))?;
    Ok(Committed::Done)
}

/// Whether the block is not the one after the tip, and then what to answer.
async fn follows(change: &mut SqliteConnection, block: &Block) -> StoreResult<Option<Committed>> {
    let tip = sqlx::query("SELECT height, hash FROM blocks ORDER BY height DESC LIMIT 1")
        .fetch_optional(&mut *change)
        .await
        .map_err(failed(DOING))?;
    let height = block.height();
    let (expected, parent) = match &tip {
        None => (0, None),
        Some(row) => (number(row, "height")? + 1, Some(text(row, "hash")?)),
    };
    if height < expected {
        let stored: Option<String> = sqlx::query_scalar("SELECT hash FROM blocks WHERE height = ?")
            .bind(integer(height))
            .fetch_optional(&mut *change)
            .await
            .map_err(failed(DOING))?;
        if stored == Some(block.content.hash.to_hex()) {
            return Ok(Some(Committed::Known));
        }
    }
    let previous = block.content.header.previous_hash.to_hex();
    if height != expected || parent.is_some_and(|hash| hash != previous) {
        return Ok(Some(Committed::WrongHeight { expected }));
    }
    Ok(None)
}

async fn block(change: &mut SqliteConnection, block: &Block) -> StoreResult<()> {
    let header = &block.content.header;
    let ids: Vec<TransactionId> = block
        .content
        .receipts
        .iter()
        .map(|receipt| receipt.transaction_id)
        .collect();
    let failures = block.content.receipts.iter().filter(|r| !r.is_ok()).count();
    sqlx::query(
        "INSERT INTO blocks (height, hash, parent_hash, chain_id, timestamp, producer, tx_root, receipts_root, \
         changes_hash, state_root, tx_count, failed_count, gas_used, gas_limit, content_refs, validators_hash, \
         next_validators_hash, signature, transactions) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(integer(header.height))
    .bind(block.content.hash.to_hex())
    .bind(header.previous_hash.to_hex())
    .bind(&header.chain_id)
    .bind(integer(header.timestamp.ms()))
    .bind(header.producer.as_str())
    .bind(header.tx_root.to_hex())
    .bind(header.receipts_root.to_hex())
    .bind(header.changes_hash.to_hex())
    .bind(header.state_root.to_hex())
    .bind(i64::from(header.tx_count))
    .bind(integer(failures as u64))
    .bind(integer(header.gas_used))
    .bind(integer(header.gas_limit))
    .bind(compact(&header.content_refs))
    .bind(header.validators_hash.to_hex())
    .bind(header.next_validators_hash.to_hex())
    .bind(block.signature.as_ref().map(ToString::to_string))
    .bind(compact(&ids))
    .execute(&mut *change)
    .await
    .map_err(failed(DOING))?;
    Ok(())
}

/// Runs a statement over a JSON list; nothing to do for an empty one.
async fn batch(
    change: &mut SqliteConnection,
    sql: &'static str,
    list: &[Value],
) -> StoreResult<()> {
    if list.is_empty() {
        return Ok(());
    }
    sqlx::query(sql)
        .bind(json!(list).to_string())
        .execute(&mut *change)
        .await
        .map_err(failed(DOING))?;
    Ok(())
}

async fn transactions(change: &mut SqliteConnection, commit: &Commit<'_>) -> StoreResult<()> {
    let content = &commit.block.content;
    let header = &content.header;
    if content.receipts.len() != content.transactions.len()
        || commit.parties.len() != content.transactions.len()
    {
        return Err(damaged(
            "block",
            "it has not as many receipts as transactions",
        ));
    }
    let first = header.height.saturating_mul(POSITIONS);
    let mut list = Vec::with_capacity(content.transactions.len());
    let entries = content.transactions.iter().zip(&content.receipts);
    for ((position, (signed, receipt)), parties) in (0_u64..).zip(entries).zip(commit.parties) {
        let transaction = &signed.transaction;
        let status = if receipt.is_ok() {
            TransactionStatus::Confirmed
        } else {
            TransactionStatus::Failed
        };
        list.push(json!([
            first.saturating_add(position),
            receipt.transaction_id,
            parties.from,
            parties.to,
            transaction.amount,
            transaction.currency_code,
            transaction.kind,
            status.as_str(),
            transaction.metadata.as_ref().map(compact),
            transaction.timestamp.ms(),
            compact(signed),
            compact(receipt),
        ]));
    }
    if list.is_empty() {
        return Ok(());
    }
    let body = json!(list).to_string();
    let twice = sqlx::query(
        "SELECT t.id FROM json_each(?) j JOIN transactions t ON t.id = j.value ->> 1 LIMIT 1",
    )
    .bind(&body)
    .fetch_optional(&mut *change)
    .await
    .map_err(failed(DOING))?;
    if let Some(row) = twice {
        let id: String = row.try_get(0).map_err(failed(DOING))?;
        return Err(StoreError::Conflict(format!("{id} is in a block already")));
    }
    sqlx::query(
        "INSERT INTO transactions (seq, id, from_id, to_id, amount, currency_code, type, status, metadata, \
         created_at, confirmed_at, block_height, body, receipt) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, \
         value ->> 7, value ->> 8, value ->> 9, ?2, ?3, value ->> 10, value ->> 11 FROM json_each(?1)",
    )
    .bind(body)
    .bind(integer(header.timestamp.ms()))
    .bind(integer(header.height))
    .execute(&mut *change)
    .await
    .map_err(failed(DOING))?;
    Ok(())
}

async fn changes(change: &mut SqliteConnection, block: &Block) -> StoreResult<()> {
    let height = block.height();
    let list: Vec<Value> = (0_u64..)
        .zip(&block.content.state_changes)
        .map(|(position, change)| {
            let text = |value: &Option<Value>| value.as_ref().map(compact);
            json!([
                height,
                position,
                change.key,
                text(&change.before),
                text(&change.after)
            ])
        })
        .collect();
    batch(
        change,
        "INSERT INTO state_changes (height, position, key, before, after) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?)",
        &list,
    )
    .await
}

async fn values(
    change: &mut SqliteConnection,
    values: &[(StateKey, StateValue)],
) -> StoreResult<()> {
    let (mut users, mut balances, mut currencies, mut others) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut contracts, mut stored, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for (key, value) in values {
        match (key, value) {
            (StateKey::User(id), StateValue::User(user)) => users.push(json!([
                id,
                user.username,
                user.display_name,
                user.public_key,
                user.role,
                user.bio,
                user.nonce,
                user.created_at.ms(),
                user.updated_at.ms()
            ])),
            // A row of users says these as well.
            (StateKey::Username(_) | StateKey::UserKey(_), StateValue::Owner(_)) => {}
            (StateKey::Balance(owner, code), StateValue::Balance(balance)) => {
                balances.push(json!([
                    owner,
                    code,
                    balance.owner_type,
                    balance.amount.units().to_string(),
                    balance.updated_at.ms()
                ]));
            }
            (StateKey::Currency(code), StateValue::Currency(currency)) => currencies.push(json!([
                code,
                currency.kind,
                currency.decimals,
                currency.name,
                currency.symbol,
                i32::from(currency.verified),
                currency.created_at.ms()
            ])),
            (StateKey::Contract(id), StateValue::Contract(contract)) => contracts.push(json!([
                id,
                contract.owner,
                contract.name,
                compact(contract)
            ])),
            (StateKey::Data(id, key), StateValue::Data(text)) => {
                stored.push(json!([id, key, compact(text)]));
            }
            (StateKey::Data(id, key), StateValue::Gone) => gone.push(json!([id, key])),
            (StateKey::Chain, value @ StateValue::Chain(_))
            | (StateKey::Validators, value @ StateValue::Validators(_))
            | (StateKey::ContractName(_), value @ StateValue::Named(_))
            | (StateKey::Code(_), value @ StateValue::Code(_)) => {
                others.push(json!([key, compact(&value.to_json())]));
            }
            (key, _) => return Err(damaged(key.to_string(), "its value is of another kind")),
        }
    }
    batch(
        change,
        "INSERT INTO users (id, username, display_name, public_key, role, bio, nonce, created_at, updated_at) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, \
         value ->> 7, value ->> 8 FROM json_each(?) WHERE true ON CONFLICT (id) DO UPDATE SET \
         username = excluded.username, display_name = excluded.display_name, public_key = excluded.public_key, \
         role = excluded.role, bio = excluded.bio, nonce = excluded.nonce, created_at = excluded.created_at, \
         updated_at = excluded.updated_at",
        &users,
    )
    .await?;
    batch(
        change,
        "INSERT INTO balances (owner_id, currency_code, owner_type, amount, updated_at) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?) WHERE true \
         ON CONFLICT (owner_id, currency_code) DO UPDATE SET owner_type = excluded.owner_type, \
         amount = excluded.amount, updated_at = excluded.updated_at",
        &balances,
    )
    .await?;
    batch(
        change,
        "INSERT INTO currencies (code, type, decimals, name, symbol, verified, created_at) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 \
         FROM json_each(?) WHERE true ON CONFLICT (code) DO UPDATE SET type = excluded.type, \
         decimals = excluded.decimals, name = excluded.name, symbol = excluded.symbol, \
         verified = excluded.verified, created_at = excluded.created_at",
        &currencies,
    )
    .await?;
    batch(
        change,
        "INSERT INTO contracts (id, owner_id, name, value) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?) WHERE true \
         ON CONFLICT (id) DO UPDATE SET owner_id = excluded.owner_id, name = excluded.name, value = excluded.value",
        &contracts,
    )
    .await?;
    batch(
        change,
        "INSERT INTO contract_data (contract_id, key, value) \
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE true \
         ON CONFLICT (contract_id, key) DO UPDATE SET value = excluded.value",
        &stored,
    )
    .await?;
    batch(
        change,
        "DELETE FROM contract_data WHERE (contract_id, key) IN \
         (SELECT value ->> 0, value ->> 1 FROM json_each(?))",
        &gone,
    )
    .await?;
    batch(
        change,
        "INSERT INTO state_values (key, value) SELECT value ->> 0, value ->> 1 FROM json_each(?) WHERE true \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        &others,
    )
    .await
}

/// Nodes a statement writes. One length for nearly all of them: the prepared statement is found again.
const CHUNK: usize = 64;

async fn nodes(change: &mut SqliteConnection, nodes: &[TreeNode]) -> StoreResult<()> {
    for part in nodes.chunks(CHUNK) {
        let mut query =
            QueryBuilder::<Sqlite>::new("INSERT INTO state_nodes (version, path, node) ");
        query.push_values(part, |mut row, node| {
            row.push_bind(integer(node.key.version))
                .push_bind(node.key.path.as_slice())
                .push_bind(node.bytes.as_slice());
        });
        query
            .build()
            .execute(&mut *change)
            .await
            .map_err(failed(DOING))?;
    }
    Ok(())
}

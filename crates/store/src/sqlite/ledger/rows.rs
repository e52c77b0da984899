//! Rows as values. What does not parse was changed by somebody: it is damaged, and named.

use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use tana_protocol::Timestamp;
use tana_protocol::api::ledger::{OwnerType, TransactionStatus};
use tana_protocol::block::BlockHeader;
use tana_protocol::genesis::CurrencyType;
use tana_protocol::state::{BalanceState, CurrencyState, UserState};
use tana_protocol::{Amount, Decimals};

use crate::error::{StoreError, StoreResult};
use crate::ledger::{BlockSummary, TransactionRecord};
use crate::sqlite::failed;

const DOING: &str = "reading the ledger";

/// Columns of [`block`].
pub(super) const BLOCK: &str = "height, hash, parent_hash, chain_id, timestamp, producer, tx_root, receipts_root, \
     changes_hash, state_root, tx_count, failed_count, gas_used, gas_limit, content_refs, validators_hash, \
     next_validators_hash, signature";
/// Columns of [`transaction`].
pub(super) const TRANSACTION: &str = "seq, id, body, status, block_height, confirmed_at, receipt";

pub(super) fn damaged(what: impl Into<String>, detail: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged {
        what: what.into(),
        detail: detail.to_string(),
    }
}

pub(super) fn text(row: &SqliteRow, column: &str) -> StoreResult<String> {
    row.try_get(column).map_err(failed(DOING))
}

pub(super) fn optional(row: &SqliteRow, column: &str) -> StoreResult<Option<String>> {
    row.try_get(column).map_err(failed(DOING))
}

pub(super) fn number(row: &SqliteRow, column: &str) -> StoreResult<u64> {
    let value: i64 = row.try_get(column).map_err(failed(DOING))?;
    u64::try_from(value).map_err(|_| damaged(format!("column {column}"), "a number is negative"))
}

pub(super) fn time(row: &SqliteRow, column: &str) -> StoreResult<Timestamp> {
    number(row, column).map(Timestamp::from_ms)
}

/// A column that a type's own parser reads.
pub(super) fn parsed<T>(row: &SqliteRow, column: &str) -> StoreResult<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text(row, column)?
        .parse()
        .map_err(|error| damaged(format!("column {column}"), error))
}

/// A column that holds JSON.
pub(super) fn json<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> StoreResult<T> {
    serde_json::from_str(&text(row, column)?)
        .map_err(|error| damaged(format!("column {column}"), error))
}

/// A column that holds one of a wire type's words.
pub(super) fn word<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> StoreResult<T> {
    serde_json::from_value(serde_json::Value::String(text(row, column)?))
        .map_err(|error| damaged(format!("column {column}"), error))
}

fn small<T: TryFrom<u64>>(row: &SqliteRow, column: &str) -> StoreResult<T> {
    T::try_from(number(row, column)?)
        .map_err(|_| damaged(format!("column {column}"), "a number is too large"))
}

pub(super) fn block(row: &SqliteRow) -> StoreResult<BlockSummary> {
    let signature = optional(row, "signature")?
        .map(|text| text.parse())
        .transpose()
        .map_err(|error| damaged("column signature", error))?;
    Ok(BlockSummary {
        header: BlockHeader {
            chain_id: text(row, "chain_id")?,
            height: number(row, "height")?,
            previous_hash: parsed(row, "parent_hash")?,
            timestamp: time(row, "timestamp")?,
            producer: parsed(row, "producer")?,
            tx_root: parsed(row, "tx_root")?,
            receipts_root: parsed(row, "receipts_root")?,
            changes_hash: parsed(row, "changes_hash")?,
            state_root: parsed(row, "state_root")?,
            tx_count: small(row, "tx_count")?,
            gas_used: number(row, "gas_used")?,
            gas_limit: number(row, "gas_limit")?,
            content_refs: json(row, "content_refs")?,
            validators_hash: parsed(row, "validators_hash")?,
            next_validators_hash: parsed(row, "next_validators_hash")?,
        },
        hash: parsed(row, "hash")?,
        signature,
        failed_count: small(row, "failed_count")?,
    })
}

pub(super) fn transaction(row: &SqliteRow) -> StoreResult<TransactionRecord> {
    let status: TransactionStatus = word(row, "status")?;
    Ok(TransactionRecord {
        id: parsed(row, "id")?,
        seq: number(row, "seq")?,
        signed: json(row, "body")?,
        status,
        block_height: number(row, "block_height")?,
        confirmed_at: time(row, "confirmed_at")?,
        receipt: json(row, "receipt")?,
    })
}

pub(super) fn user(row: &SqliteRow) -> StoreResult<UserState> {
    Ok(UserState {
        username: parsed(row, "username")?,
        display_name: text(row, "display_name")?,
        public_key: parsed(row, "public_key")?,
        role: parsed(row, "role")?,
        bio: text(row, "bio")?,
        nonce: number(row, "nonce")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}

pub(super) fn balance(row: &SqliteRow) -> StoreResult<BalanceState> {
    let whole = Decimals::try_from(0).map_err(|error| damaged("column amount", error))?;
    let owner_type: OwnerType = word(row, "owner_type")?;
    Ok(BalanceState {
        amount: Amount::parse(&text(row, "amount")?, whole)
            .map_err(|error| damaged("column amount", error))?,
        owner_type,
        updated_at: time(row, "updated_at")?,
    })
}

pub(super) fn currency(row: &SqliteRow) -> StoreResult<CurrencyState> {
    let kind: CurrencyType = word(row, "type")?;
    let decimals = Decimals::try_from(small::<u8>(row, "decimals")?)
        .map_err(|error| damaged("column decimals", error))?;
    let verified = match number(row, "verified")? {
        0 => false,
        1 => true,
        _ => return Err(damaged("column verified", "neither 0 nor 1")),
    };
    Ok(CurrencyState {
        kind,
        decimals,
        name: optional(row, "name")?,
        symbol: optional(row, "symbol")?,
        verified,
        created_at: time(row, "created_at")?,
    })
}

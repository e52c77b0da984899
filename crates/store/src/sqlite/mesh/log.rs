//! The log of decisions in SQLite: appended within the transaction that it is about, never changed.

use tana_protocol::{Hash32, PublicKey, Signature, Timestamp};

use crate::error::StoreResult;
use crate::mesh::{Entry, entry_hash};
use crate::sqlite::{Sqlite, failed};

use super::Change;
use super::rows::{ms, parse, time};

/// An entry before it has a place in the log.
pub(super) struct Draft {
    pub(super) at: Timestamp,
    pub(super) kind: &'static str,
    pub(super) subject: String,
    pub(super) by: Option<PublicKey>,
    pub(super) message: String,
    pub(super) signature: Option<Signature>,
}

pub(super) async fn append(change: &mut Change, draft: Draft) -> StoreResult<()> {
    const DOING: &str = "writing the log of decisions";
    let last: Option<(i64, String)> =
        sqlx::query_as("SELECT number, hash FROM decisions ORDER BY number DESC LIMIT 1")
            .fetch_optional(&mut *change)
            .await
            .map_err(failed(DOING))?;
    let (number, previous_hash) = match last {
        Some((number, hash)) => (number + 1, parse("log of decisions", &hash)?),
        None => (1, Hash32::ZERO),
    };
    let mut entry = Entry {
        number: u64::try_from(number).unwrap_or_default(),
        at: draft.at,
        kind: draft.kind.to_owned(),
        subject: draft.subject,
        by: draft.by,
        message: draft.message,
        signature: draft.signature,
        previous_hash,
        hash: Hash32::ZERO,
    };
    entry.hash = entry_hash(&entry);
    sqlx::query(
        "INSERT INTO decisions (number, at, kind, subject, decided_by, message, signature, \
         previous_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(number)
    .bind(ms(entry.at))
    .bind(&entry.kind)
    .bind(&entry.subject)
    .bind(entry.by.map(|key| key.to_string()))
    .bind(&entry.message)
    .bind(entry.signature.map(|signature| signature.to_string()))
    .bind(entry.previous_hash.to_hex())
    .bind(entry.hash.to_hex())
    .execute(&mut *change)
    .await
    .map_err(failed(DOING))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    number: i64,
    at: i64,
    kind: String,
    subject: String,
    decided_by: Option<String>,
    message: String,
    signature: Option<String>,
    previous_hash: String,
    hash: String,
}

pub(super) async fn read(database: &Sqlite, from: u64, limit: u32) -> StoreResult<Vec<Entry>> {
    let found: Vec<EntryRow> = sqlx::query_as(
        "SELECT number, at, kind, subject, decided_by, message, signature, previous_hash, hash \
         FROM decisions WHERE number >= ? ORDER BY number LIMIT ?",
    )
    .bind(i64::try_from(from).unwrap_or(i64::MAX))
    .bind(i64::from(limit))
    .fetch_all(database.readers())
    .await
    .map_err(failed("reading the log of decisions"))?;
    let what = "log of decisions";
    found
        .into_iter()
        .map(|row| {
            Ok(Entry {
                number: u64::try_from(row.number).unwrap_or_default(),
                at: time(row.at),
                kind: row.kind,
                subject: row.subject,
                by: row.decided_by.map(|key| parse(what, &key)).transpose()?,
                message: row.message,
                signature: row.signature.map(|text| parse(what, &text)).transpose()?,
                previous_hash: parse(what, &row.previous_hash)?,
                hash: parse(what, &row.hash)?,
            })
        })
        .collect()
}

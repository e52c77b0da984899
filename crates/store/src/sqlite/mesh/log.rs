//! The log of decisions in SQLite: appended within the transaction that it is about, never changed.

use tana_protocol::api::mesh::LogEnd;
use tana_protocol::{Hash32, PublicKey, Signature, Timestamp};

use crate::error::StoreResult;
use crate::mesh::{Entry, entry_hash};
use crate::sqlite::{Sqlite, failed};

use super::Change;
use super::rows::{ms, parse, time};

/// An entry before it has a place in the log.
pub(super) struct Draft {
    pub(super) at: Timestamp,
    pub(super) kind: String,
    pub(super) subject: String,
    pub(super) by: Option<PublicKey>,
    pub(super) message: String,
    pub(super) signature: Option<Signature>,
}

pub(super) async fn append(change: &mut Change, draft: Draft) -> StoreResult<()> {
    const DOING: &str = "writing the log of decisions";
    let last = end(&mut *change).await?;
    let (number, previous_hash) = (last.count + 1, last.hash);
    let mut entry = Entry {
        number,
        at: draft.at,
        kind: draft.kind,
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
    .bind(i64::try_from(number).unwrap_or(i64::MAX))
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

/// Where the log ends.
pub(super) async fn end<'c, E: sqlx::SqliteExecutor<'c>>(database: E) -> StoreResult<LogEnd> {
    let last: Option<(i64, String)> =
        sqlx::query_as("SELECT number, hash FROM decisions ORDER BY number DESC LIMIT 1")
            .fetch_optional(database)
            .await
            .map_err(failed("reading the end of the log of decisions"))?;
    Ok(match last {
        Some((number, hash)) => LogEnd {
            count: u64::try_from(number).unwrap_or_default(),
            hash: parse("log of decisions", &hash)?,
        },
        None => LogEnd {
            count: 0,
            hash: Hash32::ZERO,
        },
    })
}

/// Something that nodes or keys say was decided, of which the log has no entry.
pub(super) async fn unlogged(database: &Sqlite) -> StoreResult<Option<String>> {
    sqlx::query_scalar(
        "SELECT 'the approval of ' || id FROM nodes WHERE approved_at IS NOT NULL \
           AND NOT EXISTS (SELECT 1 FROM decisions WHERE subject = id AND kind = 'approve' AND at = approved_at) \
         UNION ALL SELECT 'the denial of ' || id FROM nodes WHERE status = 'denied' AND removed_at IS NULL \
           AND NOT EXISTS (SELECT 1 FROM decisions WHERE subject = id AND kind = 'deny') \
         UNION ALL SELECT 'the removal of ' || id FROM nodes WHERE removed_at IS NOT NULL \
           AND NOT EXISTS (SELECT 1 FROM decisions WHERE subject = id AND kind = 'remove' AND at = removed_at) \
         UNION ALL SELECT 'the sovereign key ' || public_key FROM sovereign_keys \
           WHERE NOT EXISTS (SELECT 1 FROM decisions WHERE subject = public_key \
           AND kind IN ('sovereign-seed', 'sovereign-add', 'sovereign-rotate')) \
         UNION ALL SELECT 'the end of the sovereign key ' || public_key FROM sovereign_keys \
           WHERE replaced_by IS NOT NULL AND NOT EXISTS (SELECT 1 FROM decisions WHERE subject = replaced_by \
           AND kind = 'sovereign-rotate' AND decided_by = public_key) LIMIT 1",
    )
    .fetch_optional(database.readers())
    .await
    .map_err(failed("comparing nodes with the log of decisions"))
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

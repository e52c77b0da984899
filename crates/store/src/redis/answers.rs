//! What the server answers, read into entries and dead letters.

use std::fmt;

use ::redis::Value;
use tana_protocol::Timestamp;

use super::fields::{self, Fields};
use crate::error::{StoreError, StoreResult};
use crate::queue::{DeadLetter, QueueEntry, StreamId};

/// An entry of a stream.
pub(super) struct Raw {
    pub(super) place: StreamId,
    pub(super) fields: Value,
}

pub(super) fn count(value: &Value) -> u64 {
    match value {
        Value::Int(number) => u64::try_from(*number).unwrap_or(0),
        _ => 0,
    }
}

/// An answer that no Redis gives.
pub(super) fn odd(doing: &'static str, what: impl fmt::Display) -> StoreError {
    StoreError::Failed {
        doing,
        source: format!("the server's answer is not understood: {what}").into(),
    }
}

pub(super) fn list(doing: &'static str, value: Value) -> StoreResult<Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items),
        Value::Nil => Ok(Vec::new()),
        _ => Err(odd(doing, "not a list")),
    }
}

/// The entries of the one stream of an `XREADGROUP`.
pub(super) fn raw_entries(doing: &'static str, value: Value) -> StoreResult<Vec<Raw>> {
    match list(doing, value)?.pop() {
        None => Ok(Vec::new()),
        Some(stream) => raw_list(doing, list(doing, stream)?.pop().unwrap_or(Value::Nil)),
    }
}

/// Entries, each a place and its fields. Redis 6.2 answers `XAUTOCLAIM` with nothing in the place of an entry that was
/// deleted after somebody took it; it is passed over, and removed when it is read again as one's own.
pub(super) fn raw_list(doing: &'static str, value: Value) -> StoreResult<Vec<Raw>> {
    let there = |one: &Value| *one != Value::Nil;
    let raw = list(doing, value)?.into_iter().filter(there).map(|one| {
        let mut parts = list(doing, one)?.into_iter();
        let place = parts
            .next()
            .ok_or_else(|| odd(doing, "an entry without a place"))?;
        let place = fields::text(place).map_err(|error| odd(doing, error))?;
        Ok(Raw {
            place: place.parse().map_err(|error| odd(doing, error))?,
            fields: parts.next().unwrap_or(Value::Nil),
        })
    });
    raw.collect()
}

pub(super) fn entry(stream_id: StreamId, fields: Value) -> Result<QueueEntry, String> {
    let (id, transaction) = Fields::of(fields)?.transaction()?;
    Ok(QueueEntry {
        stream_id,
        id,
        transaction,
    })
}

pub(super) fn dead_letter(raw: Raw) -> StoreResult<DeadLetter> {
    let read = || -> Result<DeadLetter, String> {
        let fields = Fields::of(raw.fields)?;
        let (id, transaction) = fields.transaction()?;
        let [stream_id, code, reason, buried_at] = fields::DEAD;
        let text = |name| fields.get(name).unwrap_or_default();
        Ok(DeadLetter {
            id,
            stream_id: text(stream_id)
                .parse()
                .map_err(|error| format!("{stream_id}: {error}"))?,
            code: serde_json::from_value(text(code).into())
                .map_err(|error| format!("{code}: {error}"))?,
            reason: text(reason).to_owned(),
            buried_at: Timestamp::from_ms(fields.number(buried_at)?),
            grave: raw.place,
            transaction,
        })
    };
    read().map_err(|detail| StoreError::Damaged {
        what: format!("dead letter ({})", raw.place),
        detail,
    })
}

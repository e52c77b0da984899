//! Sovereign keys in SQLite. A key that has ended stays, so that it never becomes one again.

use tana_protocol::{PublicKey, Timestamp};

use crate::error::StoreResult;
use crate::mesh::{Enough, KeyChange, KeyTaken, Sovereign};
use crate::sqlite::{Sqlite, failed};

use super::Change;
use super::log::{self, Draft};
use super::rows::{ms, parse, time};
use super::votes::{self, Ballot, Cast};

#[derive(sqlx::FromRow)]
struct KeyRow {
    public_key: String,
    description: Option<String>,
    added_at: i64,
    ends_at: Option<i64>,
    replaced_by: Option<String>,
}

pub(super) async fn current(database: &Sqlite, now: Timestamp) -> StoreResult<Vec<Sovereign>> {
    let found: Vec<KeyRow> = sqlx::query_as(
        "SELECT public_key, description, added_at, ends_at, replaced_by FROM sovereign_keys \
         WHERE ends_at IS NULL OR ends_at > ? ORDER BY added_at, public_key",
    )
    .bind(ms(now))
    .fetch_all(database.readers())
    .await
    .map_err(failed("reading the sovereign keys"))?;
    found
        .into_iter()
        .map(|row| {
            Ok(Sovereign {
                public_key: parse("sovereign key", &row.public_key)?,
                description: row.description,
                added_at: time(row.added_at),
                ends_at: row.ends_at.map(time),
                replaced_by: row
                    .replaced_by
                    .map(|key| parse("sovereign key", &key))
                    .transpose()?,
            })
        })
        .collect()
}

pub(super) async fn seed(
    database: &Sqlite,
    keys: &[(PublicKey, String)],
    at: Timestamp,
) -> StoreResult<usize> {
    const DOING: &str = "adding the first sovereign keys";
    let mut change = database.writer().begin().await.map_err(failed(DOING))?;
    let mut added = 0;
    for (key, description) in keys {
        let inserted = insert(&mut change, key, Some(description), at, None).await?;
        if inserted == KeyTaken::Done {
            added += 1;
            let entry = Draft {
                at,
                kind: "sovereign-seed".to_owned(),
                subject: key.to_string(),
                by: None,
                message: description.clone(),
                signature: None,
            };
            log::append(&mut change, entry).await?;
        }
    }
    change.commit().await.map_err(failed(DOING))?;
    Ok(added)
}

pub(super) async fn add(
    database: &Sqlite,
    wanted: &KeyChange,
    enough: Enough<'_>,
) -> StoreResult<KeyTaken> {
    const DOING: &str = "adding a sovereign key";
    let mut change = database.writer().begin().await.map_err(failed(DOING))?;
    let current: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM sovereign_keys WHERE public_key = ? AND ends_at IS NULL)",
    )
    .bind(wanted.by.to_string())
    .fetch_one(&mut *change)
    .await
    .map_err(failed(DOING))?;
    if !current {
        return Ok(KeyTaken::NotCurrent);
    }
    let known: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sovereign_keys WHERE public_key = ?)")
            .bind(wanted.key.to_string())
            .fetch_one(&mut *change)
            .await
            .map_err(failed(DOING))?;
    if known {
        return Ok(KeyTaken::Known);
    }
    let about = format!("key/{}", wanted.key);
    let ballot = Ballot {
        about: &about,
        kind: "sovereign-add",
        voter: wanted.by,
        signed_at: Some(wanted.signed_at),
        at: wanted.at,
    };
    match votes::cast(&mut change, &ballot).await? {
        // The same wish signed once more says nothing new.
        Cast::Same | Cast::Older => return Ok(KeyTaken::AlreadyVoted),
        Cast::Counted(voters) if !enough(&voters) => {
            log::append(&mut change, draft(wanted, "vote-sovereign-add", wanted.key)).await?;
            change.commit().await.map_err(failed(DOING))?;
            return Ok(KeyTaken::Counted(voters));
        }
        Cast::Counted(_) => votes::clear(&mut change, &about).await?,
    }
    let taken = insert(
        &mut change,
        &wanted.key,
        wanted.description.as_deref(),
        wanted.at,
        Some(&wanted.by),
    )
    .await?;
    if taken == KeyTaken::Done {
        log::append(&mut change, draft(wanted, "sovereign-add", wanted.key)).await?;
        change.commit().await.map_err(failed(DOING))?;
    }
    Ok(taken)
}

pub(super) async fn rotate(
    database: &Sqlite,
    wanted: &KeyChange,
    ends: Timestamp,
) -> StoreResult<KeyTaken> {
    const DOING: &str = "replacing a sovereign key";
    let mut change = database.writer().begin().await.map_err(failed(DOING))?;
    let ended = sqlx::query(
        "UPDATE sovereign_keys SET ends_at = ?2, replaced_by = ?3 \
         WHERE public_key = ?1 AND ends_at IS NULL",
    )
    .bind(wanted.by.to_string())
    .bind(ms(ends))
    .bind(wanted.key.to_string())
    .execute(&mut *change)
    .await
    .map_err(failed(DOING))?;
    if ended.rows_affected() == 0 {
        return Ok(KeyTaken::NotCurrent);
    }
    let taken = insert(
        &mut change,
        &wanted.key,
        wanted.description.as_deref(),
        wanted.at,
        Some(&wanted.by),
    )
    .await?;
    if taken == KeyTaken::Done {
        log::append(&mut change, draft(wanted, "sovereign-rotate", wanted.key)).await?;
        change.commit().await.map_err(failed(DOING))?;
    }
    Ok(taken)
}

fn draft(change: &KeyChange, kind: &'static str, subject: PublicKey) -> Draft {
    Draft {
        at: change.at,
        kind: kind.to_owned(),
        subject: subject.to_string(),
        by: Some(change.by),
        message: change.message.clone(),
        signature: Some(change.signature),
    }
}

async fn insert(
    change: &mut Change,
    key: &PublicKey,
    description: Option<&str>,
    at: Timestamp,
    by: Option<&PublicKey>,
) -> StoreResult<KeyTaken> {
    let inserted = sqlx::query(
        "INSERT INTO sovereign_keys (public_key, description, added_at, added_by) \
         VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(key.to_string())
    .bind(description)
    .bind(ms(at))
    .bind(by.map(ToString::to_string))
    .execute(change)
    .await
    .map_err(failed("adding a sovereign key"))?;
    Ok(if inserted.rows_affected() == 0 {
        KeyTaken::Known
    } else {
        KeyTaken::Done
    })
}

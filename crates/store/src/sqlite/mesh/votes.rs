//! Votes of sovereigns, while more of them are needed.

use tana_protocol::{PublicKey, Timestamp};

use crate::error::StoreResult;
use crate::sqlite::failed;

use super::Change;
use super::rows::{ms, parse};

const DOING: &str = "counting a sovereign's vote";

/// What one sovereign wants.
pub(super) struct Ballot<'a> {
    /// `node/<id>` or `key/<key>`.
    pub(super) about: &'a str,
    pub(super) kind: &'a str,
    pub(super) voter: PublicKey,
    /// `None` for the short form, which can be replayed.
    pub(super) signed_at: Option<Timestamp>,
    pub(super) at: Timestamp,
}

/// What became of a vote.
pub(super) enum Cast {
    /// These want it now.
    Counted(Vec<PublicKey>),
    /// This sovereign wants it already.
    Same,
    /// It was signed before, or at the time of, another vote of this sovereign's on the same.
    Older,
}

/// Takes a vote; another one of the same sovereign on the same no longer counts. A key that is being replaced and those
/// that follow it are one sovereign, and the last of them that has voted speaks for it.
pub(super) async fn cast(change: &mut Change, ballot: &Ballot<'_>) -> StoreResult<Cast> {
    let voter = ballot.voter.to_string();
    let by_successor: Option<String> = sqlx::query_scalar(
        "WITH RECURSIVE later (key) AS (SELECT replaced_by FROM sovereign_keys WHERE public_key = ?2 \
         UNION SELECT replaced_by FROM later JOIN sovereign_keys ON public_key = key) \
         SELECT kind FROM later JOIN votes ON voter = key WHERE about = ?1 LIMIT 1",
    )
    .bind(ballot.about)
    .bind(&voter)
    .fetch_optional(&mut *change)
    .await
    .map_err(failed(DOING))?;
    match by_successor {
        Some(kind) if kind == ballot.kind => return Ok(Cast::Same),
        Some(_) => return Ok(Cast::Older),
        None => {}
    }
    let before: Option<(String, Option<i64>)> =
        sqlx::query_as("SELECT kind, signed_at FROM votes WHERE about = ? AND voter = ?")
            .bind(ballot.about)
            .bind(&voter)
            .fetch_optional(&mut *change)
            .await
            .map_err(failed(DOING))?;
    let signed_at = ballot.signed_at.map(ms);
    if let Some((kind, signed_before)) = before {
        if kind == ballot.kind {
            return Ok(Cast::Same);
        }
        // `None` is the smallest: the short form never follows another vote.
        if signed_at <= signed_before {
            return Ok(Cast::Older);
        }
    }
    sqlx::query(
        "DELETE FROM votes WHERE about = ?1 AND voter IN (\
         WITH RECURSIVE earlier (key) AS (SELECT public_key FROM sovereign_keys WHERE replaced_by = ?2 \
         UNION SELECT public_key FROM earlier JOIN sovereign_keys ON replaced_by = key) SELECT key FROM earlier)",
    )
    .bind(ballot.about)
    .bind(&voter)
    .execute(&mut *change)
    .await
    .map_err(failed(DOING))?;
    sqlx::query(
        "INSERT INTO votes (about, voter, kind, signed_at, at) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT DO UPDATE SET kind = ?3, signed_at = ?4, at = ?5",
    )
    .bind(ballot.about)
    .bind(&voter)
    .bind(ballot.kind)
    .bind(signed_at)
    .bind(ms(ballot.at))
    .execute(&mut *change)
    .await
    .map_err(failed(DOING))?;
    let voters: Vec<String> =
        sqlx::query_scalar("SELECT voter FROM votes WHERE about = ? AND kind = ? ORDER BY at")
            .bind(ballot.about)
            .bind(ballot.kind)
            .fetch_all(&mut *change)
            .await
            .map_err(failed(DOING))?;
    let voters: StoreResult<_> = voters.iter().map(|key| parse("vote", key)).collect();
    Ok(Cast::Counted(voters?))
}

/// Forgets the votes on what has been decided.
pub(super) async fn clear(change: &mut Change, about: &str) -> StoreResult<()> {
    sqlx::query("DELETE FROM votes WHERE about = ?")
        .bind(about)
        .execute(change)
        .await
        .map_err(failed(DOING))?;
    Ok(())
}

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

/// Takes a vote; another one of the same sovereign on the same no longer counts.
pub(super) async fn cast(change: &mut Change, ballot: &Ballot<'_>) -> StoreResult<Cast> {
    let voter = ballot.voter.to_string();
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

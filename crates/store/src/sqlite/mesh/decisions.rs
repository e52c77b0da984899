//! What sovereigns and operators change about a node: each change and its entry in the log are one transaction.

use tana_protocol::api::mesh::{NodeService, NodeStatus};
use tana_protocol::message::Decision;
use tana_protocol::{NodeId, PublicKey, Timestamp};

use crate::error::StoreResult;
use crate::mesh::{
    DecisionTaken, Enough, Label, LabelTaken, NodeDecision, NodeRotated, NodeRotation,
};
use crate::sqlite::{Sqlite, failed};

use super::Change;
use super::log::{self, Draft};
use super::rows::{self, ms, parse};
use super::votes::{self, Ballot, Cast};

pub(super) async fn decide(
    database: &Sqlite,
    decision: &NodeDecision,
    enough: Enough<'_>,
) -> StoreResult<DecisionTaken> {
    const DOING: &str = "deciding on a node";
    let mut change = database.writer().begin().await.map_err(failed(DOING))?;
    let Some(node) = rows::find(&mut change, &decision.node_id, decision.at).await? else {
        return Ok(DecisionTaken::Unknown);
    };
    if node.public_key != decision.node_key {
        // A node does not get away from its removal by changing its key; anything else is on the key that was seen.
        let always = Timestamp::from_ms(0);
        let former = match decision.decision {
            Decision::Remove => former(&mut *change, &decision.node_id, always).await?,
            Decision::Approve | Decision::Deny => Vec::new(),
        };
        if !former.contains(&decision.node_key) {
            return Ok(DecisionTaken::Unknown);
        }
    }
    if !may(decision.decision, node.status) {
        return Ok(DecisionTaken::AlreadyDecided(node.status));
    }
    if decision.signed_at.is_none() && known_to_the_log(&mut change, decision).await? {
        return Ok(DecisionTaken::ShortForm);
    }
    let about = format!("node/{}", decision.node_id);
    let ballot = Ballot {
        about: &about,
        kind: decision.decision.verb(),
        voter: decision.by,
        signed_at: decision.signed_at,
        at: decision.at,
    };
    let verb = decision.decision.verb();
    match votes::cast(&mut change, &ballot).await? {
        Cast::Same => return Ok(DecisionTaken::AlreadyVoted),
        Cast::Older => return Ok(DecisionTaken::Replayed),
        Cast::Counted(voters) if !enough(&voters) => {
            log::append(&mut change, draft(decision, format!("vote-{verb}"))).await?;
        }
        Cast::Counted(_) => {
            votes::clear(&mut change, &about).await?;
            apply(&mut change, decision).await?;
            log::append(&mut change, draft(decision, verb.to_owned())).await?;
        }
    }
    let after = rows::find(&mut change, &decision.node_id, decision.at).await?;
    change.commit().await.map_err(failed(DOING))?;
    Ok(match after {
        Some(after) if after.status == node.status => DecisionTaken::Counted(Box::new(after)),
        Some(after) => DecisionTaken::Done(Box::new(after)),
        None => DecisionTaken::Unknown,
    })
}

pub(super) async fn former_keys(
    database: &Sqlite,
    id: &NodeId,
    since: Timestamp,
) -> StoreResult<Vec<PublicKey>> {
    former(database.readers(), id, since).await
}

/// The keys that a node has changed since then, the last one first.
async fn former<'c, E: sqlx::SqliteExecutor<'c>>(
    database: E,
    id: &NodeId,
    since: Timestamp,
) -> StoreResult<Vec<PublicKey>> {
    let found: Vec<String> = sqlx::query_scalar(
        "WITH RECURSIVE former (key, at) AS (SELECT k.public_key, k.retired_at FROM nodes \
         JOIN retired_keys AS k ON k.replaced_by = nodes.public_key WHERE nodes.id = ?1 AND k.retired_at >= ?2 \
         UNION SELECT k.public_key, k.retired_at FROM former \
         JOIN retired_keys AS k ON k.replaced_by = former.key WHERE k.retired_at >= ?2) SELECT key FROM former",
    )
    .bind(id.as_str())
    .bind(ms(since))
    .fetch_all(database)
    .await
    .map_err(failed("looking for a node's former keys"))?;
    found.iter().map(|key| parse("former key", key)).collect()
}

/// Approved and denied is who waits; put out is who was let in.
const fn may(decision: Decision, status: NodeStatus) -> bool {
    match decision {
        Decision::Approve | Decision::Deny => matches!(status, NodeStatus::Pending),
        Decision::Remove => matches!(status, NodeStatus::Active | NodeStatus::Offline),
    }
}

/// Whether this name was decided on before, or this sovereign has voted on it.
async fn known_to_the_log(change: &mut Change, decision: &NodeDecision) -> StoreResult<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM decisions WHERE subject = ?1 AND (kind IN ('approve', 'deny', 'remove') \
         OR (kind IN ('vote-approve', 'vote-deny', 'vote-remove') AND decided_by = ?2)))",
    )
    .bind(decision.node_id.as_str())
    .bind(decision.by.to_string())
    .fetch_one(change)
    .await
    .map_err(failed("looking for earlier decisions"))
}

async fn apply(change: &mut Change, decision: &NodeDecision) -> StoreResult<()> {
    let statement = match decision.decision {
        Decision::Approve => {
            "UPDATE nodes SET status = 'active', last_seen = ?2, approved_at = ?2, approved_by = ?3 WHERE id = ?1"
        }
        Decision::Deny => {
            "UPDATE nodes SET status = 'denied', last_seen = ?2, approved_at = NULL, approved_by = NULL WHERE id = ?1"
        }
        Decision::Remove => {
            "UPDATE nodes SET status = 'denied', removed_at = ?2, away_since = NULL, away_height = NULL WHERE id = ?1"
        }
    };
    sqlx::query(statement)
        .bind(decision.node_id.as_str())
        .bind(ms(decision.at))
        .bind(decision.by.to_string())
        .execute(change)
        .await
        .map_err(failed("deciding on a node"))?;
    Ok(())
}

fn draft(decision: &NodeDecision, kind: String) -> Draft {
    Draft {
        at: decision.at,
        kind,
        subject: decision.node_id.to_string(),
        by: Some(decision.by),
        message: decision.message.clone(),
        signature: Some(decision.signature),
    }
}

pub(super) async fn label(database: &Sqlite, label: &Label) -> StoreResult<LabelTaken> {
    const DOING: &str = "labelling a node";
    let mut change = database.writer().begin().await.map_err(failed(DOING))?;
    // A node's own key once it was let in, or a sovereign's: whoever registers could otherwise fill the log for ever.
    let may: Option<bool> = sqlx::query_scalar(
        "SELECT (public_key = ?2 AND status IN ('active', 'offline')) OR EXISTS (SELECT 1 FROM sovereign_keys AS s \
         WHERE s.public_key = ?2 AND (ends_at IS NULL OR ends_at > ?3)) FROM nodes WHERE id = ?1",
    )
    .bind(label.node_id.as_str())
    .bind(label.by.to_string())
    .bind(ms(label.at))
    .fetch_optional(&mut *change)
    .await
    .map_err(failed(DOING))?;
    match may {
        None => return Ok(LabelTaken::Unknown),
        Some(false) => return Ok(LabelTaken::MayNot),
        Some(true) => {}
    }
    let done = sqlx::query(
        "UPDATE nodes SET region = ?2, labelled_at = ?3 \
         WHERE id = ?1 AND (labelled_at IS NULL OR labelled_at < ?3)",
    )
    .bind(label.node_id.as_str())
    .bind(&label.region)
    .bind(ms(label.signed_at))
    .execute(&mut *change)
    .await
    .map_err(failed(DOING))?;
    if done.rows_affected() == 0 {
        return Ok(LabelTaken::Replayed);
    }
    let node = rows::find(&mut change, &label.node_id, label.at).await?;
    let entry = Draft {
        at: label.at,
        kind: "label".to_owned(),
        subject: label.node_id.to_string(),
        by: Some(label.by),
        message: label.message.clone(),
        signature: Some(label.signature),
    };
    log::append(&mut change, entry).await?;
    change.commit().await.map_err(failed(DOING))?;
    Ok(node.map_or(LabelTaken::Unknown, |node| LabelTaken::Done(Box::new(node))))
}

pub(super) async fn rotate(database: &Sqlite, rotation: &NodeRotation) -> StoreResult<NodeRotated> {
    const DOING: &str = "changing a node's key";
    let mut change = database.writer().begin().await.map_err(failed(DOING))?;
    let Some(node) = rows::find(&mut change, &rotation.node_id, rotation.at).await? else {
        return Ok(NodeRotated::Unknown);
    };
    if node.public_key != rotation.old {
        return Ok(NodeRotated::Unknown);
    }
    if !matches!(node.status, NodeStatus::Active | NodeStatus::Offline) {
        return Ok(NodeRotated::NotMember(node.status));
    }
    if was_a_nodes(&mut change, &rotation.new).await? {
        return Ok(NodeRotated::KeyTaken);
    }
    let (id, settled) = (&rotation.node_id, rotation.settled);
    if !former(&mut *change, id, settled).await?.is_empty() {
        return Ok(NodeRotated::TooSoon);
    }
    let (old, new) = (&rotation.old, Some(&rotation.new));
    retire(&mut change, old, id.as_str(), rotation.at, new).await?;
    sqlx::query(
        "UPDATE nodes SET public_key = ?2, registration_key_text = ?2, registration_signature = ?3 \
         WHERE id = ?1",
    )
    .bind(rotation.node_id.as_str())
    .bind(rotation.new.to_string())
    .bind(rotation.registration_signature.to_string())
    .execute(&mut *change)
    .await
    .map_err(failed(DOING))?;
    // Votes stay: of a member they are to put it out, whatever its key is.
    offer(&mut change, rotation.node_id.as_str(), &rotation.services).await?;
    let entry = Draft {
        at: rotation.at,
        kind: "node-rotate".to_owned(),
        subject: rotation.node_id.to_string(),
        by: Some(rotation.old),
        message: rotation.message.clone(),
        signature: Some(rotation.signature),
    };
    log::append(&mut change, entry).await?;
    let after = rows::find(&mut change, &rotation.node_id, rotation.at).await?;
    change.commit().await.map_err(failed(DOING))?;
    Ok(after.map_or(NodeRotated::Unknown, |after| {
        NodeRotated::Done(Box::new(after))
    }))
}

/// Whether a key is or was a node's.
pub(super) async fn was_a_nodes(change: &mut Change, key: &PublicKey) -> StoreResult<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM nodes WHERE public_key = ?1) \
         OR EXISTS (SELECT 1 FROM retired_keys WHERE public_key = ?1)",
    )
    .bind(key.to_string())
    .fetch_one(change)
    .await
    .map_err(failed("looking for a key"))
}

/// Notes that a key was a node's, and by which other it was replaced where the node went on being a member.
pub(super) async fn retire(
    change: &mut Change,
    key: &PublicKey,
    node: &str,
    at: Timestamp,
    by: Option<&PublicKey>,
) -> StoreResult<()> {
    sqlx::query("INSERT INTO retired_keys (public_key, node_id, retired_at, replaced_by) VALUES (?, ?, ?, ?)")
        .bind(key.to_string())
        .bind(node)
        .bind(ms(at))
        .bind(by.map(ToString::to_string))
        .execute(change)
        .await
        .map_err(failed("retiring a node's key"))?;
    Ok(())
}

/// What a node offers, in place of what it offered.
pub(super) async fn offer(
    change: &mut Change,
    node: &str,
    services: &[NodeService],
) -> StoreResult<()> {
    const DOING: &str = "writing a node's services";
    sqlx::query("DELETE FROM services WHERE node_id = ?")
        .bind(node)
        .execute(&mut *change)
        .await
        .map_err(failed(DOING))?;
    for (position, service) in (0_i64..).zip(services) {
        sqlx::query(
            "INSERT INTO services (node_id, service_type, position, port, public_key) \
             VALUES (?, ?, ?, ?, ?)",
        )
        .bind(node)
        .bind(&service.service_type)
        .bind(position)
        .bind(i64::from(service.port))
        .bind(service.public_key.to_string())
        .execute(&mut *change)
        .await
        .map_err(failed(DOING))?;
    }
    // Of how they are nothing is known yet.
    sqlx::query(
        "UPDATE nodes SET health = (SELECT json_group_object(service_type, NULL) FROM services \
         WHERE node_id = nodes.id) WHERE id = ?",
    )
    .bind(node)
    .execute(change)
    .await
    .map_err(failed(DOING))?;
    Ok(())
}

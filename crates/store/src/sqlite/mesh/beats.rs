//! Heartbeats: many in one transaction, since each transaction costs a write that reaches the disk.

use tana_protocol::api::mesh::NodeStatus;

use crate::error::StoreResult;
use crate::mesh::{Beat, BeatTaken};
use crate::sqlite::{Sqlite, failed};

use super::Change;
use super::rows::{self, ms};

const DOING: &str = "taking a heartbeat";

pub(super) async fn take(database: &Sqlite, beats: &[Beat]) -> StoreResult<Vec<BeatTaken>> {
    let mut change = database.writer().begin().await.map_err(failed(DOING))?;
    let mut taken = Vec::with_capacity(beats.len());
    for beat in beats {
        taken.push(one(&mut change, beat).await?);
    }
    change.commit().await.map_err(failed(DOING))?;
    Ok(taken)
}

async fn one(change: &mut Change, beat: &Beat) -> StoreResult<BeatTaken> {
    let status: Option<String> = sqlx::query_scalar("SELECT status FROM nodes WHERE id = ?")
        .bind(beat.node_id.as_str())
        .fetch_optional(&mut *change)
        .await
        .map_err(failed(DOING))?;
    let Some(status) = status else {
        return Ok(BeatTaken::Unknown);
    };
    let before: NodeStatus = rows::parse("node", &status)?;
    if !matches!(before, NodeStatus::Active | NodeStatus::Offline) {
        return Ok(BeatTaken::NotActive(before));
    }
    let height = beat
        .height
        .map(|height| i64::try_from(height).unwrap_or(i64::MAX));
    let inserted = sqlx::query(
        "INSERT INTO heartbeats (node_id, signed_at, received_at, height, version) \
         VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(beat.node_id.as_str())
    .bind(ms(beat.signed_at))
    .bind(ms(beat.received_at))
    .bind(height)
    .bind(&beat.version)
    .execute(&mut *change)
    .await
    .map_err(failed(DOING))?;
    if inserted.rows_affected() == 0 {
        return Ok(BeatTaken::Replayed);
    }
    update(change, beat, height).await?;
    let Some(node) = rows::find(change, &beat.node_id).await? else {
        return Ok(BeatTaken::Unknown);
    };
    Ok(if before == NodeStatus::Offline {
        BeatTaken::Returned(Box::new(node))
    } else {
        BeatTaken::Done(Box::new(node))
    })
}

async fn update(change: &mut Change, beat: &Beat, height: Option<i64>) -> StoreResult<()> {
    sqlx::query(
        "UPDATE nodes SET status = 'active', last_heartbeat = max(coalesce(last_heartbeat, 0), ?2), \
         last_seen = max(last_seen, ?2), tailscale_ip = coalesce(?3, tailscale_ip), \
         height = coalesce(?4, height), version = coalesce(?5, version) WHERE id = ?1",
    )
    .bind(beat.node_id.as_str())
    .bind(ms(beat.received_at))
    .bind(&beat.tailscale_ip)
    .bind(height)
    .bind(&beat.version)
    .execute(&mut *change)
    .await
    .map_err(failed(DOING))?;
    for service in &beat.services {
        sqlx::query(
            "UPDATE services SET healthy = ?3, last_check = ?4 WHERE node_id = ?1 AND service_type = ?2",
        )
        .bind(beat.node_id.as_str())
        .bind(&service.kind)
        .bind(service.healthy)
        .bind(ms(service.last_check))
        .execute(&mut *change)
        .await
        .map_err(failed(DOING))?;
    }
    let Some(peers) = &beat.peers else {
        return Ok(());
    };
    sqlx::query("DELETE FROM links WHERE from_node = ?")
        .bind(beat.node_id.as_str())
        .execute(&mut *change)
        .await
        .map_err(failed(DOING))?;
    for peer in peers {
        sqlx::query(
            "INSERT INTO links (from_node, to_node, latency_ms, at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT DO UPDATE SET latency_ms = ?3, at = ?4",
        )
        .bind(beat.node_id.as_str())
        .bind(peer.node_id.as_str())
        .bind(i64::from(peer.latency_ms))
        .bind(ms(beat.received_at))
        .execute(&mut *change)
        .await
        .map_err(failed(DOING))?;
    }
    Ok(())
}

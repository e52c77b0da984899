//! Heartbeats: many in one transaction, since each transaction costs a write that reaches the disk, and a few statements for
//! all of them, since each statement costs more than what it does.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use tana_protocol::Timestamp;
use tana_protocol::api::mesh::{Node, NodeStatus};
use tana_protocol::json::compact;

use crate::error::StoreResult;
use crate::mesh::{Beat, BeatTaken};
use crate::sqlite::{Sqlite, failed};

use super::Change;
use super::rows::{self, NodeRow, ms, select_nodes};

const DOING: &str = "taking heartbeats";

pub(super) async fn take(database: &Sqlite, beats: &[Beat]) -> StoreResult<Vec<BeatTaken>> {
    let mut change = database.writer().begin().await.map_err(failed(DOING))?;
    let mut taken: Vec<Option<BeatTaken>> = vec![None; beats.len()];
    let mut waiting: Vec<usize> = (0..beats.len()).collect();
    while !waiting.is_empty() {
        // Each node once in a round, so that its heartbeats follow each other.
        let mut seen = HashSet::new();
        let (round, later): (Vec<usize>, Vec<usize>) = waiting
            .into_iter()
            .partition(|index| seen.insert(&beats[*index].node_id));
        let answers = once(&mut change, round.iter().map(|index| &beats[*index])).await?;
        for (index, answer) in round.into_iter().zip(answers) {
            taken[index] = Some(answer);
        }
        waiting = later;
    }
    change.commit().await.map_err(failed(DOING))?;
    Ok(taken
        .into_iter()
        .map(|answer| answer.unwrap_or(BeatTaken::Unknown))
        .collect())
}

/// A heartbeat as the statements read it.
#[derive(Serialize)]
struct Said<'a> {
    node: &'a str,
    signed: i64,
    received: i64,
    height: Option<i64>,
    version: Option<&'a str>,
    ip: Option<&'a str>,
    services: Vec<(&'a str, bool, i64)>,
    peers: Option<Vec<(&'a str, u32)>>,
}

fn said(beat: &Beat) -> Said<'_> {
    Said {
        node: beat.node_id.as_str(),
        signed: ms(beat.signed_at),
        received: ms(beat.received_at),
        height: beat
            .height
            .map(|height| i64::try_from(height).unwrap_or(i64::MAX)),
        version: beat.version.as_deref(),
        ip: beat.tailscale_ip.as_deref(),
        services: beat
            .services
            .iter()
            .map(|service| {
                (
                    service.kind.as_str(),
                    service.healthy,
                    ms(service.last_check),
                )
            })
            .collect(),
        peers: beat.peers.as_ref().map(|peers| {
            peers
                .iter()
                .map(|peer| (peer.node_id.as_str(), peer.latency_ms))
                .collect()
        }),
    }
}

/// Heartbeats of different nodes.
async fn once<'a>(
    change: &mut Change,
    beats: impl Iterator<Item = &'a Beat> + Clone,
) -> StoreResult<Vec<BeatTaken>> {
    let before = statuses(change, beats.clone()).await?;
    let standing = |beat: &Beat| before.get(beat.node_id.as_str()).copied();
    let member = |beat: &&Beat| {
        matches!(
            standing(beat),
            Some(NodeStatus::Active | NodeStatus::Offline)
        )
    };
    let new = remember(change, &text(beats.clone().filter(member))).await?;
    let taken = |beat: &&Beat| member(beat) && new.contains(beat.node_id.as_str());
    let after = if new.is_empty() {
        HashMap::new()
    } else {
        let accepted = text(beats.clone().filter(taken));
        if beats
            .clone()
            .filter(taken)
            .any(|beat| standing(beat) == Some(NodeStatus::Offline))
        {
            returned(change, &accepted).await?;
        }
        update(change, &accepted).await?;
        let now = beats.clone().map(|beat| beat.received_at).max();
        read(change, &accepted, now.unwrap_or(Timestamp::from_ms(0))).await?
    };
    let answers = beats.map(|beat| match standing(beat) {
        None => BeatTaken::Unknown,
        Some(status) if !member(&beat) => BeatTaken::NotActive(status),
        Some(status) => match after.get(beat.node_id.as_str()) {
            None => BeatTaken::Replayed,
            Some(node) if status == NodeStatus::Offline => {
                BeatTaken::Returned(Box::new(node.clone()))
            }
            Some(node) => BeatTaken::Done(Box::new(node.clone())),
        },
    });
    Ok(answers.collect())
}

fn text<'a>(beats: impl Iterator<Item = &'a Beat>) -> String {
    compact(&beats.map(said).collect::<Vec<_>>())
}

async fn statuses<'a>(
    change: &mut Change,
    beats: impl Iterator<Item = &'a Beat>,
) -> StoreResult<HashMap<String, NodeStatus>> {
    let ids: Vec<&str> = beats.map(|beat| beat.node_id.as_str()).collect();
    let found: Vec<(String, String)> = sqlx::query_as(
        "SELECT nodes.id, status FROM json_each(?) AS wanted CROSS JOIN nodes ON nodes.id = wanted.value",
    )
    .bind(compact(&ids))
    .fetch_all(change)
    .await
    .map_err(failed(DOING))?;
    found
        .into_iter()
        .map(|(id, status)| Ok((id, rows::parse("node", &status)?)))
        .collect()
}

/// Writes the heartbeats down; answers whose were not there before.
async fn remember(change: &mut Change, said: &str) -> StoreResult<HashSet<String>> {
    let new: Vec<String> = sqlx::query_scalar(
        "INSERT INTO heartbeats (node_id, signed_at, received_at, height, version) \
         SELECT value ->> 'node', value ->> 'signed', value ->> 'received', value ->> 'height', \
         value ->> 'version' FROM json_each(?) WHERE true ON CONFLICT DO NOTHING RETURNING node_id",
    )
    .bind(said)
    .fetch_all(change)
    .await
    .map_err(failed(DOING))?;
    Ok(new.into_iter().collect())
}

/// Writes down how long those were away who were, and how many blocks the chain grew by meanwhile: one a millisecond at
/// most, so that heights that nodes make up never add up to more than a number holds.
async fn returned(change: &mut Change, said: &str) -> StoreResult<()> {
    sqlx::query(concat!(
        "INSERT INTO absences (node_id, began, ended, blocks) \
         SELECT nodes.id, away_since, max(away_since, said.value ->> 'received'), \
         min(max(0, (said.value ->> 'received') - away_since), max(0, coalesce(",
        rows::chain_height!(),
        " - away_height, 0))) FROM json_each(?) AS said CROSS JOIN nodes ON nodes.id = said.value ->> 'node' \
         WHERE away_since IS NOT NULL \
         ON CONFLICT DO UPDATE SET ended = excluded.ended, blocks = max(blocks, excluded.blocks)"
    ))
    .bind(said)
    .execute(change)
    .await
    .map_err(failed(DOING))?;
    Ok(())
}

async fn update(change: &mut Change, said: &str) -> StoreResult<()> {
    for statement in [
        "UPDATE nodes SET status = 'active', \
         last_heartbeat = max(coalesce(last_heartbeat, 0), said.value ->> 'received'), \
         last_seen = max(last_seen, said.value ->> 'received'), \
         tailscale_ip = coalesce(said.value ->> 'ip', tailscale_ip), \
         height = coalesce(said.value ->> 'height', height), \
         version = coalesce(said.value ->> 'version', version), away_since = NULL, away_height = NULL \
         FROM json_each(?) AS said WHERE nodes.id = said.value ->> 'node'",
        "UPDATE services SET healthy = one.value ->> 1, last_check = one.value ->> 2 \
         FROM json_each(?) AS said, json_each(said.value, '$.services') AS one \
         WHERE node_id = said.value ->> 'node' AND service_type = one.value ->> 0",
        "INSERT INTO links (from_node, to_node, latency_ms, at) \
         SELECT said.value ->> 'node', peer.value ->> 0, peer.value ->> 1, said.value ->> 'received' \
         FROM json_each(?) AS said, json_each(said.value, '$.peers') AS peer WHERE peer.type = 'array' \
         ON CONFLICT DO UPDATE SET latency_ms = excluded.latency_ms, at = excluded.at",
        // Whom it no longer reaches.
        "DELETE FROM links WHERE (from_node, to_node) IN (SELECT old.from_node, old.to_node \
         FROM json_each(?) AS said CROSS JOIN links AS old ON old.from_node = said.value ->> 'node' \
         WHERE said.value ->> 'peers' IS NOT NULL AND old.at <> said.value ->> 'received')",
    ] {
        sqlx::query(statement)
            .bind(said)
            .execute(&mut *change)
            .await
            .map_err(failed(DOING))?;
    }
    Ok(())
}

async fn read(
    change: &mut Change,
    said: &str,
    now: Timestamp,
) -> StoreResult<HashMap<String, Node>> {
    let (now, since) = rows::window(now);
    let found: Vec<NodeRow> = sqlx::query_as(select_nodes!(
        "WHERE id IN (SELECT value ->> 'node' FROM json_each(?3))"
    ))
    .bind(now)
    .bind(since)
    .bind(said)
    .fetch_all(change)
    .await
    .map_err(failed(DOING))?;
    found
        .into_iter()
        .map(|row| Node::try_from(row).map(|node| (node.id.to_string(), node)))
        .collect()
}

//! Heartbeats: many in one transaction, since each transaction costs a write that reaches the disk, and a few statements for
//! all of them, since each statement costs more than what it does.

use std::collections::{HashMap, HashSet};

use sqlx::QueryBuilder;
use sqlx::query_builder::Separated;
use tana_protocol::Timestamp;
use tana_protocol::api::mesh::{Node, NodeStatus};
use tana_protocol::json::compact;

use crate::error::StoreResult;
use crate::mesh::{Beat, BeatTaken};
use crate::sqlite::parts::parts;
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

/// Executes a statement for all rows, which stand between its two halves as `VALUES`.
async fn execute<T>(
    change: &mut Change,
    rows: &[T],
    (before, after): (&'static str, &'static str),
    bind: impl Fn(&mut Separated<'_, sqlx::Sqlite, &'static str>, &T),
) -> StoreResult<()> {
    for part in parts(rows) {
        let mut query = QueryBuilder::new(before);
        query.push_values(part, |mut row, one| bind(&mut row, one));
        query.push(after);
        let done = query.build().execute(&mut *change).await;
        done.map_err(failed(DOING))?;
    }
    Ok(())
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
    let members: Vec<&Beat> = beats.clone().filter(member).collect();
    let new = remember(change, &members).await?;
    let taken: Vec<&Beat> = members
        .into_iter()
        .filter(|beat| new.contains(beat.node_id.as_str()))
        .collect();
    let after = if taken.is_empty() {
        HashMap::new()
    } else {
        let were_away = |beat: &&&Beat| standing(beat) == Some(NodeStatus::Offline);
        let back: Vec<_> = taken.iter().filter(were_away).copied().collect();
        if !back.is_empty() {
            returned(change, &back).await?;
        }
        update(change, &taken).await?;
        let now = beats.clone().map(|beat| beat.received_at).max();
        read(change, &taken, now.unwrap_or(Timestamp::from_ms(0))).await?
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
async fn remember(change: &mut Change, beats: &[&Beat]) -> StoreResult<HashSet<String>> {
    let mut new = HashSet::new();
    for part in parts(beats) {
        let mut query = QueryBuilder::new(
            "INSERT INTO heartbeats (node_id, signed_at, received_at, height, version) ",
        );
        query.push_values(part, |mut row, beat| {
            row.push_bind(beat.node_id.as_str())
                .push_bind(ms(beat.signed_at))
                .push_bind(ms(beat.received_at))
                .push_bind(height(beat))
                .push_bind(beat.version.as_deref());
        });
        query.push(" ON CONFLICT DO NOTHING RETURNING node_id");
        let written = query.build_query_scalar().fetch_all(&mut *change).await;
        let written: Vec<String> = written.map_err(failed(DOING))?;
        new.extend(written);
    }
    Ok(new)
}

fn height(beat: &Beat) -> Option<i64> {
    let height = beat.height?;
    Some(i64::try_from(height).unwrap_or(i64::MAX))
}

/// Writes down how long those were away who were, and how many blocks the chain grew by meanwhile: one a millisecond at
/// most, so that heights that nodes make up never add up to more than a number holds.
async fn returned(change: &mut Change, beats: &[&Beat]) -> StoreResult<()> {
    let said: Vec<_> = beats
        .iter()
        .map(|beat| (beat.node_id.as_str(), ms(beat.received_at)))
        .collect();
    sqlx::query(concat!(
        "INSERT INTO absences (node_id, began, ended, blocks) \
         SELECT nodes.id, away_since, max(away_since, said.value ->> 1), \
         min(max(0, (said.value ->> 1) - away_since), max(0, coalesce(",
        rows::chain_height!(),
        " - away_height, 0))) FROM json_each(?) AS said CROSS JOIN nodes ON nodes.id = said.value ->> 0 \
         WHERE away_since IS NOT NULL \
         ON CONFLICT DO UPDATE SET ended = excluded.ended, blocks = max(blocks, excluded.blocks)"
    ))
    .bind(compact(&said))
    .execute(change)
    .await
    .map_err(failed(DOING))?;
    Ok(())
}

async fn update(change: &mut Change, beats: &[&Beat]) -> StoreResult<()> {
    let nodes = (
        "WITH said (node, received, ip, height, version) AS (",
        ") UPDATE nodes SET status = 'active', \
         last_heartbeat = max(coalesce(last_heartbeat, 0), said.received), \
         last_seen = max(last_seen, said.received), \
         tailscale_ip = coalesce(said.ip, tailscale_ip), height = coalesce(said.height, nodes.height), \
         version = coalesce(said.version, nodes.version), away_since = NULL, away_height = NULL \
         FROM said WHERE nodes.id = said.node",
    );
    execute(change, beats, nodes, |row, beat| {
        row.push_bind(beat.node_id.as_str())
            .push_bind(ms(beat.received_at))
            .push_bind(beat.tailscale_ip.as_deref())
            .push_bind(height(beat))
            .push_bind(beat.version.as_deref());
    })
    .await?;

    let services: Vec<_> = beats
        .iter()
        .flat_map(|beat| beat.services.iter().map(move |service| (beat, service)))
        .collect();
    let healths = (
        "WITH said (node, type, healthy, at) AS (",
        ") UPDATE services SET healthy = said.healthy, last_check = said.at \
         FROM said WHERE node_id = said.node AND service_type = said.type",
    );
    execute(change, &services, healths, |row, (beat, service)| {
        row.push_bind(beat.node_id.as_str())
            .push_bind(service.kind.as_str())
            .push_bind(service.healthy)
            .push_bind(ms(service.last_check));
    })
    .await?;

    let peers: Vec<_> = beats
        .iter()
        .flat_map(|beat| beat.peers.iter().flatten().map(move |peer| (beat, peer)))
        .collect();
    let links = (
        "INSERT INTO links (from_node, to_node, latency_ms, at) ",
        " ON CONFLICT DO UPDATE SET latency_ms = excluded.latency_ms, at = excluded.at",
    );
    execute(change, &peers, links, |row, (beat, peer)| {
        row.push_bind(beat.node_id.as_str())
            .push_bind(peer.node_id.as_str())
            .push_bind(peer.latency_ms)
            .push_bind(ms(beat.received_at));
    })
    .await?;

    let who_say: Vec<_> = beats.iter().filter(|beat| beat.peers.is_some()).collect();
    let no_longer_reached = (
        "WITH said (node, at) AS (",
        ") DELETE FROM links WHERE (from_node, to_node) IN (SELECT old.from_node, old.to_node \
         FROM said CROSS JOIN links AS old ON old.from_node = said.node WHERE old.at <> said.at)",
    );
    execute(change, &who_say, no_longer_reached, |row, beat| {
        row.push_bind(beat.node_id.as_str())
            .push_bind(ms(beat.received_at));
    })
    .await
}

async fn read(
    change: &mut Change,
    beats: &[&Beat],
    now: Timestamp,
) -> StoreResult<HashMap<String, Node>> {
    let ids: Vec<&str> = beats.iter().map(|beat| beat.node_id.as_str()).collect();
    let (now, since) = rows::window(now);
    let found: Vec<NodeRow> = sqlx::query_as(select_nodes!(
        "WHERE id IN (SELECT value FROM json_each(?3))"
    ))
    .bind(now)
    .bind(since)
    .bind(compact(&ids))
    .fetch_all(change)
    .await
    .map_err(failed(DOING))?;
    found
        .into_iter()
        .map(|row| Node::try_from(row).map(|node| (node.id.to_string(), node)))
        .collect()
}

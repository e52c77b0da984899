//! Heartbeats: many in one transaction, since each transaction costs a write that reaches the disk, and a few statements for
//! all of them, since each statement costs more than what it does.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::QueryBuilder;
use tana_protocol::Timestamp;
use tana_protocol::api::mesh::{Node, NodeStatus};
use tana_protocol::json::compact;

use crate::error::{StoreError, StoreResult};
use crate::mesh::{Absent, Beat, BeatTaken};
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

/// Heartbeats of different nodes.
async fn once<'a>(
    change: &mut Change,
    beats: impl Iterator<Item = &'a Beat> + Clone,
) -> StoreResult<Vec<BeatTaken>> {
    let now = beats.clone().map(|beat| beat.received_at).max();
    let now = now.unwrap_or(Timestamp::from_ms(0));
    let before = standings(change, beats.clone(), now).await?;
    let standing = |beat: &Beat| before.get(beat.node_id.as_str());
    let member = |status| matches!(status, NodeStatus::Active | NodeStatus::Offline);
    let members = beats.clone().filter_map(|beat| {
        let standing = standing(beat)?;
        member(standing.status).then_some((beat, standing))
    });
    let members: Vec<(&Beat, &Standing)> = members.collect();
    let new = remember(change, &members).await?;
    let taken: Vec<(&Beat, &Standing)> = members
        .into_iter()
        .filter(|(beat, _)| new.contains(beat.node_id.as_str()))
        .collect();
    let were_away = taken
        .iter()
        .filter(|(_, standing)| standing.status == NodeStatus::Offline);
    let back: Vec<&Beat> = were_away.map(|(beat, _)| *beat).collect();
    if !back.is_empty() {
        returned(change, &back).await?;
    }
    update(change, &taken).await?;
    let mut back = if back.is_empty() {
        HashMap::new()
    } else {
        read(change, &back, now).await?
    };
    let answers = beats.map(|beat| match standing(beat) {
        None => BeatTaken::Unknown,
        Some(standing) if !member(standing.status) => BeatTaken::NotActive(standing.status),
        Some(_) if !new.contains(beat.node_id.as_str()) => BeatTaken::Replayed,
        Some(standing) => match back.remove(beat.node_id.as_str()) {
            Some(node) => BeatTaken::Returned(Box::new(node)),
            None => BeatTaken::Done(standing.absent),
        },
    });
    Ok(answers.collect())
}

/// How a node stands that a heartbeat is of.
struct Standing {
    status: NodeStatus,
    /// How its services are.
    health: Option<String>,
    absent: Absent,
}

async fn standings<'a>(
    change: &mut Change,
    beats: impl Iterator<Item = &'a Beat>,
    now: Timestamp,
) -> StoreResult<HashMap<String, Standing>> {
    let ids: Vec<&str> = beats.map(|beat| beat.node_id.as_str()).collect();
    let (_, since) = rows::window(now);
    let found: Vec<(String, String, Option<String>, i64, i64)> = sqlx::query_as(
        "SELECT nodes.id, status, health, \
         (SELECT coalesce(sum(ended - max(began, ?2)), 0) FROM absences WHERE node_id = nodes.id AND ended > ?2), \
         (SELECT coalesce(sum(min(blocks, ended - began)), 0) FROM absences WHERE node_id = nodes.id AND ended > ?2) \
         FROM json_each(?1) AS wanted CROSS JOIN nodes ON nodes.id = wanted.value",
    )
    .bind(compact(&ids))
    .bind(since)
    .fetch_all(change)
    .await
    .map_err(failed(DOING))?;
    found
        .into_iter()
        .map(|(id, status, health, away, blocks)| {
            let standing = Standing {
                status: rows::parse("node", &status)?,
                health,
                absent: Absent {
                    ms: u64::try_from(away).unwrap_or_default(),
                    blocks: u64::try_from(blocks).unwrap_or_default(),
                },
            };
            Ok((id, standing))
        })
        .collect()
}

/// Writes the heartbeats down; answers whose were not there before.
async fn remember(
    change: &mut Change,
    beats: &[(&Beat, &Standing)],
) -> StoreResult<HashSet<String>> {
    let mut new = HashSet::new();
    for part in parts(beats) {
        let mut query = QueryBuilder::new(
            "INSERT INTO heartbeats (node_id, signed_at, received_at, height, version) ",
        );
        query.push_values(part, |mut row, (beat, _)| {
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

/// Takes back those who were away, and writes down how long they were, and how many blocks the chain grew by meanwhile: one a millisecond at
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
    .execute(&mut *change)
    .await
    .map_err(failed(DOING))?;
    // In a statement of its own: with each heartbeat it would write the indexes again that begin with the status.
    sqlx::query(
        "UPDATE nodes SET status = 'active', away_since = NULL, away_height = NULL \
         WHERE id IN (SELECT value ->> 0 FROM json_each(?))",
    )
    .bind(compact(&said))
    .execute(change)
    .await
    .map_err(failed(DOING))?;
    Ok(())
}

async fn update(change: &mut Change, taken: &[(&Beat, &Standing)]) -> StoreResult<()> {
    let said = taken
        .iter()
        .map(|(beat, standing)| Ok((*beat, health(beat, standing)?, peers(beat))))
        .collect::<StoreResult<Vec<_>>>()?;
    for part in parts(&said) {
        let mut query = QueryBuilder::new(
            "WITH said (node, received, ip, height, version, health, peers) AS (",
        );
        query.push_values(part, |mut row, (beat, health, peers)| {
            row.push_bind(beat.node_id.as_str())
                .push_bind(ms(beat.received_at))
                .push_bind(beat.tailscale_ip.as_deref())
                .push_bind(height(beat))
                .push_bind(beat.version.as_deref())
                .push_bind(health.as_deref())
                .push_bind(peers.as_deref());
        });
        query.push(
            ") UPDATE nodes SET last_heartbeat = max(coalesce(last_heartbeat, 0), said.received), \
             last_seen = max(last_seen, said.received), \
             tailscale_ip = coalesce(said.ip, tailscale_ip), height = coalesce(said.height, nodes.height), \
             version = coalesce(said.version, nodes.version), health = coalesce(said.health, nodes.health), \
             peers = coalesce(said.peers, nodes.peers), \
             peers_at = iif(said.peers IS NULL, nodes.peers_at, said.received) \
             FROM said WHERE nodes.id = said.node",
        );
        let done = query.build().execute(&mut *change).await;
        done.map_err(failed(DOING))?;
    }
    Ok(())
}

/// How the services are after a heartbeat that says something of them; those that the node did not register are passed over.
fn health(beat: &Beat, standing: &Standing) -> StoreResult<Option<String>> {
    let Some(health) = standing
        .health
        .as_deref()
        .filter(|_| !beat.services.is_empty())
    else {
        return Ok(None);
    };
    let mut health: rows::Health =
        serde_json::from_str(health).map_err(|error| StoreError::Damaged {
            what: format!("node {}", beat.node_id),
            detail: error.to_string(),
        })?;
    for service in &beat.services {
        if let Some(known) = health.get_mut(&service.kind) {
            *known = Some((u8::from(service.healthy), service.last_check.ms()));
        }
    }
    Ok(Some(compact(&health)))
}

/// Whom a heartbeat says that its node reaches; of a peer that it names twice the last holds.
fn peers(beat: &Beat) -> Option<String> {
    let peers = beat.peers.as_ref()?.iter();
    let peers: BTreeMap<&str, u32> = peers
        .map(|peer| (peer.node_id.as_str(), peer.latency_ms))
        .collect();
    Some(compact(&peers.into_iter().collect::<Vec<_>>()))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tana_protocol::{SecretKey, Timestamp};

    use super::super::{MIGRATIONS, SqliteMesh};
    use crate::mesh::MeshStore as _;
    use crate::sqlite::{Durability, Sqlite};

    #[tokio::test]
    async fn a_database_from_before_the_one_row_keeps_what_nodes_said() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mesh.db");
        let path = path.to_str().unwrap();
        let before = MIGRATIONS.iter().take(3).cloned().collect();
        let before = sqlx::migrate::Migrator::with_migrations(before);
        let database = Sqlite::open(path, &before, Durability::Full).await.unwrap();
        for (number, id) in [(1, "one"), (2, "two")] {
            let key = SecretKey::from_seed(&[number; 32]);
            sqlx::query(
                "INSERT INTO nodes (id, public_key, registration_key_text, tailscale_hostname, status, \
                 registered_at, last_seen, registration_signature) VALUES ($1, $2, $2, 'host', 'active', 1, 1, $3)",
            )
            .bind(id)
            .bind(key.public().to_string())
            .bind(key.sign("").to_string())
            .execute(database.writer())
            .await
            .unwrap();
        }
        let key = SecretKey::from_seed(&[3; 32]).public().to_string();
        for statement in [
            "INSERT INTO services VALUES ('one', 't4', 0, 8181, $1, 0, 7), ('one', 'ledger', 1, 8080, $1, NULL, NULL)",
            "INSERT INTO links VALUES ('one', 'two', 12, 9)",
        ] {
            let done = sqlx::query(statement).bind(&key);
            done.execute(database.writer()).await.unwrap();
        }
        database.close().await;

        let store = SqliteMesh::open(path).await.unwrap();
        let at = Timestamp::from_ms(10);
        let node = store.node(&"one".parse().unwrap(), at).await;
        let said: Vec<_> = node
            .unwrap()
            .unwrap()
            .services
            .into_iter()
            .map(|service| (service.kind, service.healthy, service.last_check))
            .collect();
        let checked = Some(Timestamp::from_ms(7));
        assert_eq!(
            said,
            [
                ("t4".to_owned(), Some(false), checked),
                ("ledger".to_owned(), None, None)
            ]
        );
        let links = store.links().await.unwrap();
        let [link] = &links[..] else {
            panic!("one link: {links:?}");
        };
        assert_eq!((link.from.as_str(), link.to.as_str()), ("one", "two"));
        assert_eq!((link.latency_ms, link.at), (12, Timestamp::from_ms(9)));
    }
}

//! Rows of the registry as the values of the protocol.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde::Deserialize;
use sqlx::SqliteConnection;
use tana_protocol::api::mesh::{Node, NodeRecord, NodeService, NodeStatus, Vote};
use tana_protocol::message::Decision;
use tana_protocol::{NodeId, PublicKey, Timestamp};

use crate::error::{StoreError, StoreResult};
use crate::mesh::{Absent, counts_blocks, record_since, set_record};
use crate::sqlite::failed;

/// A time as SQLite holds it.
pub(super) fn ms(at: Timestamp) -> i64 {
    i64::try_from(at.ms()).unwrap_or(i64::MAX)
}

/// A time from SQLite.
pub(super) fn time(ms: i64) -> Timestamp {
    Timestamp::from_ms(u64::try_from(ms).unwrap_or_default())
}

/// A text that was written from a value of this type.
pub(super) fn parse<T: FromStr<Err: std::fmt::Display>>(what: &str, text: &str) -> StoreResult<T> {
    text.parse().map_err(|error: T::Err| StoreError::Damaged {
        what: what.to_owned(),
        detail: format!("{text:?}: {error}"),
    })
}

/// The most keys that are remembered; each takes some 230 bytes.
const REMEMBERED: usize = 1 << 17;

/// A public key from SQLite. Telling a point of the curve from other bytes takes longer than all else of a node's row, and a
/// node is read with each of its heartbeats: what was a key once is remembered.
fn key(what: &str, text: &str) -> StoreResult<PublicKey> {
    static KNOWN: LazyLock<Mutex<HashMap<String, PublicKey>>> = LazyLock::new(Mutex::default);
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(key) = known().get(text) {
        return Ok(*key);
    }
    let key = parse(what, text)?;
    let mut known = known();
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(text.to_owned(), key);
    Ok(key)
}

/// The chain's height: the median of what active nodes say, so that no single one can make it up.
macro_rules! chain_height {
    () => {
        "(SELECT height FROM nodes AS n WHERE n.status = 'active' AND n.height IS NOT NULL ORDER BY n.height \
         LIMIT 1 OFFSET max(0, (SELECT count(*) - 1 FROM nodes AS m WHERE m.status = 'active' \
         AND m.height IS NOT NULL) / 2))"
    };
}
pub(super) use chain_height;

/// A whole node in one row, what belongs to it as JSON, so that one statement reads a consistent node. `?1` is the
/// present time, `?2` the beginning of what its record is about.
macro_rules! select_nodes {
    ($rest:literal) => {
        concat!(
            "SELECT ?1 AS now, ?2 AS since, id, public_key, registration_key_text, tailscale_hostname, \
             tailscale_ip, status, registered_at, approved_at, approved_by, last_heartbeat, \
             registration_signature, region, version, height, removed_at, away_since, away_height, \
             health, (SELECT json_group_array(json_array(service_type, port, public_key)) \
             FROM (SELECT * FROM services WHERE node_id = nodes.id ORDER BY position)) AS services, \
             (SELECT json_group_array(json_array(kind, voter, at)) FROM votes \
             WHERE about = 'node/' || nodes.id) AS votes, \
             (SELECT json_array(coalesce(sum(ended - max(began, ?2)), 0), coalesce(sum(min(blocks, ended - began)), 0)) \
             FROM absences WHERE node_id = nodes.id AND ended > ?2) AS absent, \
             CASE status WHEN 'offline' THEN ",
            $crate::sqlite::mesh::rows::chain_height!(),
            " END AS chain_height FROM nodes ",
            $rest
        )
    };
}
pub(super) use select_nodes;

/// `?1` and `?2` of [`select_nodes`].
pub(super) fn window(now: Timestamp) -> (i64, i64) {
    (ms(now), ms(record_since(now)))
}

#[derive(sqlx::FromRow)]
pub(super) struct NodeRow {
    now: i64,
    since: i64,
    id: String,
    public_key: String,
    registration_key_text: String,
    tailscale_hostname: String,
    tailscale_ip: Option<String>,
    status: String,
    registered_at: i64,
    approved_at: Option<i64>,
    approved_by: Option<String>,
    last_heartbeat: Option<i64>,
    registration_signature: String,
    region: Option<String>,
    version: Option<String>,
    height: Option<i64>,
    removed_at: Option<i64>,
    away_since: Option<i64>,
    away_height: Option<i64>,
    health: Option<String>,
    services: String,
    votes: String,
    absent: String,
    chain_height: Option<i64>,
}

/// `[type, port, key]`.
#[derive(Deserialize)]
struct ServiceRow(String, u16, String);

/// How the services of a node are, by their type: `[healthy, last check]`, nothing where it has not said so yet.
pub(super) type Health = BTreeMap<String, Option<(u8, u64)>>;

/// `[kind, voter, at]`.
#[derive(Deserialize)]
struct VoteRow(String, String, u64);

/// `[milliseconds, blocks]` of the absences that have ended.
#[derive(Deserialize)]
struct AbsentRow(u64, u64);

impl NodeRow {
    fn json<'a, T: Deserialize<'a>>(&self, text: &'a str) -> StoreResult<T> {
        serde_json::from_str(text).map_err(|error| StoreError::Damaged {
            what: format!("node {}", self.id),
            detail: error.to_string(),
        })
    }

    fn record(&self, status: NodeStatus, services: &[ServiceRow]) -> StoreResult<NodeRecord> {
        let votes: Vec<VoteRow> = self.json(&self.votes)?;
        let votes = votes
            .into_iter()
            .map(|VoteRow(kind, by, at)| {
                Ok(Vote {
                    decision: parse::<Decision>("vote", &kind)?,
                    by: key("vote", &by)?,
                    at: Timestamp::from_ms(at),
                })
            })
            .collect::<StoreResult<_>>()?;
        let mut record = NodeRecord {
            removed_at: self.removed_at.map(time),
            votes,
            ..NodeRecord::default()
        };
        let Some(approved) = self.approved_at else {
            return Ok(record);
        };
        if !matches!(status, NodeStatus::Active | NodeStatus::Offline) {
            return Ok(record);
        }
        let AbsentRow(ms, blocks) = self.json(&self.absent)?;
        let mut absent = Absent { ms, blocks };
        if status == NodeStatus::Offline {
            let begin = approved.max(self.since);
            let since = self.away_since.unwrap_or(self.now).max(begin);
            let away = positive(self.now - since);
            absent.ms += away;
            absent.blocks += match (self.chain_height, self.away_height) {
                (Some(now), Some(then)) => positive(now - then).min(away),
                _ => 0,
            };
        }
        let counts = services.iter().any(|service| counts_blocks(&service.0));
        set_record(&mut record, time(approved), time(self.now), absent, counts);
        Ok(record)
    }
}

fn positive(difference: i64) -> u64 {
    u64::try_from(difference).unwrap_or_default()
}

impl TryFrom<NodeRow> for Node {
    type Error = StoreError;

    fn try_from(row: NodeRow) -> StoreResult<Self> {
        let what = "node";
        let services: Vec<ServiceRow> = row.json(&row.services)?;
        let status = parse(what, &row.status)?;
        let record = row.record(status, &services)?;
        let health: Health = match &row.health {
            Some(health) => row.json(health)?,
            None => Health::new(),
        };
        Ok(Self {
            record,
            id: parse(what, &row.id)?,
            public_key: key(what, &row.public_key)?,
            tailscale_hostname: row.tailscale_hostname,
            tailscale_ip: row.tailscale_ip,
            status,
            registered_at: time(row.registered_at),
            approved_at: row.approved_at.map(time),
            approved_by: row.approved_by.map(|by| key(what, &by)).transpose()?,
            last_heartbeat: row.last_heartbeat.map(time),
            services: services
                .into_iter()
                .map(|row| service(row, &health))
                .collect::<StoreResult<_>>()?,
            registration_signature: parse(what, &row.registration_signature)?,
            registration_key_text: Some(row.registration_key_text),
            region: row.region,
            version: row.version,
            height: row
                .height
                .map(|height| u64::try_from(height).unwrap_or_default()),
        })
    }
}

fn service(
    ServiceRow(kind, port, public_key): ServiceRow,
    health: &Health,
) -> StoreResult<NodeService> {
    let said = health.get(&kind).copied().flatten();
    Ok(NodeService {
        service_type: kind.clone(),
        kind,
        port,
        public_key: key("service", &public_key)?,
        topology_key: None,
        healthy: said.map(|(healthy, _)| healthy != 0),
        last_check: said.map(|(_, last_check)| Timestamp::from_ms(last_check)),
    })
}

/// One node, as it is at `now`.
pub(super) async fn find(
    connection: &mut SqliteConnection,
    id: &NodeId,
    now: Timestamp,
) -> StoreResult<Option<Node>> {
    find_text(connection, id.as_str(), now).await
}

/// The same by an id that the database itself gave.
pub(super) async fn find_text(
    connection: &mut SqliteConnection,
    id: &str,
    now: Timestamp,
) -> StoreResult<Option<Node>> {
    let (now, since) = window(now);
    let found: Option<NodeRow> = sqlx::query_as(select_nodes!("WHERE id = ?3"))
        .bind(now)
        .bind(since)
        .bind(id)
        .fetch_optional(connection)
        .await
        .map_err(failed("reading a node"))?;
    found.map(Node::try_from).transpose()
}

//! Rows of the registry as the values of the protocol.

use std::str::FromStr;

use serde::Deserialize;
use sqlx::SqliteConnection;
use tana_protocol::api::mesh::{Node, NodeService};
use tana_protocol::{NodeId, PublicKey, Timestamp};

use crate::error::{StoreError, StoreResult};
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

/// A whole node in one row, its services as JSON, so that one statement reads a consistent node.
macro_rules! select_nodes {
    ($rest:literal) => {
        concat!(
            "SELECT id, public_key, registration_key_text, tailscale_hostname, tailscale_ip, status, \
             registered_at, approved_at, approved_by, last_heartbeat, registration_signature, region, \
             version, height, (SELECT json_group_array(json_array(service_type, port, public_key, \
             healthy, last_check)) FROM (SELECT * FROM services WHERE node_id = nodes.id \
             ORDER BY position)) AS services FROM nodes ",
            $rest
        )
    };
}
pub(super) use select_nodes;

#[derive(sqlx::FromRow)]
pub(super) struct NodeRow {
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
    services: String,
}

/// `[type, port, key, healthy, last_check]`.
#[derive(Deserialize)]
struct ServiceRow(String, u16, PublicKey, Option<u8>, Option<u64>);

impl TryFrom<NodeRow> for Node {
    type Error = StoreError;

    fn try_from(row: NodeRow) -> StoreResult<Self> {
        let what = "node";
        let services: Vec<ServiceRow> =
            serde_json::from_str(&row.services).map_err(|error| StoreError::Damaged {
                what: format!("node {}", row.id),
                detail: error.to_string(),
            })?;
        Ok(Self {
            id: parse(what, &row.id)?,
            public_key: parse(what, &row.public_key)?,
            tailscale_hostname: row.tailscale_hostname,
            tailscale_ip: row.tailscale_ip,
            status: parse(what, &row.status)?,
            registered_at: time(row.registered_at),
            approved_at: row.approved_at.map(time),
            approved_by: row.approved_by.map(|key| parse(what, &key)).transpose()?,
            last_heartbeat: row.last_heartbeat.map(time),
            services: services.into_iter().map(service).collect(),
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

fn service(ServiceRow(kind, port, public_key, healthy, last_check): ServiceRow) -> NodeService {
    NodeService {
        service_type: kind.clone(),
        kind,
        port,
        public_key,
        topology_key: None,
        healthy: healthy.map(|healthy| healthy != 0),
        last_check: last_check.map(Timestamp::from_ms),
    }
}

/// One node.
pub(super) async fn find(
    connection: &mut SqliteConnection,
    id: &NodeId,
) -> StoreResult<Option<Node>> {
    find_text(connection, id.as_str()).await
}

/// The same by an id that the database itself gave.
pub(super) async fn find_text(
    connection: &mut SqliteConnection,
    id: &str,
) -> StoreResult<Option<Node>> {
    let found: Option<NodeRow> = sqlx::query_as(select_nodes!("WHERE id = ?"))
        .bind(id)
        .fetch_optional(connection)
        .await
        .map_err(failed("reading a node"))?;
    found.map(Node::try_from).transpose()
}

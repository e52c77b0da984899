//! The mesh registry in SQLite. Statements on sovereign keys and the log of decisions are in the modules below.

mod beats;
mod log;
mod rows;
mod sovereigns;

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::SqliteConnection;
use tana_protocol::api::mesh::{Link, Node, NodeCounts, NodeStatus};
use tana_protocol::message::Decision;
use tana_protocol::{NodeId, PublicKey, Timestamp};

use crate::error::StoreResult;
use crate::mesh::{
    Beat, BeatTaken, DecisionTaken, Entry, Inserted, KeyChange, KeyTaken, MeshStore, NodeDecision,
    Sovereign,
};
use crate::sqlite::{Durability, Sqlite, failed};
use rows::{NodeRow, ms, select_nodes, time};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/mesh");

/// The registry in one SQLite file. Clones share its connections.
#[derive(Clone, Debug)]
pub struct SqliteMesh(Sqlite);

impl SqliteMesh {
    /// Opens the file, and makes it where there is none.
    ///
    /// # Errors
    /// One sentence for each: no database, a newer version's, no room, no permission.
    pub async fn open(path: &str) -> StoreResult<Self> {
        Sqlite::open(path, &MIGRATIONS, Durability::Full)
            .await
            .map(Self)
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.0.close().await;
    }

    async fn insert_node(&self, node: &Node) -> StoreResult<Inserted> {
        const DOING: &str = "registering a node";
        let mut change = self.0.writer().begin().await.map_err(failed(DOING))?;
        let done = sqlx::query(
            "INSERT INTO nodes (id, public_key, registration_key_text, tailscale_hostname, \
             tailscale_ip, status, registered_at, last_seen, registration_signature, region, version) \
             VALUES (?1, ?2, ?3, ?4, ?5, 'pending', ?6, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        )
        .bind(node.id.as_str())
        .bind(node.public_key.to_string())
        .bind(&node.registration_key_text)
        .bind(&node.tailscale_hostname)
        .bind(&node.tailscale_ip)
        .bind(ms(node.registered_at))
        .bind(node.registration_signature.to_string())
        .bind(&node.region)
        .bind(&node.version)
        .execute(&mut *change)
        .await
        .map_err(failed(DOING))?;
        if done.rows_affected() == 0 {
            let id_taken = rows::find(&mut change, &node.id).await?.is_some();
            return Ok(if id_taken {
                Inserted::IdTaken
            } else {
                Inserted::KeyTaken
            });
        }
        for (position, service) in (0_i64..).zip(&node.services) {
            sqlx::query(
                "INSERT INTO services (node_id, service_type, position, port, public_key) \
                 VALUES (?, ?, ?, ?, ?)",
            )
            .bind(node.id.as_str())
            .bind(&service.service_type)
            .bind(position)
            .bind(i64::from(service.port))
            .bind(service.public_key.to_string())
            .execute(&mut *change)
            .await
            .map_err(failed(DOING))?;
        }
        change.commit().await.map_err(failed(DOING))?;
        Ok(Inserted::Done)
    }

    async fn read_node(&self, id: &NodeId) -> StoreResult<Option<Node>> {
        let mut reader = self
            .0
            .readers()
            .acquire()
            .await
            .map_err(failed("reading a node"))?;
        rows::find(&mut reader, id).await
    }

    async fn read_nodes(&self, statuses: &[NodeStatus]) -> StoreResult<Vec<Node>> {
        const DOING: &str = "reading the nodes";
        let wanted = |status| statuses.contains(&status);
        let found: Vec<NodeRow> = sqlx::query_as(select_nodes!(
            "WHERE (status = 'pending' AND ?1) OR (status = 'active' AND ?2) \
             OR (status = 'denied' AND ?3) OR (status = 'offline' AND ?4) \
             ORDER BY registered_at, id"
        ))
        .bind(wanted(NodeStatus::Pending))
        .bind(wanted(NodeStatus::Active))
        .bind(wanted(NodeStatus::Denied))
        .bind(wanted(NodeStatus::Offline))
        .fetch_all(self.0.readers())
        .await
        .map_err(failed(DOING))?;
        found.into_iter().map(Node::try_from).collect()
    }

    async fn count(&self) -> StoreResult<NodeCounts> {
        const DOING: &str = "counting the nodes";
        let found: Vec<(String, i64)> =
            sqlx::query_as("SELECT status, count(*) FROM nodes GROUP BY status")
                .fetch_all(self.0.readers())
                .await
                .map_err(failed(DOING))?;
        let mut counts = NodeCounts::default();
        for (status, count) in found {
            let count = u64::try_from(count).unwrap_or_default();
            counts.total += count;
            match status.as_str() {
                "pending" => counts.pending = count,
                "active" => counts.active = count,
                "offline" => counts.offline = count,
                _ => {}
            }
        }
        Ok(counts)
    }

    async fn take_decision(&self, decision: &NodeDecision) -> StoreResult<DecisionTaken> {
        const DOING: &str = "deciding on a node";
        let mut change = self.0.writer().begin().await.map_err(failed(DOING))?;
        let (status, approved) = match decision.decision {
            Decision::Approve => ("active", true),
            Decision::Deny => ("denied", false),
        };
        let done = sqlx::query(
            "UPDATE nodes SET status = ?2, last_seen = ?3, \
             approved_at = iif(?4, ?3, NULL), approved_by = iif(?4, ?5, NULL) \
             WHERE id = ?1 AND status = 'pending'",
        )
        .bind(decision.node_id.as_str())
        .bind(status)
        .bind(ms(decision.at))
        .bind(approved)
        .bind(decision.by.to_string())
        .execute(&mut *change)
        .await
        .map_err(failed(DOING))?;
        let Some(node) = rows::find(&mut change, &decision.node_id).await? else {
            return Ok(DecisionTaken::Unknown);
        };
        if done.rows_affected() == 0 {
            return Ok(DecisionTaken::AlreadyDecided(node.status));
        }
        let entry = log::Draft {
            at: decision.at,
            kind: decision.decision.verb(),
            subject: decision.node_id.to_string(),
            by: Some(decision.by),
            message: decision.message.clone(),
            signature: Some(decision.signature),
        };
        log::append(&mut change, entry).await?;
        change.commit().await.map_err(failed(DOING))?;
        Ok(DecisionTaken::Done(Box::new(node)))
    }

    async fn mark(&self, last: Timestamp) -> StoreResult<Vec<Node>> {
        const DOING: &str = "marking silent nodes offline";
        let mut change = self.0.writer().begin().await.map_err(failed(DOING))?;
        let ids: Vec<String> = sqlx::query_scalar(
            "UPDATE nodes SET status = 'offline' WHERE status = 'active' AND last_seen <= ? \
             RETURNING id",
        )
        .bind(ms(last))
        .fetch_all(&mut *change)
        .await
        .map_err(failed(DOING))?;
        let mut nodes = Vec::with_capacity(ids.len());
        for id in ids {
            nodes.extend(rows::find_text(&mut change, &id).await?);
        }
        change.commit().await.map_err(failed(DOING))?;
        Ok(nodes)
    }

    async fn read_links(&self) -> StoreResult<Vec<Link>> {
        const DOING: &str = "reading the links";
        let found: Vec<(String, String, i64, i64)> = sqlx::query_as(
            "SELECT from_node, to_node, latency_ms, at FROM links \
             JOIN nodes f ON f.id = from_node AND f.status IN ('active', 'offline') \
             JOIN nodes t ON t.id = to_node AND t.status IN ('active', 'offline') \
             ORDER BY from_node, to_node",
        )
        .fetch_all(self.0.readers())
        .await
        .map_err(failed(DOING))?;
        found
            .into_iter()
            .map(|(from, to, latency, at)| {
                Ok(Link {
                    from: rows::parse("link", &from)?,
                    to: rows::parse("link", &to)?,
                    latency_ms: u32::try_from(latency).unwrap_or(u32::MAX),
                    at: time(at),
                })
            })
            .collect()
    }

    async fn oldest(&self) -> StoreResult<Option<Timestamp>> {
        let found: Option<i64> =
            sqlx::query_scalar("SELECT min(last_seen) FROM nodes WHERE status = 'active'")
                .fetch_one(self.0.readers())
                .await
                .map_err(failed("looking for silent nodes"))?;
        Ok(found.map(time))
    }

    async fn forget(&self, before: Timestamp) -> StoreResult<u64> {
        let done = sqlx::query("DELETE FROM heartbeats WHERE received_at < ?")
            .bind(ms(before))
            .execute(self.0.writer())
            .await
            .map_err(failed("forgetting old heartbeats"))?;
        Ok(done.rows_affected())
    }

    async fn answers(&self) -> StoreResult<()> {
        sqlx::query("SELECT 1")
            .execute(self.0.readers())
            .await
            .map_err(failed("asking the database"))?;
        Ok(())
    }
}

/// A connection within a transaction.
type Change = SqliteConnection;

impl MeshStore for SqliteMesh {
    fn insert<'a>(&'a self, node: &'a Node) -> BoxFuture<'a, StoreResult<Inserted>> {
        self.insert_node(node).boxed()
    }

    fn node<'a>(&'a self, id: &'a NodeId) -> BoxFuture<'a, StoreResult<Option<Node>>> {
        self.read_node(id).boxed()
    }

    fn nodes<'a>(&'a self, statuses: &'a [NodeStatus]) -> BoxFuture<'a, StoreResult<Vec<Node>>> {
        self.read_nodes(statuses).boxed()
    }

    fn counts(&self) -> BoxFuture<'_, StoreResult<NodeCounts>> {
        self.count().boxed()
    }

    fn decide<'a>(
        &'a self,
        decision: &'a NodeDecision,
    ) -> BoxFuture<'a, StoreResult<DecisionTaken>> {
        self.take_decision(decision).boxed()
    }

    fn beats<'a>(&'a self, beats: &'a [Beat]) -> BoxFuture<'a, StoreResult<Vec<BeatTaken>>> {
        beats::take(&self.0, beats).boxed()
    }

    fn longest_silent(&self) -> BoxFuture<'_, StoreResult<Option<Timestamp>>> {
        self.oldest().boxed()
    }

    fn mark_offline(&self, last: Timestamp) -> BoxFuture<'_, StoreResult<Vec<Node>>> {
        self.mark(last).boxed()
    }

    fn links(&self) -> BoxFuture<'_, StoreResult<Vec<Link>>> {
        self.read_links().boxed()
    }

    fn sovereigns(&self, now: Timestamp) -> BoxFuture<'_, StoreResult<Vec<Sovereign>>> {
        sovereigns::current(&self.0, now).boxed()
    }

    fn seed<'a>(
        &'a self,
        keys: &'a [(PublicKey, String)],
        at: Timestamp,
    ) -> BoxFuture<'a, StoreResult<usize>> {
        sovereigns::seed(&self.0, keys, at).boxed()
    }

    fn add_sovereign<'a>(&'a self, change: &'a KeyChange) -> BoxFuture<'a, StoreResult<KeyTaken>> {
        sovereigns::add(&self.0, change).boxed()
    }

    fn rotate_sovereign<'a>(
        &'a self,
        change: &'a KeyChange,
        ends: Timestamp,
    ) -> BoxFuture<'a, StoreResult<KeyTaken>> {
        sovereigns::rotate(&self.0, change, ends).boxed()
    }

    fn log(&self, from: u64, limit: u32) -> BoxFuture<'_, StoreResult<Vec<Entry>>> {
        log::read(&self.0, from, limit).boxed()
    }

    fn forget_beats(&self, before: Timestamp) -> BoxFuture<'_, StoreResult<u64>> {
        self.forget(before).boxed()
    }

    fn ping(&self) -> BoxFuture<'_, StoreResult<()>> {
        self.answers().boxed()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tana_protocol::Hash32;

    use super::SqliteMesh;
    use crate::mesh::{LogError, MeshStore, check_log, conformance};

    #[tokio::test]
    async fn the_registry_conforms_and_its_log_is_not_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mesh.db");
        let store = SqliteMesh::open(path.to_str().unwrap()).await.unwrap();
        conformance::check(&store).await.unwrap();
        for attempt in [
            "DELETE FROM decisions",
            "UPDATE decisions SET subject = 'x'",
        ] {
            let refused = sqlx::query(attempt).execute(store.0.writer()).await;
            assert!(refused.is_err(), "{attempt} went through");
        }
        // Who takes the guards away still leaves a gap.
        for step in [
            "DROP TRIGGER decisions_are_not_deleted",
            "DELETE FROM decisions WHERE number = 2",
        ] {
            sqlx::query(step).execute(store.0.writer()).await.unwrap();
        }
        let log = store.log(1, 100).await.unwrap();
        assert_eq!(check_log(0, Hash32::ZERO, &log), Err(LogError::Missing(2)));
    }
}

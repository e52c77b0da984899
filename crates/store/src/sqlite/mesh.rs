//! The mesh registry in SQLite. Statements on sovereign keys and the log of decisions are in the modules below.

mod beats;
mod decisions;
mod log;
mod rows;
mod sovereigns;
mod votes;

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::SqliteConnection;
use tana_protocol::api::mesh::{Link, LogEnd, Node, NodeCounts, NodeStatus};
use tana_protocol::{NodeId, PublicKey, Timestamp};

use crate::error::StoreResult;
use crate::mesh::{
    Beat, BeatTaken, DecisionTaken, Enough, Entry, Inserted, KeyChange, KeyTaken, Label,
    LabelTaken, MeshStore, NodeDecision, NodeRotated, NodeRotation, Sovereign,
};
use crate::sqlite::{Durability, Sqlite, failed};
use rows::{NodeRow, ms, select_nodes, time};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/mesh");

/// Pages of the write-ahead log (64 MiB). Heartbeats come from all nodes alike, so that each goes to pages of its own: where the
/// log is copied into the file more seldom, those are copied once for several, and fewer heartbeats wait for the copying.
const LOG_PAGES: u32 = 16_000;

/// The registry in one SQLite file. Clones share its connections.
#[derive(Clone, Debug)]
pub struct SqliteMesh(Sqlite);

impl SqliteMesh {
    /// Opens the file, and makes it where there is none.
    ///
    /// # Errors
    /// One sentence for each: no database, a newer version's, no room, no permission.
    pub async fn open(path: &str) -> StoreResult<Self> {
        Sqlite::open_with_log(path, &MIGRATIONS, Durability::Full, LOG_PAGES)
            .await
            .map(Self)
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.0.close().await;
    }

    async fn insert_node(&self, node: &Node, places: u64) -> StoreResult<Inserted> {
        const DOING: &str = "registering a node";
        let mut change = self.0.writer().begin().await.map_err(failed(DOING))?;
        let before = rows::find(&mut change, &node.id, node.registered_at).await?;
        match before {
            Some(before) if before.status != NodeStatus::Denied => return Ok(Inserted::IdTaken),
            Some(before) if before.public_key == node.public_key => {
                return Ok(Inserted::KeyRefused);
            }
            _ if decisions::was_a_nodes(&mut change, &node.public_key).await? => {
                return Ok(Inserted::KeyTaken);
            }
            _ if waiting(&mut change).await? >= places => return Ok(Inserted::Crowded),
            Some(before) => {
                let at = node.registered_at;
                let key = &before.public_key;
                decisions::retire(&mut change, key, node.id.as_str(), at, None).await?;
            }
            None => {}
        }
        // What is known of a node that is out belongs to its old key; the log of decisions keeps what was decided.
        sqlx::query(
            "INSERT INTO nodes (id, public_key, registration_key_text, tailscale_hostname, \
             tailscale_ip, status, registered_at, last_seen, registration_signature, region, version) \
             VALUES (?1, ?2, ?3, ?4, ?5, 'pending', ?6, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO UPDATE SET \
             public_key = ?2, registration_key_text = ?3, tailscale_hostname = ?4, tailscale_ip = ?5, \
             status = 'pending', registered_at = ?6, last_seen = ?6, registration_signature = ?7, \
             region = ?8, version = ?9, approved_at = NULL, approved_by = NULL, removed_at = NULL, \
             last_heartbeat = NULL, height = NULL, away_since = NULL, away_height = NULL, \
             peers = NULL, peers_at = NULL",
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
        sqlx::query("DELETE FROM absences WHERE node_id = ?")
            .bind(node.id.as_str())
            .execute(&mut *change)
            .await
            .map_err(failed(DOING))?;
        votes::clear(&mut change, &format!("node/{}", node.id)).await?;
        decisions::offer(&mut change, node.id.as_str(), &node.services).await?;
        change.commit().await.map_err(failed(DOING))?;
        Ok(Inserted::Done)
    }

    async fn read_node(&self, id: &NodeId, now: Timestamp) -> StoreResult<Option<Node>> {
        let mut reader = self
            .0
            .readers()
            .acquire()
            .await
            .map_err(failed("reading a node"))?;
        rows::find(&mut reader, id, now).await
    }

    async fn read_nodes(&self, statuses: &[NodeStatus], now: Timestamp) -> StoreResult<Vec<Node>> {
        const DOING: &str = "reading the nodes";
        let wanted = |status| statuses.contains(&status);
        let (now, since) = rows::window(now);
        let found: Vec<NodeRow> = sqlx::query_as(select_nodes!(
            "WHERE (status = 'pending' AND ?3) OR (status = 'active' AND ?4) \
             OR (status = 'denied' AND ?5) OR (status = 'offline' AND ?6) \
             ORDER BY registered_at, id"
        ))
        .bind(now)
        .bind(since)
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

    async fn mark(&self, last: Timestamp, now: Timestamp) -> StoreResult<Vec<Node>> {
        const DOING: &str = "marking silent nodes offline";
        let mut change = self.0.writer().begin().await.map_err(failed(DOING))?;
        // Away since `last`, not since it was heard: whoever watches may have been away itself.
        let ids: Vec<String> = sqlx::query_scalar(concat!(
            "UPDATE nodes SET status = 'offline', away_since = max(last_seen, ?1), away_height = coalesce(height, ",
            rows::chain_height!(),
            ") WHERE status = 'active' AND last_seen <= ?1 RETURNING id",
        ))
        .bind(ms(last))
        .fetch_all(&mut *change)
        .await
        .map_err(failed(DOING))?;
        let mut nodes = Vec::with_capacity(ids.len());
        for id in ids {
            nodes.extend(rows::find_text(&mut change, &id, now).await?);
        }
        change.commit().await.map_err(failed(DOING))?;
        Ok(nodes)
    }

    async fn read_links(&self) -> StoreResult<Vec<Link>> {
        const DOING: &str = "reading the links";
        let found: Vec<(String, String, i64, i64)> = sqlx::query_as(
            "SELECT f.id, t.id, peer.value ->> 1, f.peers_at FROM nodes AS f \
             CROSS JOIN json_each(f.peers) AS peer \
             CROSS JOIN nodes AS t ON t.id = peer.value ->> 0 \
             WHERE f.status IN ('active', 'offline') AND t.status IN ('active', 'offline') \
             ORDER BY f.id, t.id",
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
        let mut forgotten = 0;
        for statement in [
            "DELETE FROM heartbeats WHERE received_at < ?",
            "DELETE FROM absences WHERE ended < ?",
        ] {
            let done = sqlx::query(statement)
                .bind(ms(before))
                .execute(self.0.writer())
                .await
                .map_err(failed("forgetting old heartbeats"))?;
            forgotten += done.rows_affected();
        }
        Ok(forgotten)
    }

    async fn answers(&self) -> StoreResult<()> {
        sqlx::query("SELECT 1")
            .execute(self.0.readers())
            .await
            .map_err(failed("asking the database"))?;
        Ok(())
    }
}

/// How many nodes wait for a sovereign.
async fn waiting(change: &mut Change) -> StoreResult<u64> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM nodes WHERE status = 'pending'")
        .fetch_one(change)
        .await
        .map_err(failed("counting the nodes that wait"))?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// A connection within a transaction.
type Change = SqliteConnection;

impl MeshStore for SqliteMesh {
    fn insert<'a>(&'a self, node: &'a Node, places: u64) -> BoxFuture<'a, StoreResult<Inserted>> {
        self.insert_node(node, places).boxed()
    }

    fn node<'a>(
        &'a self,
        id: &'a NodeId,
        now: Timestamp,
    ) -> BoxFuture<'a, StoreResult<Option<Node>>> {
        self.read_node(id, now).boxed()
    }

    fn nodes<'a>(
        &'a self,
        statuses: &'a [NodeStatus],
        now: Timestamp,
    ) -> BoxFuture<'a, StoreResult<Vec<Node>>> {
        self.read_nodes(statuses, now).boxed()
    }

    fn counts(&self) -> BoxFuture<'_, StoreResult<NodeCounts>> {
        self.count().boxed()
    }

    fn former_keys<'a>(
        &'a self,
        id: &'a NodeId,
        since: Timestamp,
    ) -> BoxFuture<'a, StoreResult<Vec<PublicKey>>> {
        decisions::former_keys(&self.0, id, since).boxed()
    }

    fn decide<'a>(
        &'a self,
        decision: &'a NodeDecision,
        enough: Enough<'a>,
    ) -> BoxFuture<'a, StoreResult<DecisionTaken>> {
        decisions::decide(&self.0, decision, enough).boxed()
    }

    fn label<'a>(&'a self, label: &'a Label) -> BoxFuture<'a, StoreResult<LabelTaken>> {
        decisions::label(&self.0, label).boxed()
    }

    fn rotate_node<'a>(
        &'a self,
        rotation: &'a NodeRotation,
    ) -> BoxFuture<'a, StoreResult<NodeRotated>> {
        decisions::rotate(&self.0, rotation).boxed()
    }

    fn beats<'a>(&'a self, beats: &'a [Beat]) -> BoxFuture<'a, StoreResult<Vec<BeatTaken>>> {
        beats::take(&self.0, beats).boxed()
    }

    fn longest_silent(&self) -> BoxFuture<'_, StoreResult<Option<Timestamp>>> {
        self.oldest().boxed()
    }

    fn mark_offline(
        &self,
        last: Timestamp,
        now: Timestamp,
    ) -> BoxFuture<'_, StoreResult<Vec<Node>>> {
        self.mark(last, now).boxed()
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

    fn add_sovereign<'a>(
        &'a self,
        change: &'a KeyChange,
        enough: Enough<'a>,
    ) -> BoxFuture<'a, StoreResult<KeyTaken>> {
        sovereigns::add(&self.0, change, enough).boxed()
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

    fn log_end(&self) -> BoxFuture<'_, StoreResult<LogEnd>> {
        log::end(self.0.readers()).boxed()
    }

    fn unlogged(&self) -> BoxFuture<'_, StoreResult<Option<String>>> {
        log::unlogged(&self.0).boxed()
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

//! Heartbeats that arrive together share one write to the disk: whoever waits is taken into the next transaction. They are
//! told while nothing else is written, so that events come in the order of what happened.

use std::sync::Arc;

use tana_kit::{EventHub, Shutdown, Tasks};
use tana_protocol::api::mesh::{Node, event};
use tana_store::StoreResult;
use tana_store::mesh::{Beat, BeatTaken, MeshStore};
use tokio::sync::{mpsc, oneshot};

use super::error::MeshError;
use super::registry::Registry;

/// Heartbeats of one transaction.
const TOGETHER: usize = 256;
/// Heartbeats that wait at most; who comes then waits to wait.
const WAITING: usize = 1024;

struct Waiting {
    beat: Beat,
    reply: oneshot::Sender<StoreResult<BeatTaken>>,
}

/// Where heartbeats are handed in. Clones share it.
#[derive(Clone)]
pub(super) struct Beats(mpsc::Sender<Waiting>);

impl Beats {
    pub(super) fn start(
        store: Arc<dyn MeshStore>,
        registry: Arc<Registry>,
        hub: EventHub,
        tasks: &Tasks,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let shutdown = tasks.shutdown().clone();
        let follower = Follower {
            store,
            registry,
            hub,
        };
        tasks.spawn("heartbeats", write(follower, receiver, shutdown));
        Self(sender)
    }

    pub(super) async fn take(&self, beat: Beat) -> Result<BeatTaken, MeshError> {
        let (reply, answer) = oneshot::channel();
        self.0
            .send(Waiting { beat, reply })
            .await
            .map_err(|_| MeshError::Stopping)?;
        Ok(answer.await.map_err(|_| MeshError::Stopping)??)
    }
}

async fn write(follower: Follower, mut receiver: mpsc::Receiver<Waiting>, shutdown: Shutdown) {
    let mut waiting = Vec::with_capacity(TOGETHER);
    loop {
        tokio::select! {
            count = receiver.recv_many(&mut waiting, TOGETHER) => {
                if count == 0 {
                    return;
                }
            }
            () = shutdown.begun() => return,
        }
        let (beats, replies): (Vec<_>, Vec<_>) = waiting
            .drain(..)
            .map(|waiting| (waiting.beat, waiting.reply))
            .unzip();
        let writing = follower.registry.writing().await;
        match follower.store.beats(&beats).await {
            Ok(taken) => {
                follower.follow(&beats, &taken).await;
                drop(writing);
                for (reply, taken) in replies.into_iter().zip(taken) {
                    // Who no longer waits has gone; the heartbeat is taken all the same.
                    let _gone = reply.send(Ok(taken));
                }
            }
            // One by one, so that each is told its own reason.
            Err(_) => {
                for (reply, beat) in replies.into_iter().zip(beats) {
                    let beat = [beat];
                    let alone = follower.store.beats(&beat).await;
                    if let Ok(taken) = &alone {
                        follower.follow(&beat, taken).await;
                    }
                    let _gone = reply
                        .send(alone.map(|mut taken| taken.pop().unwrap_or(BeatTaken::Unknown)));
                }
            }
        }
    }
}

/// What follows the database: the members in memory, and who listens.
struct Follower {
    store: Arc<dyn MeshStore>,
    registry: Arc<Registry>,
    hub: EventHub,
}

impl Follower {
    /// Takes in what was written, and tells it.
    async fn follow(&self, beats: &[Beat], taken: &[BeatTaken]) {
        for (beat, taken) in beats.iter().zip(taken) {
            let node = match taken {
                BeatTaken::Done(absent) => match self.registry.heard_of(beat, *absent) {
                    None => self.read(beat).await,
                    node => node,
                },
                BeatTaken::Returned(node) => {
                    let put = self.registry.put(node);
                    self.hub.publish(event::STATUS, node);
                    Some(put)
                }
                BeatTaken::Replayed | BeatTaken::NotActive(_) | BeatTaken::Unknown => None,
            };
            let Some(node) = node else { continue };
            if let Some(peers) = &beat.peers {
                self.registry
                    .reaches(&beat.node_id, peers, beat.received_at);
            }
            self.hub.publish_shared(event::HEARTBEAT, node);
        }
    }

    /// Memory has stayed behind: something was committed, and the commit was not answered.
    async fn read(&self, beat: &Beat) -> Option<Arc<Node>> {
        let read = self.store.node(&beat.node_id, beat.received_at).await;
        read.ok()?.map(|node| self.registry.put(&node))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::{FutureExt as _, StreamExt as _};
    use tana_client::{MeshClient, now};
    use tana_protocol::SecretKey;
    use tana_protocol::api::mesh::{NodeStatus, Register};
    use tana_protocol::message::{self, Decision};
    use tana_store::mesh::NodeDecision;
    use tana_store::sqlite::SqliteMesh;

    use super::*;
    use crate::mesh::rules;

    /// A store with one active node, and the node's key.
    async fn store(path: &std::path::Path) -> (SqliteMesh, SecretKey) {
        let store = SqliteMesh::open(path.to_str().unwrap()).await.unwrap();
        let key = SecretKey::generate();
        let spelt = key.public().to_string();
        let request = Register {
            node_id: "node-1".to_owned(),
            tailscale_hostname: "host".to_owned(),
            tailscale_ip: None,
            services: Vec::new(),
            signature: key.sign(&message::registration("node-1", &spelt, "host")),
            public_key: spelt,
        };
        let node = rules::registration(request, now()).unwrap();
        store.insert(&node, 1).await.unwrap();
        let decision = NodeDecision {
            node_id: node.id,
            node_key: key.public(),
            decision: Decision::Approve,
            by: key.public(),
            at: now(),
            signed_at: None,
            message: String::new(),
            signature: key.sign(""),
        };
        store.decide(&decision, &|_| true).await.unwrap();
        (store, key)
    }

    #[tokio::test]
    async fn a_heartbeat_heals_what_memory_has_missed() {
        let directory = tempfile::tempdir().unwrap();
        let (store, key) = store(&directory.path().join("mesh.db")).await;
        let node = store.node(&"node-1".parse().unwrap(), now()).await;
        let node = node.unwrap().unwrap();
        let offline = Node {
            status: NodeStatus::Offline,
            ..node.clone()
        };
        let store = Arc::new(store);
        for known in [vec![offline], Vec::new()] {
            let tasks = Tasks::new(Shutdown::new());
            let hub = EventHub::new(tasks.shutdown());
            let registry = Arc::new(Registry::of(known, Vec::new()));
            let beats = Beats::start(store.clone(), registry.clone(), hub, &tasks);
            let request = MeshClient::sign_heartbeat(&node.id, &key);
            let beat = rules::heartbeat(request, &node, now()).unwrap();
            let taken = beats.take(beat).await;
            assert!(matches!(taken, Ok(BeatTaken::Done(_))), "{taken:?}");
            let topology: serde_json::Value = serde_json::from_str(&registry.topology()).unwrap();
            assert_eq!(topology["nodes"][0]["status"], "active");
            tasks.shutdown().begin();
            // What is signed in the same millisecond is the same heartbeat.
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }

    #[tokio::test]
    async fn a_heartbeat_is_told_before_anything_else_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let (store, key) = store(&directory.path().join("mesh.db")).await;
        let node = store.node(&"node-1".parse().unwrap(), now()).await;
        let node = node.unwrap().unwrap();
        let tasks = Tasks::new(Shutdown::new());
        let hub = EventHub::new(tasks.shutdown());
        let registry = Arc::new(Registry::of(vec![node.clone()], Vec::new()));
        let beats = Beats::start(Arc::new(store), registry.clone(), hub.clone(), &tasks);
        let mut told = Box::pin(hub.listen());
        let request = MeshClient::sign_heartbeat(&node.id, &key);
        let beat = rules::heartbeat(request, &node, now()).unwrap();
        let first = registry.writing().await;
        let taking = beats.take(beat);
        let next = async {
            // Until the heartbeat waits to be written.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            drop(first);
            let _writing = registry.writing().await;
            told.next().now_or_never().flatten()
        };
        let (taken, told) = futures::join!(taking, next);
        assert!(matches!(taken, Ok(BeatTaken::Done(_))));
        assert_eq!(told.map(|event| event.name()), Some(event::HEARTBEAT));
        tasks.shutdown().begin();
    }
}

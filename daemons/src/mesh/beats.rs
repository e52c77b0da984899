//! Heartbeats that arrive together share one write to the disk: whoever waits is taken into the next transaction.

use std::sync::Arc;

use tana_kit::{Shutdown, Tasks};
use tana_protocol::api::mesh::Link;
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
    pub(super) fn start(store: Arc<dyn MeshStore>, registry: Arc<Registry>, tasks: &Tasks) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("heartbeats", write(store, registry, receiver, shutdown));
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

async fn write(
    store: Arc<dyn MeshStore>,
    registry: Arc<Registry>,
    mut receiver: mpsc::Receiver<Waiting>,
    shutdown: Shutdown,
) {
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
        let writing = registry.writing().await;
        match store.beats(&beats).await {
            Ok(taken) => {
                follow(&registry, &beats, &taken);
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
                    let alone = store.beats(&beat).await;
                    if let Ok(taken) = &alone {
                        follow(&registry, &beat, taken);
                    }
                    let _gone = reply
                        .send(alone.map(|mut taken| taken.pop().unwrap_or(BeatTaken::Unknown)));
                }
            }
        }
    }
}

/// Takes what was written into what is in memory.
fn follow(registry: &Registry, beats: &[Beat], taken: &[BeatTaken]) {
    for (beat, taken) in beats.iter().zip(taken) {
        let (BeatTaken::Done(node) | BeatTaken::Returned(node)) = taken else {
            continue;
        };
        registry.put(node);
        let Some(peers) = &beat.peers else { continue };
        if peers.is_empty() {
            registry.reaches_nobody(&beat.node_id);
        }
        let links: Vec<Link> = peers
            .iter()
            .map(|peer| Link {
                from: beat.node_id.clone(),
                to: peer.node_id.clone(),
                latency_ms: peer.latency_ms,
                at: beat.received_at,
            })
            .collect();
        registry.reaches(&links);
    }
}

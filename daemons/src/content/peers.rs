//! The content stores of other nodes, the fastest first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tana_client::{ClientError, ContentClient, MeshClient};
use tana_home::Settings;
use tana_protocol::api::mesh::{Node, NodeStatus, Topology};
use tana_protocol::{NodeId, ServiceKind};

/// A list is good for so long; the registry is not asked for every content.
const FRESH: Duration = Duration::from_secs(10);

/// Another node's content store.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) node: NodeId,
    pub(crate) client: ContentClient,
}

/// What the registry said, and when.
type Known = (Instant, Vec<Peer>);

/// Knows the other nodes' content stores, also while the mesh is away. Clones share it.
#[derive(Clone)]
pub struct ContentPeers {
    mesh: MeshClient,
    own: NodeId,
    known: Arc<Mutex<Option<Known>>>,
}

impl ContentPeers {
    /// As the settings say.
    ///
    /// # Errors
    /// When the mesh's address is none.
    pub fn new(settings: &Settings) -> Result<Self, ClientError> {
        Ok(Self {
            mesh: MeshClient::new(&settings.url(ServiceKind::Mesh))?,
            own: settings.node_id.clone(),
            known: Arc::default(),
        })
    }

    fn known(&self) -> Option<Known> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The stores of active nodes, the fastest first. While the mesh is away, those that it named last.
    pub(crate) async fn list(&self) -> Result<Vec<Peer>, ClientError> {
        let known = self.known();
        if let Some((at, peers)) = &known
            && at.elapsed() < FRESH
        {
            return Ok(peers.clone());
        }
        match self.mesh.topology().await {
            Ok(topology) => {
                let peers = sorted(topology, &self.own);
                *self.known.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some((Instant::now(), peers.clone()));
                Ok(peers)
            }
            Err(error) => known.map(|(_, peers)| peers).ok_or(error),
        }
    }
}

/// The measured ones in the order of their latency, then the others.
fn sorted(topology: Topology, own: &NodeId) -> Vec<Peer> {
    let latency: HashMap<NodeId, u32> = topology
        .links
        .into_iter()
        .filter(|link| link.from == *own)
        .map(|link| (link.to, link.latency_ms))
        .collect();
    let mut nodes: Vec<Node> = topology
        .nodes
        .into_iter()
        .filter(|node| node.id != *own && node.status == NodeStatus::Active)
        .collect();
    nodes.sort_by_key(|node| latency.get(&node.id).copied().unwrap_or(u32::MAX));
    nodes
        .into_iter()
        .filter_map(|node| {
            let url = node.service_url(ServiceKind::T4)?;
            Some(Peer {
                client: ContentClient::new(&url).ok()?,
                node: node.id,
            })
        })
        .collect()
}

//! Whom this node reaches, and how fast: one small request to each of the other active nodes, for the heartbeat.

use std::time::{Duration, Instant};

use futures::StreamExt;
use rand::seq::SliceRandom;
use tana_client::{ClientError, MeshClient, NodeFilter};
use tana_protocol::api::mesh::{Node, NodeStatus, PeerLatency};
use tana_protocol::{NodeId, ServiceKind};

use super::health;

/// Nodes that one heartbeat names at most; of more, others each time.
const MEASURED: usize = 64;
/// Nodes that are asked at the same time.
const TOGETHER: usize = 16;
/// The list of nodes is read again after this long, or when their number has changed.
const FRESH: Duration = Duration::from_secs(600);
/// What of a node is asked: the first of these that it offers.
const ASKED: [ServiceKind; 5] = [
    ServiceKind::Ledger,
    ServiceKind::T4,
    ServiceKind::Mesh,
    ServiceKind::Identity,
    ServiceKind::Edge,
];

/// The other nodes, as the registry listed them last.
#[derive(Default)]
pub(super) struct Peers {
    listed: Option<(Instant, u64)>,
    places: Vec<(NodeId, String, u16)>,
}

impl Peers {
    /// Measures; a node that does not answer is not in it.
    pub(super) async fn measure(
        &mut self,
        mesh: &MeshClient,
        own: &NodeId,
    ) -> Result<Vec<PeerLatency>, ClientError> {
        let active = mesh.info().await?.nodes.active;
        let fresh = self
            .listed
            .is_some_and(|(at, count)| at.elapsed() < FRESH && count == active);
        if !fresh {
            let filter = NodeFilter::Status(vec![NodeStatus::Active]);
            let nodes = mesh.nodes(&filter).await?;
            self.places = nodes
                .iter()
                .filter(|node| node.id != *own)
                .filter_map(place)
                .collect();
            self.listed = Some((Instant::now(), active));
        }
        self.places.shuffle(&mut rand::rng());
        let asked = self.places.iter().take(MEASURED).cloned();
        let measured = futures::stream::iter(asked)
            .map(|(node_id, host, port)| async move {
                let took = health::round_trip(&host, port).await?;
                Some(PeerLatency {
                    node_id,
                    latency_ms: u32::try_from(took.as_millis()).unwrap_or(u32::MAX),
                })
            })
            .buffer_unordered(TOGETHER)
            .filter_map(async |measured| measured)
            .collect()
            .await;
        Ok(measured)
    }
}

fn place(node: &Node) -> Option<(NodeId, String, u16)> {
    let port = ASKED.iter().find_map(|kind| {
        let mut offered = node.services.iter();
        offered
            .find(|offered| offered.service_type == kind.name())
            .map(|offered| offered.port)
    })?;
    let host = node.tailscale_ip.clone();
    let host = host.unwrap_or_else(|| node.tailscale_hostname.clone());
    Some((node.id.clone(), host, port))
}

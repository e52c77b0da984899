//! What the mesh does: reads what a rule needs, asks the rule, has the store do it, tells who listens.

use std::sync::Arc;
use std::time::Duration;

use tana_kit::{Clock, Context, EventHub};
use tana_protocol::api::mesh::{
    ActiveValidator, AddSovereign, DecisionRequest, Heartbeat, Link, Node, NodeCounts, NodeStatus,
    Register, RotateSovereign, SovereignKey, SovereignKeys, VerifySovereign, event,
};
use tana_protocol::message::Decision;
use tana_protocol::{NodeId, PublicKey, ServiceKind, Timestamp};
use tana_store::StoreResult;
use tana_store::mesh::{BeatTaken, DecisionTaken, Inserted, KeyTaken, MeshStore, Sovereign};
use tokio::sync::Notify;

use super::beats::Beats;
use super::config::{Config, OVERLAP};
use super::error::MeshError;
use super::{rules, silence};

/// The mesh. Clones share it.
#[derive(Clone)]
pub(super) struct Mesh(Arc<Inner>);

struct Inner {
    store: Arc<dyn MeshStore>,
    clock: Arc<dyn Clock>,
    hub: EventHub,
    beats: Beats,
    offline_after: Duration,
    wake: Notify,
}

impl Mesh {
    /// Starts its tasks.
    pub(super) fn start<S: MeshStore>(store: S, config: &Config, context: &Context) -> Self {
        let store: Arc<dyn MeshStore> = Arc::new(store);
        let mesh = Self(Arc::new(Inner {
            beats: Beats::start(store.clone(), &context.tasks),
            store,
            clock: context.clock.clone(),
            hub: EventHub::new(&context.shutdown),
            offline_after: config.offline_after,
            wake: Notify::new(),
        }));
        let started = mesh.now();
        context.tasks.spawn(
            "silence watch",
            silence::watch(mesh.clone(), started, context.shutdown.clone()),
        );
        context.tasks.spawn(
            "heartbeat history",
            silence::tidy(mesh.clone(), context.shutdown.clone()),
        );
        mesh
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(super) fn store(&self) -> &dyn MeshStore {
        &*self.0.store
    }

    pub(super) fn hub(&self) -> &EventHub {
        &self.0.hub
    }

    pub(super) fn offline_after(&self) -> Duration {
        self.0.offline_after
    }

    /// Waits until a node became active, from which on it can fall silent.
    pub(super) async fn woken(&self) {
        self.0.wake.notified().await;
    }

    pub(super) async fn register(&self, request: Register) -> Result<Node, MeshError> {
        let node = rules::registration(request, self.now())?;
        match self.store().insert(&node).await? {
            Inserted::Done => {
                tracing::info!(node = %node.id, key = %node.public_key, "registered, waits for a sovereign");
                self.0.hub.publish(event::REGISTERED, &node);
                Ok(node)
            }
            Inserted::IdTaken => Err(MeshError::IdTaken(node.id)),
            Inserted::KeyTaken => Err(MeshError::KeyTaken(node.public_key)),
        }
    }

    pub(super) async fn node(&self, id: &NodeId) -> Result<Node, MeshError> {
        self.store()
            .node(id)
            .await?
            .ok_or_else(|| MeshError::UnknownNode(id.to_string()))
    }

    pub(super) async fn nodes(&self, statuses: &[NodeStatus]) -> Result<Vec<Node>, MeshError> {
        Ok(self.store().nodes(statuses).await?)
    }

    pub(super) async fn counts(&self) -> Result<NodeCounts, MeshError> {
        Ok(self.store().counts().await?)
    }

    pub(super) async fn topology(&self) -> Result<(Vec<Node>, Vec<Link>), MeshError> {
        let mut nodes = self
            .nodes(&[NodeStatus::Active, NodeStatus::Offline])
            .await?;
        for service in nodes.iter_mut().flat_map(|node| &mut node.services) {
            service.topology_key = Some(service.public_key);
        }
        Ok((nodes, self.store().links().await?))
    }

    /// Active nodes that produce blocks, and where they are reached.
    pub(super) async fn validators(&self) -> Result<Vec<ActiveValidator>, MeshError> {
        let nodes = self.nodes(&[NodeStatus::Active]).await?;
        Ok(nodes.into_iter().filter_map(validator).collect())
    }

    async fn sovereign_keys(&self) -> StoreResult<Vec<Sovereign>> {
        self.store().sovereigns(self.now()).await
    }

    pub(super) async fn sovereigns(&self) -> Result<SovereignKeys, MeshError> {
        let keys = self.sovereign_keys().await?;
        Ok(SovereignKeys {
            keys: keys.into_iter().map(shown).collect(),
        })
    }

    pub(super) async fn decide(
        &self,
        wanted: Decision,
        id: &NodeId,
        request: &DecisionRequest,
    ) -> Result<Node, MeshError> {
        let node = self.node(id).await?;
        let sovereigns = self.sovereign_keys().await?;
        let decision = rules::decision(wanted, &node, request, &sovereigns, self.now())?;
        match self.store().decide(&decision).await? {
            DecisionTaken::Done(node) => {
                tracing::info!(node = %node.id, by = %decision.by, "{}", node.status);
                let name = match wanted {
                    Decision::Approve => event::APPROVED,
                    Decision::Deny => event::DENIED,
                };
                self.0.hub.publish(name, &node);
                self.0.wake.notify_one();
                Ok(*node)
            }
            DecisionTaken::AlreadyDecided(status) => {
                Err(MeshError::AlreadyDecided(id.clone(), status))
            }
            DecisionTaken::Unknown => Err(MeshError::UnknownNode(id.to_string())),
        }
    }

    pub(super) async fn heartbeat(&self, request: Heartbeat) -> Result<(), MeshError> {
        let id = request.node_id.clone();
        let node = self.node(&id).await?;
        let beat = rules::heartbeat(request, &node, self.now())?;
        match self.0.beats.take(beat).await? {
            BeatTaken::Done(node) => {
                self.0.hub.publish(event::HEARTBEAT, &node);
                Ok(())
            }
            BeatTaken::Returned(node) => {
                tracing::info!(node = %node.id, "is heard of again");
                self.0.hub.publish(event::STATUS, &node);
                self.0.hub.publish(event::HEARTBEAT, &node);
                self.0.wake.notify_one();
                Ok(())
            }
            BeatTaken::Replayed => Err(MeshError::Replayed),
            BeatTaken::NotActive(status) => Err(MeshError::NotActive(id, status)),
            BeatTaken::Unknown => Err(MeshError::UnknownNode(id.to_string())),
        }
    }

    pub(super) async fn mark_offline(&self, last: Timestamp) -> StoreResult<()> {
        for node in self.store().mark_offline(last).await? {
            tracing::warn!(node = %node.id, "has been silent too long and is offline");
            self.0.hub.publish(event::STATUS, &node);
        }
        Ok(())
    }

    pub(super) async fn add_sovereign(
        &self,
        request: AddSovereign,
    ) -> Result<SovereignKey, MeshError> {
        let change = rules::addition(request, &self.sovereign_keys().await?, self.now())?;
        match self.store().add_sovereign(&change).await? {
            KeyTaken::Done => {}
            KeyTaken::Known => return Err(MeshError::KeyKnown(change.key)),
            KeyTaken::NotCurrent => return Err(MeshError::BeingReplaced(change.by)),
        }
        tracing::info!(key = %change.key, by = %change.by, "sovereign key added");
        self.keys_changed().await?;
        Ok(SovereignKey {
            public_key: change.key,
            description: change.description,
            added_at: change.at,
        })
    }

    /// Replaces a key, and answers until when the old one still decides on nodes.
    pub(super) async fn rotate_sovereign(
        &self,
        request: &RotateSovereign,
    ) -> Result<Timestamp, MeshError> {
        let change = rules::rotation(request, &self.sovereign_keys().await?, self.now())?;
        let ends = change.at.plus(OVERLAP);
        match self.store().rotate_sovereign(&change, ends).await? {
            KeyTaken::Done => {}
            KeyTaken::Known => return Err(MeshError::KeyKnown(change.key)),
            KeyTaken::NotCurrent => return Err(MeshError::BeingReplaced(change.by)),
        }
        tracing::info!(old = %change.by, new = %change.key, "sovereign key replaced");
        self.keys_changed().await?;
        Ok(ends)
    }

    async fn keys_changed(&self) -> Result<(), MeshError> {
        let keys = self.sovereigns().await?;
        self.0.hub.publish(event::SOVEREIGN, &keys);
        Ok(())
    }

    pub(super) async fn verify(&self, request: &VerifySovereign) -> Result<PublicKey, MeshError> {
        rules::signer(
            &request.message,
            &request.signature,
            request.public_key,
            &self.sovereign_keys().await?,
        )
    }
}

fn shown(key: Sovereign) -> SovereignKey {
    SovereignKey {
        public_key: key.public_key,
        description: key.description,
        added_at: key.added_at,
    }
}

fn validator(node: Node) -> Option<ActiveValidator> {
    let offers = |name: &str| {
        node.services
            .iter()
            .find(|service| service.service_type == name)
            .map(|service| service.port)
    };
    // Older nodes offer `consensus`.
    let port = offers("consensus").or_else(|| offers(ServiceKind::Producer.name()))?;
    let host = node.host();
    Some(ActiveValidator {
        ws_url: format!("ws://{host}:{port}"),
        last_seen: node
            .last_heartbeat
            .or(node.approved_at)
            .unwrap_or(node.registered_at),
        public_key: node.public_key,
        id: node.id,
    })
}

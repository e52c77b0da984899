//! What the mesh does: reads what a rule needs, asks the rule, has the store do it, tells who listens.

use std::sync::Arc;
use std::time::Duration;

use tana_kit::{Clock, Context, EventHub};
use tana_protocol::api::mesh::{
    ActiveValidator, AddSovereign, Decided, DecisionLog, DecisionRequest, Heartbeat, LabelRequest,
    MeshInfo, Node, NodeStatus, Register, RotateNode, RotateSovereign, SovereignKey, SovereignKeys,
    VerifySovereign, event,
};
use tana_protocol::message::Decision;
use tana_protocol::{NodeId, PublicKey, ServiceKind, Timestamp};
use tana_store::StoreResult;
use tana_store::mesh::{
    BeatTaken, DecisionTaken, Inserted, KeyTaken, LabelTaken, MeshStore, NodeRotated, Sovereign,
};
use tokio::sync::Notify;

use super::beats::Beats;
use super::config::{Config, OVERLAP};
use super::error::MeshError;
use super::registry::Registry;
use super::stake::StakeCheck;
use super::{rules, silence};

/// The mesh. Clones share it.
#[derive(Clone)]
pub(super) struct Mesh(Arc<Inner>);

struct Inner {
    store: Arc<dyn MeshStore>,
    clock: Arc<dyn Clock>,
    hub: EventHub,
    registry: Arc<Registry>,
    beats: Beats,
    offline_after: Duration,
    waiting: u64,
    threshold: usize,
    stake: Option<StakeCheck>,
    wake: Notify,
}

impl Mesh {
    /// Starts its tasks.
    ///
    /// # Errors
    /// When the database does not answer, or the ledger's address is none.
    pub(super) async fn start<S: MeshStore>(
        store: S,
        config: &Config,
        context: &Context,
    ) -> anyhow::Result<Self> {
        let store: Arc<dyn MeshStore> = Arc::new(store);
        let members = [NodeStatus::Active, NodeStatus::Offline];
        let nodes = store.nodes(&members, context.clock.now()).await?;
        let registry = Arc::new(Registry::of(nodes, store.links().await?));
        let hub = EventHub::new(&context.shutdown);
        let mesh = Self(Arc::new(Inner {
            beats: Beats::start(store.clone(), registry.clone(), hub.clone(), &context.tasks),
            registry,
            store,
            clock: context.clock.clone(),
            hub,
            offline_after: config.offline_after,
            waiting: config.waiting,
            threshold: config.threshold,
            stake: config.stake.clone().map(StakeCheck::new).transpose()?,
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
        Ok(mesh)
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
        let _writing = self.0.registry.writing().await;
        match self.store().insert(&node, self.0.waiting).await? {
            Inserted::Done => {
                tracing::info!(node = %node.id, key = %node.public_key, "registered, waits for a sovereign");
                self.0.hub.publish(event::REGISTERED, &node);
                Ok(node)
            }
            Inserted::IdTaken => Err(MeshError::IdTaken(node.id)),
            Inserted::KeyTaken => Err(MeshError::KeyTaken(node.public_key)),
            Inserted::Crowded => Err(MeshError::Crowded(self.0.waiting)),
            Inserted::KeyRefused => Err(MeshError::KeyRefused(node.id)),
        }
    }

    pub(super) async fn node(&self, id: &NodeId) -> Result<Node, MeshError> {
        self.store()
            .node(id, self.now())
            .await?
            .ok_or_else(|| MeshError::UnknownNode(id.to_string()))
    }

    pub(super) async fn nodes(&self, statuses: &[NodeStatus]) -> Result<Vec<Node>, MeshError> {
        Ok(self.store().nodes(statuses, self.now()).await?)
    }

    pub(super) async fn info(&self) -> Result<MeshInfo, MeshError> {
        Ok(MeshInfo {
            service: "mesh".to_owned(),
            nodes: self.store().counts().await?,
            decisions: Some(self.store().log_end().await?),
        })
    }

    /// Entries of the log of decisions, and where it ends.
    pub(super) async fn log(&self, from: u64, limit: u32) -> Result<DecisionLog, MeshError> {
        // The end is read first: an entry that comes in between is beyond it, never missing before it.
        let end = self.store().log_end().await?;
        let mut decisions = self.store().log(from.max(1), limit).await?;
        decisions.retain(|entry| entry.number <= end.count);
        Ok(DecisionLog { decisions, end })
    }

    /// The answer to `GET /topology`, as JSON.
    pub(super) async fn topology(&self) -> Result<String, MeshError> {
        let registry = &self.0.registry;
        if registry.is_stale(self.now()) {
            let _writing = registry.writing().await;
            for node in self.nodes(&[NodeStatus::Offline]).await? {
                registry.put(&node);
            }
        }
        Ok(registry.topology())
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
            threshold: self.0.threshold,
        })
    }

    pub(super) async fn decide(
        &self,
        wanted: Decision,
        id: &NodeId,
        request: &DecisionRequest,
    ) -> Result<Decided, MeshError> {
        let node = self.node(id).await?;
        let sovereigns = self.sovereign_keys().await?;
        let now = self.now();
        let former = match wanted {
            Decision::Remove => {
                let since = rules::former_since(now);
                self.store().former_keys(id, since).await?
            }
            Decision::Approve | Decision::Deny => Vec::new(),
        };
        let decision = rules::decision(wanted, &node, &former, request, &sovereigns, now)?;
        if wanted == Decision::Approve
            && node.status == NodeStatus::Pending
            && let Some(stake) = &self.0.stake
        {
            stake.check(&node).await?;
        }
        let needed = rules::needed(self.0.threshold, &sovereigns);
        let enough = |votes: &[PublicKey]| rules::voters(votes, &sovereigns) >= needed;
        // Held until it is told as well: nothing that comes later is told before.
        let _writing = self.0.registry.writing().await;
        match self.store().decide(&decision, &enough).await? {
            DecisionTaken::Done(node) => {
                self.0.registry.put(&node);
                tracing::info!(node = %node.id, by = %decision.by, "{}: {}", wanted.verb(), node.status);
                let name = match wanted {
                    Decision::Approve => event::APPROVED,
                    Decision::Deny => event::DENIED,
                    Decision::Remove => event::REMOVED,
                };
                self.0.hub.publish(name, &node);
                self.0.wake.notify_one();
                Ok(Decided {
                    success: true,
                    node_id: node.id,
                    status: node.status,
                    votes: None,
                    needed: None,
                })
            }
            DecisionTaken::Counted(node) => {
                self.0.registry.put(&node);
                tracing::info!(node = %node.id, by = %decision.by, "vote to {} counted", wanted.verb());
                self.0.hub.publish(event::VOTED, &node);
                let votes = node.record.votes.iter();
                let votes: Vec<PublicKey> = votes
                    .filter(|vote| vote.decision == wanted)
                    .map(|vote| vote.by)
                    .collect();
                Ok(Decided {
                    success: true,
                    node_id: node.id,
                    status: node.status,
                    votes: Some(rules::voters(&votes, &sovereigns)),
                    needed: Some(needed),
                })
            }
            DecisionTaken::AlreadyDecided(status) => {
                Err(MeshError::AlreadyDecided(id.clone(), status))
            }
            DecisionTaken::AlreadyVoted => Err(MeshError::AlreadyVoted(id.to_string())),
            DecisionTaken::Replayed => Err(MeshError::VoteReplayed(id.clone())),
            DecisionTaken::ShortForm => Err(MeshError::ShortForm(id.clone())),
            DecisionTaken::Unknown => Err(MeshError::UnknownNode(id.to_string())),
        }
    }

    pub(super) async fn label(
        &self,
        id: &NodeId,
        request: LabelRequest,
    ) -> Result<Node, MeshError> {
        let node = self.node(id).await?;
        let label = rules::label(request, &node, &self.sovereign_keys().await?, self.now())?;
        let _writing = self.0.registry.writing().await;
        match self.store().label(&label).await? {
            LabelTaken::Done(node) => {
                self.0.registry.put(&node);
                tracing::info!(node = %node.id, by = %label.by, region = ?node.region, "labelled");
                self.0.hub.publish(event::CHANGED, &node);
                Ok(*node)
            }
            LabelTaken::MayNot => Err(MeshError::MayNotLabel(label.by, id.clone())),
            LabelTaken::Replayed => Err(MeshError::LabelReplayed(id.clone())),
            LabelTaken::Unknown => Err(MeshError::UnknownNode(id.to_string())),
        }
    }

    pub(super) async fn rotate_node(
        &self,
        id: &NodeId,
        request: RotateNode,
    ) -> Result<Node, MeshError> {
        let node = self.node(id).await?;
        let rotation = rules::node_rotation(request, &node, self.now())?;
        let _writing = self.0.registry.writing().await;
        match self.store().rotate_node(&rotation).await? {
            NodeRotated::Done(node) => {
                self.0.registry.put(&node);
                tracing::info!(node = %node.id, old = %rotation.old, new = %rotation.new, "node's key replaced");
                self.0.hub.publish(event::CHANGED, &node);
                Ok(*node)
            }
            NodeRotated::KeyTaken => Err(MeshError::KeyTaken(rotation.new)),
            NodeRotated::TooSoon => Err(MeshError::RotatedJustNow(id.clone())),
            NodeRotated::NotMember(status) => Err(MeshError::NotMember(id.clone(), status)),
            NodeRotated::Unknown => Err(MeshError::NotItsKey(rotation.old, id.clone())),
        }
    }

    pub(super) async fn heartbeat(&self, request: Heartbeat) -> Result<(), MeshError> {
        let id = request.node_id.clone();
        let node = match self.0.registry.member(&id) {
            Some(member) => member,
            None => Arc::new(self.node(&id).await?),
        };
        let beat = rules::heartbeat(request, &node, self.now())?;
        match self.0.beats.take(beat).await? {
            BeatTaken::Done(_) => Ok(()),
            BeatTaken::Returned(node) => {
                tracing::info!(node = %node.id, "is heard of again");
                self.0.wake.notify_one();
                Ok(())
            }
            BeatTaken::Replayed => Err(MeshError::Replayed),
            BeatTaken::NotActive(status) => Err(MeshError::NotActive(id, status)),
            BeatTaken::Unknown => Err(MeshError::UnknownNode(id.to_string())),
        }
    }

    pub(super) async fn mark_offline(&self, last: Timestamp) -> StoreResult<()> {
        let _writing = self.0.registry.writing().await;
        for node in self.store().mark_offline(last, self.now()).await? {
            self.0.registry.put(&node);
            tracing::warn!(node = %node.id, "has been silent too long and is offline");
            self.0.hub.publish(event::STATUS, &node);
        }
        Ok(())
    }

    pub(super) async fn add_sovereign(&self, request: AddSovereign) -> Result<Added, MeshError> {
        let sovereigns = self.sovereign_keys().await?;
        let change = rules::addition(request, &sovereigns, self.now())?;
        let needed = rules::needed(self.0.threshold, &sovereigns);
        let enough = |votes: &[PublicKey]| rules::voters(votes, &sovereigns) >= needed;
        let _writing = self.0.registry.writing().await;
        match self.store().add_sovereign(&change, &enough).await? {
            KeyTaken::Done => {}
            KeyTaken::Counted(votes) => {
                tracing::info!(key = %change.key, by = %change.by, "vote for another sovereign key counted");
                return Ok(Added::Counted {
                    key: change.key,
                    votes: rules::voters(&votes, &sovereigns),
                    needed,
                });
            }
            KeyTaken::AlreadyVoted => return Err(MeshError::AlreadyVoted(change.key.to_string())),
            KeyTaken::Known => return Err(MeshError::KeyKnown(change.key)),
            KeyTaken::NotCurrent => return Err(MeshError::BeingReplaced(change.by)),
        }
        tracing::info!(key = %change.key, by = %change.by, "sovereign key added");
        self.keys_changed().await?;
        Ok(Added::Done(Box::new(SovereignKey {
            public_key: change.key,
            description: change.description,
            added_at: change.at,
            ends_at: None,
            replaced_by: None,
        })))
    }

    /// Replaces a key, and answers until when the old one still decides on nodes.
    pub(super) async fn rotate_sovereign(
        &self,
        request: &RotateSovereign,
    ) -> Result<Timestamp, MeshError> {
        let change = rules::rotation(request, &self.sovereign_keys().await?, self.now())?;
        let ends = change.at.plus(OVERLAP);
        let _writing = self.0.registry.writing().await;
        match self.store().rotate_sovereign(&change, ends).await? {
            KeyTaken::Done => {}
            KeyTaken::Known => return Err(MeshError::KeyKnown(change.key)),
            KeyTaken::NotCurrent | KeyTaken::Counted(_) | KeyTaken::AlreadyVoted => {
                return Err(MeshError::BeingReplaced(change.by));
            }
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
        ends_at: key.ends_at,
        replaced_by: key.replaced_by,
    }
}

/// What became of a wish to add a sovereign key.
pub(super) enum Added {
    Done(Box<SovereignKey>),
    /// More sovereigns must want it.
    Counted {
        key: PublicKey,
        votes: usize,
        needed: usize,
    },
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

//! The mesh: registrations, decisions, heartbeats, sovereign keys and its events. What is signed is signed here,
//! in one way for the console, the commands and the daemons.

use tana_protocol::api::health::Health;
use tana_protocol::api::mesh::{
    ActiveValidators, AddSovereign, Decided, DecisionLog, DecisionRequest, Heartbeat,
    HeartbeatTaken, LabelRequest, Labelled, MeshInfo, Node, NodeStatus, Nodes, OneNode, Register,
    Registered, RotateNode, RotateSovereign, Rotated, ServiceOffer, SovereignKeys, Topology, event,
};
use tana_protocol::message::{self, Decision};
use tana_protocol::{NodeId, PublicKey, SecretKey, Signature, Timestamp};

use crate::clock::now;
use crate::error::ClientError;
use crate::events::{EventStream, StreamEvent};
use crate::http::{Http, Repeat};

/// Which nodes a list holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeFilter {
    /// All of them.
    All,
    /// Those of one of these statuses.
    Status(Vec<NodeStatus>),
}

/// What the mesh reports as it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum MeshEvent {
    /// A node registered.
    Registered(Box<Node>),
    /// A node was approved.
    Approved(Box<Node>),
    /// A node was denied.
    Denied(Box<Node>),
    /// A node was put out.
    Removed(Box<Node>),
    /// A sovereign has voted on a node, and more are needed.
    Voted(Box<Node>),
    /// A node has another key or label.
    Changed(Box<Node>),
    /// A node became active or offline without a decision.
    Status(Box<Node>),
    /// A heartbeat was taken.
    Heartbeat(Box<Node>),
    /// The sovereign keys changed.
    Sovereign(SovereignKeys),
}

impl StreamEvent for MeshEvent {
    fn decode(name: &str, data: &str) -> Result<Option<Self>, serde_json::Error> {
        Ok(Some(match name {
            event::REGISTERED => Self::Registered(serde_json::from_str(data)?),
            event::APPROVED => Self::Approved(serde_json::from_str(data)?),
            event::DENIED => Self::Denied(serde_json::from_str(data)?),
            event::REMOVED => Self::Removed(serde_json::from_str(data)?),
            event::VOTED => Self::Voted(serde_json::from_str(data)?),
            event::CHANGED => Self::Changed(serde_json::from_str(data)?),
            event::STATUS => Self::Status(serde_json::from_str(data)?),
            event::HEARTBEAT => Self::Heartbeat(serde_json::from_str(data)?),
            event::SOVEREIGN => Self::Sovereign(serde_json::from_str(data)?),
            _ => return Ok(None),
        }))
    }
}

impl MeshEvent {
    /// The node that it is about; none for the sovereign keys.
    #[must_use]
    pub fn node(&self) -> Option<&Node> {
        match self {
            Self::Registered(node)
            | Self::Approved(node)
            | Self::Denied(node)
            | Self::Removed(node)
            | Self::Voted(node)
            | Self::Changed(node)
            | Self::Status(node)
            | Self::Heartbeat(node) => Some(node),
            Self::Sovereign(_) => None,
        }
    }
}

/// What the mesh reports but heartbeats: they are most of it, and are not even read.
#[derive(Clone, Debug, PartialEq)]
pub struct MeshChange(pub MeshEvent);

impl StreamEvent for MeshChange {
    fn decode(name: &str, data: &str) -> Result<Option<Self>, serde_json::Error> {
        if name == event::HEARTBEAT {
            return Ok(None);
        }
        Ok(MeshEvent::decode(name, data)?.map(Self))
    }
}

/// A client of one mesh.
#[derive(Clone, Debug)]
pub struct MeshClient(Http);

impl MeshClient {
    /// A client of the mesh at a base URL. Nothing is connected yet.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn new(base: &str) -> Result<Self, ClientError> {
        Http::to("mesh", base).map(Self)
    }

    /// Where it is.
    #[must_use]
    pub fn base(&self) -> &str {
        self.0.base()
    }

    /// Whether it lives and is ready, and what is not.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.0.health().await
    }

    /// How many nodes there are of each status.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn info(&self) -> Result<MeshInfo, ClientError> {
        self.0.get(&["info"]).await
    }

    /// Registers a node.
    ///
    /// # Errors
    /// `already-exists` where the id or key is taken, or another problem.
    pub async fn register(&self, registration: &Register) -> Result<Registered, ClientError> {
        self.0
            .post(&["register"], registration, Repeat::Forbidden)
            .await
    }

    /// The nodes that a filter lets through.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn nodes(&self, filter: &NodeFilter) -> Result<Vec<Node>, ClientError> {
        let query = match filter {
            NodeFilter::All => vec![("status", "all".to_owned())],
            NodeFilter::Status(statuses) => statuses
                .iter()
                .map(|status| ("status", status.as_str().to_owned()))
                .collect(),
        };
        let call = self.0.request(reqwest::Method::GET, &["nodes"]);
        let nodes: Nodes = call.query(query).json().await?;
        Ok(nodes.nodes)
    }

    /// One node.
    ///
    /// # Errors
    /// `not-found` where there is none.
    pub async fn node(&self, id: &NodeId) -> Result<Node, ClientError> {
        let one: OneNode = self.0.get(&["nodes", id.as_str()]).await?;
        Ok(one.node)
    }

    /// Active and offline nodes and who reaches whom.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn topology(&self) -> Result<Topology, ClientError> {
        self.0.get(&["topology"]).await
    }

    /// Validators that are active now.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn validators(&self) -> Result<ActiveValidators, ClientError> {
        self.0.get(&["validators", "active"]).await
    }

    /// Approves, denies or removes a node with a sovereign's key, in the long form that cannot be replayed.
    ///
    /// # Errors
    /// `forbidden` where the key is no sovereign's, `already-decided`, or another problem.
    pub async fn decide(
        &self,
        decision: Decision,
        node: &NodeId,
        node_key: &PublicKey,
        sovereign: &SecretKey,
    ) -> Result<Decided, ClientError> {
        let at = now();
        let signature = sovereign.sign(&message::decision(decision, node, node_key, at));
        self.decide_signed(decision, node, sovereign.public(), at, signature)
            .await
    }

    /// The same, signed elsewhere: `signature` by the key `by` over [`message::decision`] at the time `at`.
    ///
    /// # Errors
    /// As [`MeshClient::decide`].
    pub async fn decide_signed(
        &self,
        decision: Decision,
        node: &NodeId,
        by: PublicKey,
        at: Timestamp,
        signature: Signature,
    ) -> Result<Decided, ClientError> {
        let body = DecisionRequest {
            approver_public_key: by,
            signature,
            timestamp: Some(at),
        };
        self.0
            .post(&[decision.verb(), node.as_str()], &body, Repeat::Forbidden)
            .await
    }

    /// Says where a node is, signed with its own key or a sovereign's; an empty text takes the label off.
    ///
    /// # Errors
    /// `forbidden` where the key is neither, or another problem.
    pub async fn label(
        &self,
        node: &NodeId,
        region: &str,
        by: &SecretKey,
    ) -> Result<Labelled, ClientError> {
        let at = now();
        let signature = by.sign(&message::label(node, at, region));
        self.label_signed(node, region, by.public(), at, signature)
            .await
    }

    /// The same, signed elsewhere over [`message::label`].
    ///
    /// # Errors
    /// As [`MeshClient::label`].
    pub async fn label_signed(
        &self,
        node: &NodeId,
        region: &str,
        by: PublicKey,
        at: Timestamp,
        signature: Signature,
    ) -> Result<Labelled, ClientError> {
        let body = LabelRequest {
            region: region.to_owned(),
            public_key: by,
            timestamp: at,
            signature,
        };
        self.0
            .post(&["label", node.as_str()], &body, Repeat::Forbidden)
            .await
    }

    /// Gives a node another key: the old one names it. `host` is what the node registered as.
    ///
    /// # Errors
    /// `already-exists` where the new key is or was a node's, or another problem.
    pub async fn rotate_node(
        &self,
        node: &NodeId,
        host: &str,
        old: &SecretKey,
        new: &SecretKey,
        services: Vec<ServiceOffer>,
    ) -> Result<Node, ClientError> {
        let at = now();
        let text = message::node_rotate(node, &old.public(), &new.public(), at);
        let registration = message::registration(node.as_str(), &new.public().to_string(), host);
        let body = RotateNode {
            old_public_key: old.public(),
            new_public_key: new.public(),
            timestamp: at,
            services,
            signature: old.sign(&text),
            new_signature: new.sign(&text),
            registration_signature: new.sign(&registration),
        };
        let one: OneNode = self
            .0
            .post(&["rotate", node.as_str()], &body, Repeat::Forbidden)
            .await?;
        Ok(one.node)
    }

    /// Entries of the log of decisions from a number on, the oldest first.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn decisions(&self, from: u64) -> Result<DecisionLog, ClientError> {
        let call = self.0.request(reqwest::Method::GET, &["decisions"]);
        call.query(vec![("from", from.to_string())]).json().await
    }

    /// Says that a node lives. `beat` makes the rest of the body from the signed time and signature.
    ///
    /// # Errors
    /// `node-not-active` while nobody has approved it, or another problem.
    pub async fn heartbeat(&self, beat: &Heartbeat) -> Result<HeartbeatTaken, ClientError> {
        self.0.post(&["heartbeat"], beat, Repeat::Forbidden).await
    }

    /// A heartbeat signed now, with nothing but that the node lives.
    #[must_use]
    pub fn sign_heartbeat(node: &NodeId, key: &SecretKey) -> Heartbeat {
        let at = now();
        Heartbeat {
            node_id: node.clone(),
            timestamp: at,
            tailscale_ip: None,
            services: None,
            height: None,
            peers: None,
            version: None,
            signature: key.sign(&message::heartbeat(node, at)),
        }
    }

    /// The sovereign keys.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn sovereigns(&self) -> Result<SovereignKeys, ClientError> {
        self.0.get(&["sovereign"]).await
    }

    /// Adds a sovereign key, signed by one that is.
    ///
    /// # Errors
    /// `forbidden` where `by` is no sovereign's, or another problem.
    pub async fn add_sovereign(
        &self,
        key: PublicKey,
        description: Option<String>,
        by: &SecretKey,
    ) -> Result<serde_json::Value, ClientError> {
        let at = now();
        let body = AddSovereign {
            public_key: key,
            description,
            added_by: by.public(),
            timestamp: at,
            signature: by.sign(&message::sovereign_add(&key, at)),
        };
        self.0
            .post(&["sovereign", "add"], &body, Repeat::Forbidden)
            .await
    }

    /// Replaces a sovereign key by another.
    ///
    /// # Errors
    /// `forbidden` where `old` is no sovereign's, or another problem.
    pub async fn rotate_sovereign(
        &self,
        old: &SecretKey,
        new: &SecretKey,
    ) -> Result<Rotated, ClientError> {
        let at = now();
        let text = message::sovereign_rotate(&old.public(), &new.public(), at);
        let body = RotateSovereign {
            old_public_key: old.public(),
            new_public_key: new.public(),
            timestamp: at,
            signature: old.sign(&text),
            new_signature: new.sign(&text),
        };
        self.0
            .post(&["sovereign", "rotate"], &body, Repeat::Forbidden)
            .await
    }

    /// Registrations, decisions, heartbeats, as they happen.
    #[must_use]
    pub fn events(&self) -> EventStream<MeshEvent> {
        EventStream::open(self.0.clone(), &["events"], Vec::new())
    }

    /// The same without heartbeats.
    #[must_use]
    pub fn changes(&self) -> EventStream<MeshChange> {
        EventStream::open(self.0.clone(), &["events"], Vec::new())
    }
}

//! The mesh's bodies. The node resource alone keeps the registry's column names.

use serde::{Deserialize, Serialize};

use crate::decisions::Entry;
use crate::hash::Hash32;
use crate::id::NodeId;
use crate::key::{PublicKey, Signature};
use crate::message::Decision;
use crate::service::ServiceKind;
use crate::time::{Timestamp, either, ms};

/// Where a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeStatus {
    /// Waits for a sovereign.
    Pending,
    /// Approved, and heard of.
    Active,
    /// Refused.
    Denied,
    /// Approved, not heard of.
    Offline,
}

impl NodeStatus {
    /// The wire word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Denied => "denied",
            Self::Offline => "offline",
        }
    }
}

impl std::fmt::Display for NodeStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for NodeStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Pending, Self::Active, Self::Denied, Self::Offline]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("no node status is called {text:?}; there are pending, active, denied, offline and all"))
    }
}

/// A service that a node offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceOffer {
    /// Its name. Older nodes offer services that this version does not know.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its port.
    pub port: u16,
    /// What it signs its tokens with.
    pub public_key: PublicKey,
}

/// `POST /register`. Texts that are signed are kept in the spelling in which they were signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Register {
    /// The node's name.
    pub node_id: String,
    /// The node's key.
    pub public_key: String,
    /// Its host name in the private network.
    pub tailscale_hostname: String,
    /// Its address there.
    #[serde(
        rename = "tailscaleIP",
        alias = "tailscaleIp",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub tailscale_ip: Option<String>,
    /// What it offers.
    pub services: Vec<ServiceOffer>,
    /// By the node's key, over the registration message.
    pub signature: Signature,
}

/// The answer to `POST /register`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    /// Always true.
    pub success: bool,
    /// The node.
    pub node_id: NodeId,
    /// `pending`.
    pub status: NodeStatus,
    /// In words.
    pub message: String,
}

/// A service of a node, as the registry answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeService {
    /// Its name.
    pub service_type: String,
    /// The same.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its port.
    pub port: u16,
    /// What it signs its tokens with.
    pub public_key: PublicKey,
    /// The same, for readers of `/topology`.
    #[serde(rename = "publicKey", default, skip_serializing_if = "Option::is_none")]
    pub topology_key: Option<PublicKey>,
    /// As its last heartbeat said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
    /// When the node looked last.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "either::option"
    )]
    pub last_check: Option<Timestamp>,
}

/// A node, as the registry answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// The node's name.
    pub id: NodeId,
    /// The node's key.
    pub public_key: PublicKey,
    /// Its host name.
    pub tailscale_hostname: String,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tailscale_ip: Option<String>,
    /// Where it stands.
    pub status: NodeStatus,
    /// When it registered.
    #[serde(with = "ms")]
    pub registered_at: Timestamp,
    /// When it was approved.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "ms::option")]
    pub approved_at: Option<Timestamp>,
    /// By which sovereign key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<PublicKey>,
    /// When it was last heard of.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "ms::option")]
    pub last_heartbeat: Option<Timestamp>,
    /// What it offers.
    pub services: Vec<NodeService>,
    /// By the node's key, over the registration message; readers check it themselves.
    pub registration_signature: Signature,
    /// The public key as it was spelt in the registration, which the signature covers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_key_text: Option<String>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// What it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its chain's height, as its last heartbeat said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// How it has been, and what is being decided on it.
    #[serde(flatten)]
    pub record: NodeRecord,
}

/// How a node has been, and what is being decided on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// When a sovereign put it out again.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "either::option"
    )]
    pub removed_at: Option<Timestamp>,
    /// How much of the last 30 days, or of the time since its approval, it was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime: Option<Percent>,
    /// Of a node that produces blocks: those that the chain grew by in the last 30 days while it was away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks_missed: Option<u64>,
    /// Sovereigns' votes where more of them are needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<Vote>,
}

/// A sovereign's vote on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// What for.
    pub decision: Decision,
    /// The sovereign's key.
    pub by: PublicKey,
    /// When it was taken.
    #[serde(with = "either")]
    pub at: Timestamp,
}

/// A share between 0 and 100 percent, in hundredths of a percent; on the wire a number such as `99.98`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u16);

impl Percent {
    /// `part` of `whole`; all of it where there is no whole.
    #[must_use]
    pub fn of(part: u64, whole: u64) -> Self {
        if part >= whole {
            return Self(10_000);
        }
        let share = u128::from(part) * 10_000 / u128::from(whole);
        Self(u16::try_from(share).unwrap_or(10_000))
    }

    /// In hundredths of a percent.
    #[must_use]
    pub const fn hundredths(self) -> u16 {
        self.0
    }
}

impl std::fmt::Display for Percent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{}.{:02} %", self.0 / 100, self.0 % 100))
    }
}

impl Serialize for Percent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0) / 100.0)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let percent = f64::deserialize(deserializer)?;
        if !(0.0..=100.0).contains(&percent) {
            return Err(serde::de::Error::custom(
                "a percentage lies between 0 and 100",
            ));
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 10 000"
        )]
        Ok(Self((percent * 100.0).round() as u16))
    }
}

impl Node {
    /// The host that this node is reached at: its address in the private network, else its name.
    #[must_use]
    pub fn host(&self) -> String {
        self.tailscale_ip.as_deref().map_or_else(
            || self.tailscale_hostname.clone(),
            |ip| {
                if ip.contains(':') {
                    format!("[{ip}]")
                } else {
                    ip.to_owned()
                }
            },
        )
    }

    /// Where a service of this node is asked; `None` where it offers none.
    #[must_use]
    pub fn service_url(&self, service: ServiceKind) -> Option<String> {
        let offered = self
            .services
            .iter()
            .find(|offered| offered.service_type == service.name())?;
        Some(format!("http://{}:{}", self.host(), offered.port))
    }

    /// Checks the registration's signature here, whatever the registry says of it.
    ///
    /// # Errors
    /// When the signature does not fit.
    pub fn verify_registration(&self) -> Result<(), crate::key::KeyError> {
        let spelt = self
            .registration_key_text
            .clone()
            .unwrap_or_else(|| self.public_key.to_string());
        if spelt.parse() != Ok(self.public_key) {
            return Err(crate::key::KeyError::Mismatch);
        }
        let message =
            crate::message::registration(self.id.as_str(), &spelt, &self.tailscale_hostname);
        self.public_key
            .verify(&message, &self.registration_signature)
    }
}

/// `GET /nodes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nodes {
    /// The nodes that were asked for.
    pub nodes: Vec<Node>,
}

/// `GET /nodes/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneNode {
    /// The node.
    pub node: Node,
}

/// Who reaches whom, and how fast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Who measured.
    pub from: NodeId,
    /// Whom.
    pub to: NodeId,
    /// The round trip, in milliseconds.
    pub latency_ms: u32,
    /// When.
    #[serde(with = "either")]
    pub at: Timestamp,
}

/// `GET /topology`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// Active and offline nodes.
    pub nodes: Vec<Node>,
    /// What they reported.
    pub links: Vec<Link>,
}

/// `GET /info`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshInfo {
    /// `mesh`.
    pub service: String,
    /// How many nodes there are.
    pub nodes: NodeCounts,
    /// Where the log of decisions ends: who remembers it notices when the end is cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decisions: Option<LogEnd>,
}

/// Where the log of decisions ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEnd {
    /// Number of the last entry; 0 where there is none.
    pub count: u64,
    /// Its hash.
    pub hash: Hash32,
}

/// `GET /decisions`, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionLog {
    /// The entries that were asked for; [`crate::decisions::check_log`] checks them.
    pub decisions: Vec<Entry>,
    /// Where the log ends.
    #[serde(flatten)]
    pub end: LogEnd,
}

/// How many nodes there are of each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeCounts {
    /// Wait for a sovereign.
    pub pending: u64,
    /// Approved, and heard of.
    pub active: u64,
    /// Approved, not heard of.
    pub offline: u64,
    /// All, the denied ones too.
    pub total: u64,
}

/// `POST /approve/{id}`, `/deny/{id}` and `/remove/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRequest {
    /// The sovereign's key.
    pub approver_public_key: PublicKey,
    /// Over the decision message: the long form where `timestamp` is there.
    pub signature: Signature,
    /// When it was signed.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "ms::option")]
    pub timestamp: Option<Timestamp>,
}

/// The answer to a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    /// Always true.
    pub success: bool,
    /// The node.
    pub node_id: NodeId,
    /// Where it stands now.
    pub status: NodeStatus,
    /// Where more sovereigns are needed: how many have voted so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub votes: Option<usize>,
    /// Where more sovereigns are needed: how many decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed: Option<usize>,
}

/// `POST /label/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelRequest {
    /// Where the node is; empty takes the label off.
    pub region: String,
    /// The node's own key or a sovereign's.
    pub public_key: PublicKey,
    /// When it was signed.
    #[serde(with = "ms")]
    pub timestamp: Timestamp,
    /// By `public_key`.
    pub signature: Signature,
}

/// The answer to a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Labelled {
    /// Always true.
    pub success: bool,
    /// The node.
    pub node_id: NodeId,
    /// Its label now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// `POST /rotate/{id}`: another key for a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RotateNode {
    /// The key that ends.
    pub old_public_key: PublicKey,
    /// The key that follows.
    pub new_public_key: PublicKey,
    /// When it was signed.
    #[serde(with = "ms")]
    pub timestamp: Timestamp,
    /// What the node offers, with its services' new keys.
    pub services: Vec<ServiceOffer>,
    /// By the old key, over the rotation's message.
    pub signature: Signature,
    /// By the new key, over the same.
    pub new_signature: Signature,
    /// By the new key, over the registration message with the new key in its usual form.
    pub registration_signature: Signature,
}

/// A service's health, as a node reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceHealth {
    /// Its name.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it is ready.
    pub healthy: bool,
    /// When the node looked last.
    #[serde(with = "either")]
    pub last_check: Timestamp,
}

/// A peer that a node reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerLatency {
    /// The peer.
    pub node_id: NodeId,
    /// The round trip, in milliseconds.
    pub latency_ms: u32,
}

/// `POST /heartbeat`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    /// Who lives.
    pub node_id: NodeId,
    /// When it was signed.
    #[serde(with = "ms")]
    pub timestamp: Timestamp,
    /// The node's address, when it has changed.
    #[serde(
        rename = "tailscaleIP",
        alias = "tailscaleIp",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub tailscale_ip: Option<String>,
    /// How its services are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<Vec<ServiceHealth>>,
    /// Its chain's height.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// Whom it reaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peers: Option<Vec<PeerLatency>>,
    /// What it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// By the node's key, over the heartbeat message.
    pub signature: Signature,
}

/// The answer to a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatTaken {
    /// Always true.
    pub success: bool,
    /// The server's clock.
    #[serde(with = "either")]
    pub timestamp: Timestamp,
}

/// A validator that is active now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveValidator {
    /// The node.
    pub id: NodeId,
    /// Its key.
    pub public_key: PublicKey,
    /// Where its consensus listens.
    pub ws_url: String,
    /// When it was last heard of.
    #[serde(with = "either")]
    pub last_seen: Timestamp,
}

/// `GET /validators/active`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveValidators {
    /// Those that are active now.
    pub validators: Vec<ActiveValidator>,
}

/// A sovereign key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SovereignKey {
    /// The key.
    pub public_key: PublicKey,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Since when.
    pub added_at: Timestamp,
    /// Until when it still decides on nodes: another one replaces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// The key that replaces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<PublicKey>,
}

/// `GET /sovereign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SovereignKeys {
    /// All that are valid now.
    pub keys: Vec<SovereignKey>,
    /// How many sovereigns a decision needs.
    #[serde(default = "one")]
    pub threshold: usize,
}

const fn one() -> usize {
    1
}

/// `POST /sovereign/add`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddSovereign {
    /// The new key.
    pub public_key: PublicKey,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The sovereign key that adds it.
    pub added_by: PublicKey,
    /// When it was signed.
    #[serde(with = "ms")]
    pub timestamp: Timestamp,
    /// By `added_by`.
    pub signature: Signature,
}

/// `POST /sovereign/rotate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RotateSovereign {
    /// The key that ends.
    pub old_public_key: PublicKey,
    /// The key that follows.
    pub new_public_key: PublicKey,
    /// When it was signed.
    #[serde(with = "ms")]
    pub timestamp: Timestamp,
    /// By the old key.
    pub signature: Signature,
    /// By the new key.
    pub new_signature: Signature,
}

/// The answer to a rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotated {
    /// Always true.
    pub success: bool,
    /// Until when the old key is still honoured.
    pub overlap_until: Timestamp,
}

/// `POST /sovereign/verify`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifySovereign {
    /// What was signed.
    pub message: String,
    /// By a sovereign.
    pub signature: Signature,
    /// By which; any of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<PublicKey>,
}

/// The answer to `POST /sovereign/verify`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SovereignVerified {
    /// Always true.
    pub valid: bool,
    /// The key that signed.
    pub public_key: PublicKey,
}

/// Names of the mesh's SSE events. Each but `sovereign` carries a [`Node`].
pub mod event {
    /// A node registered.
    pub const REGISTERED: &str = "registered";
    /// A node was approved.
    pub const APPROVED: &str = "approved";
    /// A node was denied.
    pub const DENIED: &str = "denied";
    /// A node was put out that had been let in.
    pub const REMOVED: &str = "removed";
    /// A sovereign has voted on a node, and more are needed.
    pub const VOTED: &str = "voted";
    /// A node has another key or label.
    pub const CHANGED: &str = "changed";
    /// A node became active or offline without a decision.
    pub const STATUS: &str = "status";
    /// A heartbeat was taken.
    pub const HEARTBEAT: &str = "heartbeat";
    /// The sovereign keys changed; carries [`super::SovereignKeys`].
    pub const SOVEREIGN: &str = "sovereign";
}

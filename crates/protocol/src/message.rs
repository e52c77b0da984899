//! The short canonical messages that nodes, sovereigns and phones sign (design §4). The transaction's is in
//! [`crate::transaction`], the service token's in [`crate::token`].
//!
//! Phones and nodes of this network sign these texts; not a byte of them may vary.

use serde::Serialize;

use crate::id::NodeId;
use crate::json::compact;
use crate::key::PublicKey;
use crate::time::Timestamp;

/// What a node signs to register: `{"nodeId","publicKey","tailscaleHostname"}`, each as it was sent.
#[must_use]
pub fn registration(node_id: &str, public_key: &str, tailscale_hostname: &str) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Message<'a> {
        node_id: &'a str,
        public_key: &'a str,
        tailscale_hostname: &'a str,
    }
    compact(&Message {
        node_id,
        public_key,
        tailscale_hostname,
    })
}

/// A sovereign's decision on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Let it in.
    Approve,
    /// Keep it out.
    Deny,
    /// Put it out that was let in.
    Remove,
}

impl Decision {
    /// The word that the message begins with and the path contains.
    #[must_use]
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Remove => "remove",
        }
    }
}

impl std::str::FromStr for Decision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Approve, Self::Deny, Self::Remove]
            .into_iter()
            .find(|decision| decision.verb() == text)
            .ok_or_else(|| format!("no decision is called {text:?}"))
    }
}

/// The old form of a decision, `approve:<nodeId>`. It can be replayed, so it is honoured only for a node that has
/// never been decided on.
#[must_use]
pub fn decision_short(decision: Decision, node_id: &NodeId) -> String {
    format!("{}:{node_id}", decision.verb())
}

/// What our own clients sign: `approve:<nodeId>:<node public key>:<timestamp>`.
#[must_use]
pub fn decision(
    decision: Decision,
    node_id: &NodeId,
    node_key: &PublicKey,
    at: Timestamp,
) -> String {
    format!("{}:{node_id}:{node_key}:{}", decision.verb(), at.ms())
}

/// What a node signs to say that it lives.
#[must_use]
pub fn heartbeat(node_id: &NodeId, at: Timestamp) -> String {
    format!("heartbeat:{node_id}:{}", at.ms())
}

/// What a node, or a sovereign, signs to say where the node is: `label:<nodeId>:<timestamp>:<region>`, the region empty to
/// take the label off.
#[must_use]
pub fn label(node_id: &NodeId, at: Timestamp, region: &str) -> String {
    format!("label:{node_id}:{}:{region}", at.ms())
}

/// What the old and the new key of a node sign when one replaces the other.
#[must_use]
pub fn node_rotate(node_id: &NodeId, old: &PublicKey, new: &PublicKey, at: Timestamp) -> String {
    format!("node:rotate:{node_id}:{old}:{new}:{}", at.ms())
}

/// What a sovereign signs to add another sovereign key.
#[must_use]
pub fn sovereign_add(key: &PublicKey, at: Timestamp) -> String {
    format!("sovereign:add:{key}:{}", at.ms())
}

/// What the old and the new key sign when one replaces the other.
#[must_use]
pub fn sovereign_rotate(old: &PublicKey, new: &PublicKey, at: Timestamp) -> String {
    format!("sovereign:rotate:{old}:{new}:{}", at.ms())
}

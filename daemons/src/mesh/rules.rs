//! What the mesh accepts, as functions over values: no clock, no database.

use std::net::IpAddr;
use std::time::Duration;

use tana_protocol::api::mesh::{
    AddSovereign, DecisionRequest, Heartbeat, LabelRequest, Node, NodeRecord, NodeService,
    NodeStatus, Register, RotateNode, RotateSovereign, ServiceOffer,
};
use tana_protocol::message::{self, Decision};
use tana_protocol::{NodeId, PublicKey, Signature, Timestamp};
use tana_store::mesh::{Beat, KeyChange, Label, NodeDecision, NodeRotation, Sovereign};

use super::error::MeshError;

/// How far a signed time may lie from the mesh's clock.
const WINDOW: Duration = Duration::from_secs(60);
/// Services that one node may offer.
const SERVICES: usize = 32;
/// Peers that one heartbeat may name.
const PEERS: usize = 1000;
/// Heights beyond are refused: JavaScript knows no higher whole number.
const HIGHEST: u64 = 1 << 53;
/// A removal that was signed over a key still counts so long after the node has changed it.
const FORMER: Duration = Duration::from_secs(3600);
/// Between two keys of a node. It bounds how many keys a removal is checked with.
const SETTLES: Duration = Duration::from_secs(60);
/// Longer texts are refused: host names end at 253.
const TEXT: usize = 253;
/// Longer labels are refused.
const REGION: usize = 64;

type Rule<T> = Result<T, MeshError>;

fn malformed<T>(why: impl Into<String>) -> Rule<T> {
    Err(MeshError::Malformed(why.into()))
}

fn fresh(signed: Timestamp, now: Timestamp) -> Rule<()> {
    let distance = signed.distance(now);
    if distance > WINDOW {
        Err(MeshError::Stale(distance))
    } else {
        Ok(())
    }
}

fn signed(key: &PublicKey, message: &str, signature: &Signature) -> Rule<()> {
    key.verify(message, signature)
        .map_err(|_| MeshError::Signature(format!("the message {message:?} and the key {key}")))
}

fn address(text: Option<String>) -> Rule<Option<String>> {
    match text {
        Some(text) if text.is_empty() => Ok(None),
        Some(text) if text.parse::<IpAddr>().is_err() => malformed(format!(
            "tailscaleIP is {:?}; it must be an IP address",
            shortened(&text)
        )),
        other => Ok(other),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

/// A registration: ids and texts of the right form, signed by the node's key over the texts as they were sent.
pub(super) fn registration(request: Register, now: Timestamp) -> Rule<Node> {
    let id: NodeId = match request.node_id.parse() {
        Ok(id) => id,
        Err(error) => return malformed(format!("nodeId: {error}")),
    };
    let public_key: PublicKey = match request.public_key.parse() {
        Ok(key) => key,
        Err(error) => return malformed(format!("publicKey: {error}")),
    };
    let host = &request.tailscale_hostname;
    if host.is_empty() || host.len() > TEXT || host.chars().any(char::is_control) {
        return malformed("tailscaleHostname must be a host name of 1 to 253 characters");
    }
    let services = offers(request.services)?;
    let message = message::registration(&request.node_id, &request.public_key, host);
    signed(&public_key, &message, &request.signature)?;
    Ok(Node {
        id,
        public_key,
        tailscale_ip: address(request.tailscale_ip)?,
        tailscale_hostname: request.tailscale_hostname,
        status: NodeStatus::Pending,
        registered_at: now,
        approved_at: None,
        approved_by: None,
        last_heartbeat: None,
        services,
        registration_signature: request.signature,
        registration_key_text: Some(request.public_key),
        region: None,
        version: None,
        height: None,
        record: NodeRecord::default(),
    })
}

fn offers(services: Vec<ServiceOffer>) -> Rule<Vec<NodeService>> {
    if services.len() > SERVICES {
        return malformed(format!("a node offers at most {SERVICES} services"));
    }
    let mut offers: Vec<NodeService> = Vec::with_capacity(services.len());
    for ServiceOffer {
        kind,
        port,
        public_key,
    } in services
    {
        let named = (1..=32).contains(&kind.len())
            && kind
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
        if !named {
            return malformed(format!(
                "a service's type is 1 to 32 of a-z, 0-9, - and _, not {:?}",
                shortened(&kind)
            ));
        }
        if offers.iter().any(|offer| offer.kind == kind) {
            return malformed(format!("the service {kind} is listed twice"));
        }
        offers.push(NodeService {
            service_type: kind.clone(),
            kind,
            port,
            public_key,
            topology_key: None,
            healthy: None,
            last_check: None,
        });
    }
    Ok(offers)
}

fn before(now: Timestamp, by: Duration) -> Timestamp {
    let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_ms(now.ms().saturating_sub(by))
}

/// Since when a node's former keys are asked for.
pub(super) fn former_since(now: Timestamp) -> Timestamp {
    before(now, FORMER)
}

/// A sovereign's decision on a node: a known key, the right signature, a fresh time; the short form, which can be
/// replayed, only for a node that nobody has decided on. A removal may be signed over one of the node's former keys: it
/// would otherwise get away from it by changing its key. Whether the node is still undecided when the decision is
/// written is the store's to say.
pub(super) fn decision(
    wanted: Decision,
    node: &Node,
    former: &[PublicKey],
    request: &DecisionRequest,
    sovereigns: &[Sovereign],
    now: Timestamp,
) -> Rule<NodeDecision> {
    let by = request.approver_public_key;
    if !sovereigns.iter().any(|known| known.public_key == by) {
        return Err(MeshError::NotSovereign(by));
    }
    let over = |key: &PublicKey| match request.timestamp {
        Some(at) => message::decision(wanted, &node.id, key, at),
        None => message::decision_short(wanted, &node.id),
    };
    if request.timestamp.is_none() && wanted == Decision::Remove {
        return malformed("a removal needs the timestamp that was signed");
    }
    let seen = former
        .iter()
        .find(|key| by.verify(&over(key), &request.signature).is_ok());
    let node_key = seen.copied().unwrap_or(node.public_key);
    let message = over(&node_key);
    signed(&by, &message, &request.signature)?;
    if let Some(at) = request.timestamp {
        fresh(at, now)?;
    }
    Ok(NodeDecision {
        node_id: node.id.clone(),
        node_key,
        decision: wanted,
        by,
        at: now,
        signed_at: request.timestamp,
        message,
        signature: request.signature,
    })
}

/// How many sovereigns a decision needs: as many as are configured, and never more than there are. A key that is being
/// replaced and the one that follows it are one sovereign.
pub(super) fn needed(threshold: usize, sovereigns: &[Sovereign]) -> usize {
    let there = sovereigns
        .iter()
        .filter(|known| known.ends_at.is_none())
        .count();
    threshold.min(there).max(1)
}

/// How many sovereigns these votes are of.
pub(super) fn voters(votes: &[PublicKey], sovereigns: &[Sovereign]) -> usize {
    let mut distinct: Vec<PublicKey> = votes
        .iter()
        .filter_map(|key| successor(key, sovereigns))
        .collect();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.len()
}

/// The key that a sovereign has in the end; `None` where the key is no sovereign's any more.
fn successor(key: &PublicKey, sovereigns: &[Sovereign]) -> Option<PublicKey> {
    let mut last = sovereigns.iter().find(|known| known.public_key == *key)?;
    // Each key follows another once, so this ends.
    for _ in 0..sovereigns.len() {
        let next = last
            .replaced_by
            .and_then(|next| sovereigns.iter().find(|known| known.public_key == next));
        match next {
            Some(next) => last = next,
            None => break,
        }
    }
    Some(last.public_key)
}

/// Where a node is, as its operator or a sovereign says.
pub(super) fn label(
    request: LabelRequest,
    node: &Node,
    sovereigns: &[Sovereign],
    now: Timestamp,
) -> Rule<Label> {
    let by = request.public_key;
    if !sovereigns.iter().any(|known| known.public_key == by) {
        if by != node.public_key {
            return Err(MeshError::MayNotLabel(by, node.id.clone()));
        }
        // Each label is in the log for ever, and anybody can register.
        if !matches!(node.status, NodeStatus::Active | NodeStatus::Offline) {
            return Err(MeshError::NotMember(node.id.clone(), node.status));
        }
    }
    let region = request.region;
    if region.len() > REGION || region.chars().any(char::is_control) || region.trim() != region {
        return malformed(format!(
            "region is a text of at most {REGION} bytes, such as eu-west or Lisbon"
        ));
    }
    let message = message::label(&node.id, request.timestamp, &region);
    signed(&by, &message, &request.signature)?;
    fresh(request.timestamp, now)?;
    Ok(Label {
        node_id: node.id.clone(),
        region: (!region.is_empty()).then_some(region),
        by,
        at: now,
        signed_at: request.timestamp,
        message,
        signature: request.signature,
    })
}

/// Another key for a node: old and new sign the same text, and the new one the registration, which readers check.
pub(super) fn node_rotation(
    request: RotateNode,
    node: &Node,
    now: Timestamp,
) -> Rule<NodeRotation> {
    let (old, new) = (request.old_public_key, request.new_public_key);
    if old != node.public_key {
        return Err(MeshError::NotItsKey(old, node.id.clone()));
    }
    let message = message::node_rotate(&node.id, &old, &new, request.timestamp);
    signed(&old, &message, &request.signature)?;
    signed(&new, &message, &request.new_signature)?;
    let registration =
        message::registration(node.id.as_str(), &new.to_string(), &node.tailscale_hostname);
    signed(&new, &registration, &request.registration_signature)?;
    fresh(request.timestamp, now)?;
    Ok(NodeRotation {
        node_id: node.id.clone(),
        old,
        new,
        services: offers(request.services)?,
        at: now,
        settled: before(now, SETTLES),
        message,
        signature: request.signature,
        registration_signature: request.registration_signature,
    })
}

/// A heartbeat: signed by the node's key, fresh. Whether its time was used before is the store's to say.
pub(super) fn heartbeat(request: Heartbeat, node: &Node, now: Timestamp) -> Rule<Beat> {
    let message = message::heartbeat(&request.node_id, request.timestamp);
    signed(&node.public_key, &message, &request.signature)?;
    fresh(request.timestamp, now)?;
    let services = request.services.unwrap_or_default();
    if services.len() > SERVICES {
        return malformed(format!("a heartbeat names at most {SERVICES} services"));
    }
    if request
        .peers
        .as_ref()
        .is_some_and(|peers| peers.len() > PEERS)
    {
        return malformed(format!("a heartbeat names at most {PEERS} peers"));
    }
    if request.height.is_some_and(|height| height > HIGHEST) {
        return malformed(format!("height is at most {HIGHEST}"));
    }
    if request.version.as_ref().is_some_and(|text| text.len() > 64) {
        return malformed("version has at most 64 characters");
    }
    Ok(Beat {
        node_id: request.node_id,
        signed_at: request.timestamp,
        received_at: now,
        tailscale_ip: address(request.tailscale_ip)?,
        services,
        height: request.height,
        version: request.version,
        peers: request.peers,
    })
}

fn description(text: Option<String>) -> Rule<Option<String>> {
    if text.as_ref().is_some_and(|text| text.len() > TEXT) {
        return malformed(format!("description has at most {TEXT} bytes"));
    }
    Ok(text)
}

/// The key that adds or replaces one: a sovereign's, and not itself being replaced. A stolen old key could otherwise
/// undo its replacement.
fn may_change_keys(by: &PublicKey, sovereigns: &[Sovereign]) -> Rule<()> {
    match sovereigns.iter().find(|known| known.public_key == *by) {
        None => Err(MeshError::NotSovereign(*by)),
        Some(known) if known.ends_at.is_some() => Err(MeshError::BeingReplaced(*by)),
        Some(_) => Ok(()),
    }
}

/// A sovereign adds a key.
pub(super) fn addition(
    request: AddSovereign,
    sovereigns: &[Sovereign],
    now: Timestamp,
) -> Rule<KeyChange> {
    may_change_keys(&request.added_by, sovereigns)?;
    let message = message::sovereign_add(&request.public_key, request.timestamp);
    signed(&request.added_by, &message, &request.signature)?;
    fresh(request.timestamp, now)?;
    Ok(KeyChange {
        key: request.public_key,
        description: description(request.description)?,
        by: request.added_by,
        at: now,
        signed_at: request.timestamp,
        message,
        signature: request.signature,
    })
}

/// A sovereign replaces its key: old and new sign the same text.
pub(super) fn rotation(
    request: &RotateSovereign,
    sovereigns: &[Sovereign],
    now: Timestamp,
) -> Rule<KeyChange> {
    let (old, new) = (request.old_public_key, request.new_public_key);
    may_change_keys(&old, sovereigns)?;
    let message = message::sovereign_rotate(&old, &new, request.timestamp);
    signed(&old, &message, &request.signature)?;
    signed(&new, &message, &request.new_signature)?;
    fresh(request.timestamp, now)?;
    let described = sovereigns
        .iter()
        .find(|known| known.public_key == old)
        .and_then(|known| known.description.clone());
    Ok(KeyChange {
        key: new,
        description: described,
        by: old,
        at: now,
        signed_at: request.timestamp,
        message,
        signature: request.signature,
    })
}

/// Which sovereign signed a text.
pub(super) fn signer(
    text: &str,
    signature: &Signature,
    claimed: Option<PublicKey>,
    sovereigns: &[Sovereign],
) -> Rule<PublicKey> {
    if let Some(key) = claimed {
        if !sovereigns.iter().any(|known| known.public_key == key) {
            return Err(MeshError::NotSovereign(key));
        }
        return key
            .verify(text, signature)
            .map(|()| key)
            .map_err(|_| MeshError::Signature(format!("the message and the key {key}")));
    }
    sovereigns
        .iter()
        .map(|known| known.public_key)
        .find(|key| key.verify(text, signature).is_ok())
        .ok_or(MeshError::NoSovereignSigned)
}

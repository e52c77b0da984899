//! What waits for a sovereign, and whether its registration's signature verifies, checked here.

use std::collections::HashMap;

use std::time::Duration;

use tana_protocol::api::approval::RequestView;
use tana_protocol::api::mesh::{Node, SovereignKey};
use tana_protocol::decision::DecisionCode;
use tana_protocol::login::RequestId;
use tana_protocol::message::Decision;
use tana_protocol::{NodeId, PublicKey, ServiceKind, Signature, Timestamp};

use crate::agent::AgentKey;
use crate::sign::With;
use crate::widgets::cursor::Cursor;

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) cursor: Cursor<Key>,
    /// What phones are asked to sign, the newest first.
    pub(crate) requests: Vec<RequestView>,
    /// Why they are not known.
    pub(crate) unknown: Option<String>,
    /// When they were asked for last.
    pub(crate) asked: Option<Timestamp>,
    /// What was checked: the key and signature, and whether they fit. Checked again when either changes.
    pub(crate) checked: HashMap<NodeId, (PublicKey, Signature, Check)>,
    pub(crate) sovereigns: Vec<SovereignKey>,
    /// What an ssh-agent holds here.
    pub(crate) agent: Vec<AgentKey>,
    /// Which of the keys that can sign is to.
    pub(crate) signer: usize,
}

/// The requests are asked for again after so long, while the screen is in view.
pub(crate) const ASK: Duration = Duration::from_secs(5);

/// A key that can sign a decision here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignKey {
    /// A phone's is not known here.
    pub(crate) key: Option<PublicKey>,
    /// Where it is: the key file, the ssh-agent's comment, or a phone.
    pub(crate) place: String,
    pub(crate) with: With,
}

/// The keys that can sign: the file of `TANA_HOME`, those of the ssh-agent that are a sovereign's, then a phone's.
pub(crate) fn signers(model: &crate::model::Model) -> Vec<SignKey> {
    let file = model.here.sovereign.map(|key| SignKey {
        key: Some(key),
        place: format!(
            "{}/sovereign-key.json{}",
            model.here.home,
            if model.here.sealed { ", sealed" } else { "" }
        ),
        with: With::File(None),
    });
    let approvals = &model.approvals;
    let agent = approvals
        .agent
        .iter()
        .filter(|a| approvals.sovereigns.iter().any(|s| s.public_key == a.key))
        .map(|a| SignKey {
            key: Some(a.key),
            place: format!("ssh-agent, {}", crate::show::clean(&a.comment)),
            with: With::Agent(a.key),
        });
    let phone = SignKey {
        key: None,
        place: "a phone that scans the message".to_owned(),
        with: With::Phone,
    };
    file.into_iter().chain(agent).chain([phone]).collect()
}

/// The one that is to sign.
pub(crate) fn signer(model: &crate::model::Model) -> SignKey {
    let mut signers = signers(model);
    let at = model.approvals.signer % signers.len();
    signers.swap_remove(at)
}

/// A decision that a phone is to scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scan {
    pub(crate) node: NodeId,
    pub(crate) key: PublicKey,
    pub(crate) decision: Decision,
    /// The time that is signed.
    pub(crate) at: Timestamp,
}

impl Scan {
    /// A mesh takes a signed time for a minute; a phone has half of it at the least.
    pub(crate) const FRESH: Duration = Duration::from_secs(30);

    /// What the code says; nothing where it is not known which mesh is asked.
    pub(crate) fn code(&self, model: &crate::model::Model) -> Option<DecisionCode> {
        let services = model.node.iter().flat_map(|node| &node.services);
        let told = services
            .filter(|s| s.name == ServiceKind::Mesh && model.here.remote.is_none())
            .find_map(|s| s.url.clone());
        Some(DecisionCode {
            decision: self.decision,
            node_id: self.node.clone(),
            node_key: self.key,
            at: self.at,
            server: told.as_deref().unwrap_or(&model.here.mesh).parse().ok()?,
        })
    }
}

/// Whether a registration's signature fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    Fits,
    Wrong,
}

/// What is told apart in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    Node(NodeId),
    Request(RequestId),
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Node(id) => id.fmt(f),
            Self::Request(id) => id.fmt(f),
        }
    }
}

/// A row of the list.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Waits<'a> {
    /// For a sovereign.
    Node(&'a Node),
    /// For its user's phone.
    Request(&'a RequestView),
}

impl Waits<'_> {
    pub(crate) fn key(&self) -> Key {
        match self {
            Self::Node(node) => Key::Node(node.id.clone()),
            Self::Request(request) => Key::Request(request.request_id.clone()),
        }
    }
}

/// Whether the text that a phone is asked to sign says what the request says.
pub(crate) fn reads_as_it_says(request: &RequestView) -> Check {
    if request.transaction.message() == request.message {
        Check::Fits
    } else {
        Check::Wrong
    }
}

/// The rows in view: nodes, the one that waits longest first, then what phones are asked.
pub(crate) fn rows(model: &crate::model::Model) -> Vec<Waits<'_>> {
    let nodes = model.mesh.pending().into_iter();
    let nodes = nodes.filter(|n| model.keeps(&format!("{} {}", n.id, n.tailscale_hostname)));
    let now = model.clock.now;
    let requests = model.approvals.requests.iter();
    let requests = requests.filter(|r| r.expires_at > now).filter(|r| {
        let app = r.app_name.as_deref().unwrap_or_default();
        let transaction = &r.transaction;
        model.keeps(&format!(
            "{} {} {} {} {app}",
            r.request_id,
            transaction.kind,
            transaction.from.as_str(),
            transaction.to.as_str()
        ))
    });
    nodes
        .map(Waits::Node)
        .chain(requests.map(Waits::Request))
        .collect()
}

pub(crate) fn keys(model: &crate::model::Model) -> Vec<Key> {
    rows(model).iter().map(Waits::key).collect()
}

/// The row under the cursor.
pub(crate) fn chosen(model: &crate::model::Model) -> Option<Waits<'_>> {
    model.approvals.cursor.pick(rows(model), Waits::key)
}

/// The node under the cursor.
pub(crate) fn selected(model: &crate::model::Model) -> Option<&Node> {
    match chosen(model)? {
        Waits::Node(node) => Some(node),
        Waits::Request(_) => None,
    }
}

pub(crate) fn check(model: &crate::model::Model, node: &NodeId) -> Option<Check> {
    model
        .approvals
        .checked
        .get(node)
        .map(|(_, _, check)| *check)
}

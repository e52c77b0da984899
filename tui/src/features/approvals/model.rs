//! What waits for a sovereign, and whether its registration's signature verifies, checked here.

use std::collections::HashMap;

use std::time::Duration;

use tana_protocol::api::mesh::{Node, SovereignKey};
use tana_protocol::decision::DecisionCode;
use tana_protocol::message::Decision;
use tana_protocol::{NodeId, PublicKey, ServiceKind, Signature, Timestamp};

use crate::agent::AgentKey;
use crate::sign::With;
use crate::widgets::cursor::Cursor;

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) cursor: Cursor<NodeId>,
    /// What was checked: the key and signature, and whether they fit. Checked again when either changes.
    pub(crate) checked: HashMap<NodeId, (PublicKey, Signature, Check)>,
    pub(crate) sovereigns: Vec<SovereignKey>,
    /// What an ssh-agent holds here.
    pub(crate) agent: Vec<AgentKey>,
    /// Which of the keys that can sign is to.
    pub(crate) signer: usize,
}

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

/// The rows in view, the one that waits longest first.
pub(crate) fn rows(model: &crate::model::Model) -> Vec<&Node> {
    let mut rows = model.mesh.pending();
    rows.retain(|n| model.keeps(&format!("{} {}", n.id, n.tailscale_hostname)));
    rows
}

pub(crate) fn keys(model: &crate::model::Model) -> Vec<NodeId> {
    rows(model).iter().map(|n| n.id.clone()).collect()
}

pub(crate) fn selected(model: &crate::model::Model) -> Option<&Node> {
    model.approvals.cursor.pick(rows(model), |n| n.id.clone())
}

pub(crate) fn check(model: &crate::model::Model, node: &NodeId) -> Option<Check> {
    model
        .approvals
        .checked
        .get(node)
        .map(|(_, _, check)| *check)
}

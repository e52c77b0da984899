//! What waits for a sovereign, and whether its registration's signature verifies, checked here.

use std::collections::HashMap;

use tana_protocol::api::mesh::{Node, SovereignKey};
use tana_protocol::{NodeId, PublicKey, Signature};

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
    pub(crate) key: PublicKey,
    /// Where it is: the key file, or the ssh-agent's comment.
    pub(crate) place: String,
    pub(crate) with: With,
}

/// The keys that can sign: the file of `TANA_HOME`, then those of the ssh-agent that are a sovereign's.
pub(crate) fn signers(model: &crate::model::Model) -> Vec<SignKey> {
    let file = model.here.sovereign.map(|key| SignKey {
        key,
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
            key: a.key,
            place: format!("ssh-agent, {}", crate::show::clean(&a.comment)),
            with: With::Agent(a.key),
        });
    file.into_iter().chain(agent).collect()
}

/// The one that is to sign.
pub(crate) fn signer(model: &crate::model::Model) -> Option<SignKey> {
    let mut signers = signers(model);
    if signers.is_empty() {
        return None;
    }
    let at = model.approvals.signer % signers.len();
    Some(signers.swap_remove(at))
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
    let rows = rows(model);
    let keys: Vec<NodeId> = rows.iter().map(|n| n.id.clone()).collect();
    model
        .approvals
        .cursor
        .index(&keys)
        .and_then(|i| rows.get(i).copied())
}

pub(crate) fn check(model: &crate::model::Model, node: &NodeId) -> Option<Check> {
    model
        .approvals
        .checked
        .get(node)
        .map(|(_, _, check)| *check)
}

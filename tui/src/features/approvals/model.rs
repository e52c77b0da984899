//! What waits for a sovereign, and whether its registration's signature verifies, checked here.

use std::collections::HashMap;

use tana_protocol::api::mesh::{Node, SovereignKey};
use tana_protocol::{NodeId, PublicKey, Signature};

use crate::widgets::cursor::Cursor;

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) cursor: Cursor<NodeId>,
    /// What was checked: the key and signature, and whether they fit. Checked again when either changes.
    pub(crate) checked: HashMap<NodeId, (PublicKey, Signature, Check)>,
    pub(crate) sovereigns: Vec<SovereignKey>,
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

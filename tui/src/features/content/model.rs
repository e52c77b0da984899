//! What the chain refers to and what of it the content store has, as it was when it was last asked.

use tana_protocol::api::mesh::{Node, NodeStatus};
use tana_protocol::{Hash32, Timestamp};

use crate::survey::{Object, Survey};
use crate::widgets::cursor::Cursor;

/// Newest blocks that are looked through.
pub(crate) const BLOCKS: u64 = 5000;

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) found: Option<(Survey, Timestamp)>,
    pub(crate) failed: Option<String>,
    pub(crate) cursor: Cursor<Hash32>,
}

/// The rows in view: what is missing first, then the newest.
pub(crate) fn rows(model: &crate::model::Model) -> Vec<&Object> {
    let mut rows: Vec<&Object> = model
        .content
        .found
        .iter()
        .flat_map(|(found, _)| &found.objects)
        .filter(|o| {
            let here = if o.size.is_some() { "here" } else { "missing" };
            model.keeps(&format!("{} {} {here}", o.hash.to_hex(), o.height))
        })
        .collect();
    rows.sort_by_key(|o| o.size.is_some());
    rows
}

pub(crate) fn keys(model: &crate::model::Model) -> Vec<Hash32> {
    rows(model).iter().map(|o| o.hash).collect()
}

pub(crate) fn selected(model: &crate::model::Model) -> Option<&Object> {
    model.content.cursor.pick(rows(model), |o| o.hash)
}

/// The other nodes that keep content and can be asked for it.
pub(crate) fn peers(model: &crate::model::Model) -> Vec<&Node> {
    model
        .mesh
        .nodes
        .values()
        .filter(|n| n.status == NodeStatus::Active && Some(&n.id) != model.here.node.as_ref())
        .filter(|n| n.services.iter().any(|s| s.kind == "t4"))
        .collect()
}

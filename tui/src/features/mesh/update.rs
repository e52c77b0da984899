//! What changes the screens Mesh and Approvals: news from the registry.

use tana_protocol::api::mesh::NodeStatus;

use crate::effect::Effect;
use crate::keys::Action;
use crate::model::{Model, Screen};
use crate::msg::{Change, MeshNews};

pub(crate) fn news(model: &mut Model, news: MeshNews) -> Vec<Effect> {
    match news {
        MeshNews::All { nodes, links } => {
            let first = model.mesh.watched_since.is_none();
            model.mesh.watched_since.get_or_insert(model.clock.now);
            let known = std::mem::take(&mut model.mesh.nodes);
            model
                .mesh
                .take_links(links, model.here.node.as_ref(), model.clock.now);
            let mut effects = Vec::new();
            for node in nodes {
                model.mesh.saw_beat(&node);
                let new = node.status == NodeStatus::Pending && !known.contains_key(&node.id);
                if new && !first {
                    effects.extend(asks(model, node.id.as_str()));
                }
                model.mesh.nodes.insert(node.id.clone(), node);
            }
            crate::features::approvals::update::check(model);
            effects
        }
        MeshNews::Links(links) => {
            model
                .mesh
                .take_links(links, model.here.node.as_ref(), model.clock.now);
            Vec::new()
        }
        MeshNews::One(node, change) => {
            let mut effects = Vec::new();
            let before = model.mesh.nodes.get(&node.id).map(|n| n.status);
            if node.status == NodeStatus::Pending && before != Some(NodeStatus::Pending) {
                effects.extend(asks(model, node.id.as_str()));
            }
            let known = model
                .mesh
                .nodes
                .get(&node.id)
                .and_then(|n| n.last_heartbeat);
            if let Some(at) = node.last_heartbeat.filter(|at| Some(*at) > known)
                && change == Change::Heartbeat
            {
                let now = model.clock.now;
                model.clocks.fresh(node.id.as_str(), at, now);
            }
            model.mesh.saw_beat(&node);
            model.mesh.nodes.insert(node.id.clone(), *node);
            crate::features::approvals::update::check(model);
            // Who reaches whom comes with heartbeats, but is told by the topology alone.
            if change == Change::Heartbeat {
                model.mesh.links_stale = true;
                effects.extend(relink(model));
            }
            effects
        }
        MeshNews::Keys(keys) => {
            model.approvals.sovereigns = keys;
            Vec::new()
        }
        MeshNews::Agent(keys) => {
            model.approvals.agent = keys;
            Vec::new()
        }
    }
}

/// Asks who reaches whom when that may have changed, somebody looks at it, and it was not asked just now: the answer
/// names every node.
pub(crate) fn relink(model: &mut Model) -> Vec<Effect> {
    let now = model.clock.now;
    if model.screen != Screen::Mesh || model.mesh.next_links().is_none_or(|at| at > now) {
        return Vec::new();
    }
    model.mesh.links_stale = false;
    model.mesh.links_at = now;
    vec![Effect::LoadLinks]
}

/// Rings for a node that asks to take part, unless it has just rung for another.
fn asks(model: &mut Model, node: &str) -> Option<Effect> {
    let now = model.clock.now;
    let ring = model.rung.asks(now);
    ring.then(|| Effect::Notify(format!("tana: node {node} waits for approval")))
}

pub(crate) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::ToggleGraph => model.mesh.graph = model.mesh.graph.other(),
        Action::MeshAll => model.mesh.denied = model.mesh.denied.other(),
        _ => {}
    }
    Vec::new()
}

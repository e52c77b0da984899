//! What of the registry is asked for again and again, in memory: the members as values, for heartbeats, and as the text that
//! `/topology` answers with. The database has everything; this follows it, one change after the other.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tana_protocol::api::mesh::{Link, Node, NodeStatus};
use tana_protocol::json::compact;
use tana_protocol::{NodeId, Timestamp};

/// What is told of a node that is offline changes with the time: so old it may be.
const OFFLINE_FRESH: Duration = Duration::from_secs(10);

/// The members: nodes that are active or offline.
#[derive(Default)]
pub(super) struct Registry {
    inner: Mutex<Inner>,
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Inner {
    members: HashMap<NodeId, Member>,
    /// Members in the order in which they registered.
    order: BTreeMap<(Timestamp, NodeId), Arc<str>>,
    links: BTreeMap<NodeId, Vec<(NodeId, String)>>,
    offline_read: Option<Timestamp>,
}

struct Member {
    node: Arc<Node>,
    place: (Timestamp, NodeId),
}

impl Registry {
    /// As the database says it is.
    pub(super) fn of(nodes: Vec<Node>, links: Vec<Link>) -> Self {
        let registry = Self::default();
        for node in nodes {
            registry.put(&node);
        }
        {
            let mut inner = registry.lock();
            for link in links {
                let from = inner.links.entry(link.from.clone()).or_default();
                from.push((link.to.clone(), compact(&link)));
            }
        }
        registry
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held from before a change is written until it is taken in here, so that both have them in the same order.
    pub(super) async fn writing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.writing.lock().await
    }

    /// A member.
    pub(super) fn member(&self, id: &NodeId) -> Option<Arc<Node>> {
        self.lock()
            .members
            .get(id)
            .map(|member| member.node.clone())
    }

    /// Takes in how a node stands now; who is no member any more is forgotten.
    pub(super) fn put(&self, node: &Node) {
        let mut shown = node.clone();
        for service in &mut shown.services {
            service.topology_key = Some(service.public_key);
        }
        let text: Arc<str> = compact(&shown).into();
        let mut inner = self.lock();
        if let Some(before) = inner.members.remove(&node.id) {
            inner.order.remove(&before.place);
        }
        if !matches!(node.status, NodeStatus::Active | NodeStatus::Offline) {
            inner.links.remove(&node.id);
            return;
        }
        let place = (node.registered_at, node.id.clone());
        inner.order.insert(place.clone(), text);
        let node = Arc::new(node.clone());
        inner
            .members
            .insert(node.id.clone(), Member { node, place });
    }

    /// Takes in whom a node reaches now.
    pub(super) fn reaches(&self, links: &[Link]) {
        let Some(first) = links.first() else { return };
        let mut sorted: Vec<(NodeId, String)> = links
            .iter()
            .map(|link| (link.to.clone(), compact(link)))
            .collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        // Named twice, the last holds, as in the database: the sort keeps their order.
        sorted.reverse();
        sorted.dedup_by(|later, earlier| later.0 == earlier.0);
        sorted.reverse();
        self.lock().links.insert(first.from.clone(), sorted);
    }

    /// A node reaches nobody now.
    pub(super) fn reaches_nobody(&self, from: &NodeId) {
        self.lock().links.remove(from);
    }

    /// Whether what is known of nodes that are offline should be read again; whoever asks does so.
    pub(super) fn is_stale(&self, now: Timestamp) -> bool {
        let mut inner = self.lock();
        let fresh = inner
            .offline_read
            .is_some_and(|read| now.distance(read) < OFFLINE_FRESH);
        if fresh {
            return false;
        }
        inner.offline_read = Some(now);
        inner
            .members
            .values()
            .any(|member| member.node.status == NodeStatus::Offline)
    }

    /// The answer to `GET /topology`.
    pub(super) fn topology(&self) -> String {
        let inner = self.lock();
        let nodes: usize = inner.order.values().map(|text| text.len() + 1).sum();
        let links: usize = inner
            .links
            .values()
            .flatten()
            .map(|(_, text)| text.len() + 1)
            .sum();
        let mut out = String::with_capacity(nodes + links + 32);
        out.push_str("{\"nodes\":[");
        join(&mut out, inner.order.values().map(|text| &**text));
        out.push_str("],\"links\":[");
        let members = inner
            .links
            .iter()
            .filter(|(from, _)| inner.members.contains_key(*from))
            .flat_map(|(_, links)| links)
            .filter(|(to, _)| inner.members.contains_key(to))
            .map(|(_, text)| text.as_str());
        join(&mut out, members);
        out.push_str("]}");
        out
    }
}

fn join<'a>(out: &mut String, texts: impl Iterator<Item = &'a str>) {
    for (index, text) in texts.enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(text);
    }
}

//! What of the registry is asked for again and again, in memory: the members as values, for heartbeats, and as the text that
//! `/topology` answers with. The database has everything; this follows it, one change after the other.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tana_protocol::api::mesh::{Link, Node, NodeStatus, PeerLatency};
use tana_protocol::json::compact;
use tana_protocol::{NodeId, Timestamp};
use tana_store::mesh::{Absent, Beat};

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
    order: BTreeSet<(Timestamp, NodeId)>,
    links: BTreeMap<NodeId, Vec<Reached>>,
    offline_read: Option<Timestamp>,
}

struct Member {
    node: Arc<Node>,
    /// As `/topology` shows it. Written when that is asked for: it changes with each heartbeat.
    text: OnceCell<String>,
}

impl Member {
    const fn of(node: Arc<Node>) -> Self {
        Self {
            node,
            text: OnceCell::new(),
        }
    }

    fn text(&self) -> &str {
        self.text.get_or_init(|| {
            let mut shown = Node::clone(&self.node);
            for service in &mut shown.services {
                service.topology_key = Some(service.public_key);
            }
            compact(&shown)
        })
    }
}

/// A link, and its text, written when it is asked for.
struct Reached {
    link: Link,
    text: OnceCell<String>,
}

impl Reached {
    const fn of(link: Link) -> Self {
        Self {
            link,
            text: OnceCell::new(),
        }
    }

    fn text(&self) -> &str {
        self.text.get_or_init(|| compact(&self.link))
    }
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
                from.push(Reached::of(link));
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
    pub(super) fn put(&self, node: &Node) -> Arc<Node> {
        let node = Arc::new(node.clone());
        let mut inner = self.lock();
        if let Some(before) = inner.members.remove(&node.id) {
            let place = (before.node.registered_at, node.id.clone());
            inner.order.remove(&place);
        }
        if !matches!(node.status, NodeStatus::Active | NodeStatus::Offline) {
            inner.links.remove(&node.id);
            return node;
        }
        inner.order.insert((node.registered_at, node.id.clone()));
        let member = Member::of(node.clone());
        inner.members.insert(node.id.clone(), member);
        node
    }

    /// Takes in a heartbeat of a member that is active here too, and answers how it stands now.
    pub(super) fn heard_of(&self, beat: &Beat, absent: Absent) -> Option<Arc<Node>> {
        let mut inner = self.lock();
        let member = inner.members.get_mut(&beat.node_id);
        let member = member.filter(|member| member.node.status == NodeStatus::Active)?;
        beat.apply(Arc::make_mut(&mut member.node), absent);
        member.text = OnceCell::new();
        Some(member.node.clone())
    }

    /// Takes in whom a node reaches now.
    pub(super) fn reaches(&self, from: &NodeId, peers: &[PeerLatency], at: Timestamp) {
        // Named twice, the last holds, as in the database.
        let peers: BTreeMap<&NodeId, u32> = peers
            .iter()
            .map(|peer| (&peer.node_id, peer.latency_ms))
            .collect();
        let links = peers.into_iter().map(|(to, latency_ms)| Link {
            from: from.clone(),
            to: to.clone(),
            latency_ms,
            at,
        });
        let links: Vec<Reached> = links.map(Reached::of).collect();
        if links.is_empty() {
            self.lock().links.remove(from);
        } else {
            self.lock().links.insert(from.clone(), links);
        }
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
        let members = inner
            .order
            .iter()
            .filter_map(|(_, id)| inner.members.get(id));
        let members: Vec<&str> = members.map(Member::text).collect();
        let links = inner
            .links
            .iter()
            .filter(|(from, _)| inner.members.contains_key(*from))
            .flat_map(|(_, links)| links)
            .filter(|reached| inner.members.contains_key(&reached.link.to));
        let links: Vec<&str> = links.map(Reached::text).collect();
        let texts = members.iter().chain(&links);
        let length: usize = texts.map(|text| text.len() + 1).sum();
        let mut out = String::with_capacity(length + 32);
        out.push_str("{\"nodes\":[");
        join(&mut out, &members);
        out.push_str("],\"links\":[");
        join(&mut out, &links);
        out.push_str("]}");
        out
    }
}

fn join(out: &mut String, texts: &[&str]) {
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(text);
    }
}

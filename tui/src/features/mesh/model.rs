//! The nodes of the mesh as its registry tells them, the links between them, and when heartbeats were seen.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use tana_protocol::api::mesh::{Link, Node, NodeStatus};
use tana_protocol::{NodeId, Timestamp};

use crate::theme::Tone;
use crate::widgets::cursor::Cursor;

/// Heartbeats remembered of a node.
const BEATS: usize = 64;
/// Round trips remembered of a node.
const TRIPS: usize = 32;

#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    pub(crate) links: Vec<Link>,
    /// When the links were last told or asked for.
    pub(crate) links_at: Timestamp,
    /// Whether a heartbeat came since.
    pub(crate) links_stale: bool,
    pub(crate) beats: HashMap<NodeId, VecDeque<Timestamp>>,
    /// The round trips from here to each node, as they were told, and when the last was measured.
    trips: HashMap<NodeId, (Timestamp, VecDeque<u64>)>,
    pub(crate) cursor: Cursor<NodeId>,
    pub(crate) graph: Shown,
    pub(crate) denied: Shown,
    /// Since when this console has watched; beats before are unknown.
    pub(crate) watched_since: Option<Timestamp>,
    /// A heartbeat later than this is worth a word.
    pub(crate) late_after: Duration,
}

/// Whether something is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Yes,
    No,
}

impl Shown {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
        }
    }
}

impl Default for Model {
    fn default() -> Self {
        Self {
            nodes: BTreeMap::new(),
            links: Vec::new(),
            links_at: Timestamp::from_ms(0),
            links_stale: false,
            beats: HashMap::new(),
            trips: HashMap::new(),
            cursor: Cursor::default(),
            graph: Shown::Yes,
            denied: Shown::No,
            watched_since: None,
            // One and a half of the two minutes between heartbeats.
            late_after: Duration::from_secs(180),
        }
    }
}

/// Where a node stands for an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Active,
    /// Active, but its heartbeat is overdue.
    Late,
    Pending,
    Offline,
    Denied,
}

impl Standing {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Late => "late",
            Self::Pending => "pending",
            Self::Offline => "offline",
            Self::Denied => "denied",
        }
    }

    pub(crate) fn tone(self) -> Tone {
        match self {
            Self::Active => Tone::Good,
            Self::Late | Self::Pending => Tone::Warn,
            Self::Offline => Tone::Bad,
            Self::Denied => Tone::Dim,
        }
    }
}

impl Model {
    pub(crate) fn standing(&self, node: &Node, now: Timestamp) -> Standing {
        match node.status {
            NodeStatus::Pending => Standing::Pending,
            NodeStatus::Denied => Standing::Denied,
            NodeStatus::Offline => Standing::Offline,
            NodeStatus::Active => match node.last_heartbeat {
                Some(at) if now.since(at) > self.late_after => Standing::Late,
                _ => Standing::Active,
            },
        }
    }

    /// Takes who reaches whom, told now to the node `here`.
    pub(crate) fn take_links(&mut self, links: Vec<Link>, here: Option<&NodeId>, now: Timestamp) {
        self.links = links;
        self.links_at = now;
        self.saw_links(here);
    }

    /// When the links should be asked for again, if that is of use: the more nodes, the rarer.
    pub(crate) fn next_links(&self) -> Option<Timestamp> {
        let nodes = u64::try_from(self.nodes.len()).unwrap_or(u64::MAX);
        let pause = Duration::from_millis(1000_u64.max(nodes.saturating_mul(10)));
        (self.links_stale && nodes > 1).then(|| self.links_at.plus(pause))
    }

    /// When the next node becomes late, should no heartbeat come.
    pub(crate) fn next_late(&self, now: Timestamp) -> Option<Timestamp> {
        self.nodes
            .values()
            .filter(|n| n.status == NodeStatus::Active)
            .filter_map(|n| n.last_heartbeat)
            .map(|at| at.plus(self.late_after + Duration::from_millis(1)))
            .filter(|at| *at > now)
            .min()
    }

    /// Those that wait for a sovereign, the longest first.
    pub(crate) fn pending(&self) -> Vec<&Node> {
        let mut nodes: Vec<&Node> = self
            .nodes
            .values()
            .filter(|n| n.status == NodeStatus::Pending)
            .collect();
        nodes.sort_by_key(|n| (n.registered_at, n.id.as_str()));
        nodes
    }

    /// How many wait for a sovereign.
    pub(crate) fn waiting(&self) -> usize {
        let pending = |n: &&Node| n.status == NodeStatus::Pending;
        self.nodes.values().filter(pending).count()
    }

    pub(crate) fn saw_beat(&mut self, node: &Node) {
        let Some(at) = node.last_heartbeat else {
            return;
        };
        let beats = self.beats.entry(node.id.clone()).or_default();
        if beats.back().is_none_or(|last| *last < at) {
            beats.push_back(at);
            if beats.len() > BEATS {
                beats.pop_front();
            }
        }
    }

    /// The round trip to a node, as `from` measured it.
    pub(crate) fn latency(&self, from: Option<&NodeId>, to: &NodeId) -> Option<u32> {
        let from = from?;
        self.links
            .iter()
            .filter(|l| (&l.from == from && &l.to == to) || (&l.from == to && &l.to == from))
            .max_by_key(|l| (&l.from == from, l.at))
            .map(|l| l.latency_ms)
    }

    /// Remembers the round trips that this node has measured since they were last told.
    fn saw_links(&mut self, here: Option<&NodeId>) {
        let Some(here) = here else { return };
        for link in &self.links {
            if &link.from != here {
                continue;
            }
            let other = &link.to;
            let (last, trips) = self
                .trips
                .entry(other.clone())
                .or_insert_with(|| (Timestamp::from_ms(0), VecDeque::new()));
            if link.at > *last {
                *last = link.at;
                trips.push_back(u64::from(link.latency_ms));
                if trips.len() > TRIPS {
                    trips.pop_front();
                }
            }
        }
    }

    /// The round trips from here to a node, in milliseconds, the newest last.
    pub(crate) fn trips(&self, node: &NodeId) -> Vec<u64> {
        let trips = self.trips.get(node);
        trips.map_or_else(Vec::new, |(_, trips)| trips.iter().copied().collect())
    }
}

/// What rows are compared with, found once a frame: there may be ten thousand nodes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whole {
    /// The greatest height that any node reports.
    pub(crate) tip: Option<u64>,
    /// The newest heartbeat of any node.
    pub(crate) newest_beat: Timestamp,
}

impl Whole {
    pub(crate) fn of(mesh: &Model) -> Self {
        let newest = mesh.beats.values().filter_map(|beats| beats.back()).max();
        Self {
            tip: mesh.nodes.values().filter_map(|n| n.height).max(),
            newest_beat: newest.copied().unwrap_or(Timestamp::from_ms(0)),
        }
    }
}

/// What a node is for, from the services it offers.
pub(crate) fn role(node: &Node) -> &'static str {
    let has = |kind: &str| node.services.iter().any(|s| s.kind == kind);
    match (has("producer"), has("identity") || has("edge"), has("mesh")) {
        (true, true, true) => "full",
        (true, ..) => "validator",
        (false, true, _) => "api",
        (false, false, true) => "coordinator",
        _ => "–",
    }
}

/// The rows in view.
pub(crate) fn rows(model: &crate::model::Model) -> Vec<&Node> {
    let now = model.clock.now;
    model
        .mesh
        .nodes
        .values()
        .filter(|n| n.status != NodeStatus::Denied || model.mesh.denied == Shown::Yes)
        .filter(|n| {
            let standing = model.mesh.standing(n, now).word();
            let region = n.region.as_deref().unwrap_or_default();
            model.keeps_with(|| {
                format!(
                    "{} {standing} {} {region} {}",
                    n.id,
                    role(n),
                    n.tailscale_hostname
                )
            })
        })
        .collect()
}

/// The keys of the rows in view.
pub(crate) fn keys(model: &crate::model::Model) -> Vec<NodeId> {
    rows(model).iter().map(|n| n.id.clone()).collect()
}

//! How the connections to the daemons stand. That a daemon does not answer is a value like any other, with the time since when.

use tana_protocol::Timestamp;

/// Where data comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub(crate) enum Source {
    Node,
    Ledger,
    Mesh,
    Identity,
}

impl Source {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Ledger => "ledger",
            Self::Mesh => "mesh",
            Self::Identity => "identity",
        }
    }
}

/// How one connection stands.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Link {
    /// No answer yet, nor a refusal.
    Connecting,
    Live,
    /// Nobody listens there: it does not run.
    Absent {
        since: Timestamp,
    },
    /// It fails otherwise.
    Lost {
        since: Timestamp,
        why: String,
    },
}

/// All connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Links {
    links: [(Source, Link); 4],
}

impl Default for Links {
    fn default() -> Self {
        Self {
            links: [Source::Node, Source::Ledger, Source::Mesh, Source::Identity]
                .map(|source| (source, Link::Connecting)),
        }
    }
}

impl Links {
    pub(crate) fn of(&self, source: Source) -> &Link {
        self.links
            .iter()
            .find(|(s, _)| *s == source)
            .map_or(&Link::Connecting, |(_, link)| link)
    }

    /// Takes a new state; the time since when stays while the kind of trouble does. Answers whether anything changed.
    pub(crate) fn set(&mut self, source: Source, new: Link) -> bool {
        let Some((_, link)) = self.links.iter_mut().find(|(s, _)| *s == source) else {
            return false;
        };
        let new = match (&*link, new) {
            (Link::Absent { since } | Link::Lost { since, .. }, Link::Absent { .. }) => {
                Link::Absent { since: *since }
            }
            (Link::Absent { since } | Link::Lost { since, .. }, Link::Lost { why, .. }) => {
                Link::Lost { since: *since, why }
            }
            (_, new) => new,
        };
        let changed = *link != new;
        *link = new;
        changed
    }

    /// Since when there is no data, when there is none.
    pub(crate) fn silent_since(&self, source: Source) -> Option<Timestamp> {
        match self.of(source) {
            Link::Absent { since } | Link::Lost { since, .. } => Some(*since),
            Link::Connecting | Link::Live => None,
        }
    }
}

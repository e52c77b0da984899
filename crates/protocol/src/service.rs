//! The services of a node: their names, ports and start order (design §1).

use std::fmt;
use std::str::FromStr;

/// One of the six services.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum ServiceKind {
    /// The registry that nodes register with.
    Mesh,
    /// The chain's data and rules.
    Ledger,
    /// The content store.
    T4,
    /// Logins and approvals by phone.
    Identity,
    /// The block producer.
    Producer,
    /// The contract HTTP server.
    Edge,
}

/// A name that is no service's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no service is called {0:?}; there are mesh, ledger, t4, identity, producer and edge")]
pub struct UnknownService(pub String);

impl ServiceKind {
    /// All, in start order: each is gated on the readiness of those before it.
    pub const ALL: [Self; 6] = [
        Self::Mesh,
        Self::Ledger,
        Self::T4,
        Self::Identity,
        Self::Producer,
        Self::Edge,
    ];

    /// The name, as in commands, paths and service tokens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mesh => "mesh",
            Self::Ledger => "ledger",
            Self::T4 => "t4",
            Self::Identity => "identity",
            Self::Producer => "producer",
            Self::Edge => "edge",
        }
    }

    /// The port without an offset. The producer's serves only its own health and metrics; t4's is the one it has
    /// next to an edge, which otherwise owns 8180.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Ledger => 8080,
            Self::Identity => 8090,
            Self::Producer => 8070,
            Self::Edge => 8180,
            Self::T4 => 8181,
            Self::Mesh => 8190,
        }
    }
}

impl fmt::Display for ServiceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ServiceKind {
    type Err = UnknownService;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| UnknownService(text.to_owned()))
    }
}

/// What a node is for, and so which services it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    /// All six services on one machine.
    #[default]
    Full,
    /// Block production.
    Validator,
    /// Public queries, logins, contract execution.
    Api,
    /// The registry alone.
    Coordinator,
}

/// A name that is no role's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no role is called {0:?}; there are full, validator, api and coordinator")]
pub struct UnknownRole(pub String);

impl NodeRole {
    /// The role's services, in start order.
    #[must_use]
    pub const fn services(self) -> &'static [ServiceKind] {
        match self {
            Self::Full => &ServiceKind::ALL,
            Self::Validator => &[ServiceKind::Ledger, ServiceKind::T4, ServiceKind::Producer],
            Self::Api => &[
                ServiceKind::Ledger,
                ServiceKind::T4,
                ServiceKind::Identity,
                ServiceKind::Edge,
            ],
            Self::Coordinator => &[ServiceKind::Mesh],
        }
    }

    /// The name, as in commands and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Validator => "validator",
            Self::Api => "api",
            Self::Coordinator => "coordinator",
        }
    }
}

impl fmt::Display for NodeRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for NodeRole {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Full, Self::Validator, Self::Api, Self::Coordinator]
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

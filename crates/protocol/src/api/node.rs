//! The supervisor's bodies, on the Unix socket `node.sock`.

use crate::api::mesh::NodeStatus;
use serde::{Deserialize, Serialize};

use crate::id::NodeId;
use crate::service::{NodeRole, ServiceKind};
use crate::time::Timestamp;

/// Where a service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceState {
    /// Not to run.
    Stopped,
    /// Waits for the readiness of another, or for a backoff to end.
    Waits,
    /// Runs, not ready yet.
    Starting,
    /// Runs and is ready.
    Ready,
    /// Runs, was ready, a part fails now.
    Degraded,
    /// Ended by itself; another try follows.
    Failed,
    /// Is being stopped.
    Stopping,
}

impl ServiceState {
    /// The word for a screen, the same as on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Waits => "waits",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
            Self::Stopping => "stopping",
        }
    }
}

impl std::fmt::Display for ServiceState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// One service of the node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceView {
    /// Which.
    pub name: ServiceKind,
    /// Where it stands.
    pub state: ServiceState,
    /// In words: what it waits for, why it failed, what is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What an operator can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Where it listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Its base URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Since when its process runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// Share of one core, in tenths of a percent, smoothed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_permille: Option<u32>,
    /// Resident memory in bytes, rounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// How often it was started again after ending by itself.
    pub restarts: u32,
    /// How it last ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<String>,
    /// When the next try comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try: Option<Timestamp>,
    /// The last line of its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_line: Option<String>,
}

/// `GET /status`: the node in one answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeView {
    /// The node's name.
    pub node_id: NodeId,
    /// What it is for.
    pub role: NodeRole,
    /// The chain's name.
    pub chain: String,
    /// The engine that its contracts run on, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// The supervisor's version.
    pub version: String,
    /// The supervisor's process.
    pub pid: u32,
    /// Since when the supervisor runs.
    pub started_at: Timestamp,
    /// What all ports are moved by.
    pub port_offset: u16,
    /// Its services, in start order.
    pub services: Vec<ServiceView>,
    /// How it stands in the mesh, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub membership: Option<Membership>,
}

/// How a node stands in the mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// As the mesh said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<NodeStatus>,
    /// Why it is no active member, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How severe a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// For those who debug.
    Trace,
    /// For those who debug.
    Debug,
    /// What happened.
    Info,
    /// Wants attention.
    Warn,
    /// Failed.
    Error,
}

/// One line of a service's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// Whose.
    pub service: ServiceKind,
    /// How severe.
    pub level: LogLevel,
    /// What it says.
    pub text: String,
}

/// A line's place in a log: its moment and its number among the lines of that moment. The id of a line's event; it holds
/// across rotation and across a restart of the supervisor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition {
    at: Timestamp,
    number: u32,
}

impl LogPosition {
    /// Moves on by one line; always true.
    pub fn pass(&mut self, line: &LogLine) -> bool {
        if line.at == self.at {
            // The number that a client begins with is its own affair.
            self.number = self.number.saturating_add(1);
        } else {
            *self = Self {
                at: line.at,
                number: 1,
            };
        }
        true
    }

    /// Whether it lies behind another.
    #[must_use]
    pub fn is_after(&self, seen: &Self) -> bool {
        self > seen
    }
}

/// A text that is no place in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a place in a log is written as a moment in ms and a number, such as 1732147200000-1")]
pub struct LogPositionError;

impl std::str::FromStr for LogPosition {
    type Err = LogPositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (at, number) = text.split_once('-').ok_or(LogPositionError)?;
        Ok(Self {
            at: Timestamp::from_ms(at.parse().map_err(|_| LogPositionError)?),
            number: number.parse().map_err(|_| LogPositionError)?,
        })
    }
}

impl std::fmt::Display for LogPosition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.at.ms(), self.number)
    }
}

/// Names of the supervisor's SSE events.
pub mod event {
    /// A service changed; carries a [`super::ServiceView`].
    pub const SERVICE: &str = "service";
    /// A log line; carries a [`super::LogLine`]. On `/services/{name}/logs?follow=true` and, for all services, on
    /// `/logs?follow=true`.
    pub const LOG: &str = "log";
    /// The supervisor ends and stops its services; carries nothing.
    pub const STOPPING: &str = "stopping";
}

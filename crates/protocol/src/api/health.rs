//! `GET /health` of every daemon.

use serde::{Deserialize, Serialize};

/// Whether a daemon lives and is ready, and what is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `ok` when ready, `starting` or `degraded` otherwise.
    pub status: HealthStatus,
    /// The daemon's name.
    pub service: String,
    /// The daemon's version.
    pub version: String,
    /// Each part that readiness needs.
    #[serde(default)]
    pub checks: Vec<Check>,
}

/// How a daemon is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// Lives and is ready.
    Ok,
    /// Lives, not ready yet.
    Starting,
    /// Was ready; a part fails now.
    Degraded,
}

/// One part that readiness needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Such as `database`.
    pub name: String,
    /// Whether it is well.
    pub ok: bool,
    /// Why not, or what it is doing; of a part that is well, what an operator should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

//! How a node stands, and what a heartbeat changes about it: said once, for the row that is read and for the value in memory.

use tana_protocol::api::mesh::{Node, NodeRecord, Percent};
use tana_protocol::{ServiceKind, Timestamp};

use super::Beat;

/// What a node's record is about: this long until now.
const RECORD: u64 = 30 * 24 * 3600 * 1000;

/// How much of the time that its record is about a node was away, by the absences that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Absent {
    /// Milliseconds.
    pub ms: u64,
    /// Blocks that the chain grew by meanwhile.
    pub blocks: u64,
}

/// The beginning of what a record is about.
pub(crate) fn record_since(now: Timestamp) -> Timestamp {
    Timestamp::from_ms(now.ms().saturating_sub(RECORD))
}

/// Whether blocks can be missed by a node that offers this. Older nodes offer `consensus`.
pub(crate) fn counts_blocks(service_type: &str) -> bool {
    service_type == ServiceKind::Producer.name() || service_type == "consensus"
}

/// Puts down how a node has been that was approved then.
pub(crate) fn set_record(
    record: &mut NodeRecord,
    approved: Timestamp,
    now: Timestamp,
    absent: Absent,
    counts_blocks: bool,
) {
    let whole = now.since(approved.max(record_since(now)));
    let whole = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
    record.uptime = Some(Percent::of(whole.saturating_sub(absent.ms), whole));
    record.blocks_missed = counts_blocks.then_some(absent.blocks);
}

impl Beat {
    /// Changes an active node as taking this heartbeat has changed its row.
    pub fn apply(&self, node: &mut Node, absent: Absent) {
        node.last_heartbeat = node.last_heartbeat.max(Some(self.received_at));
        if self.tailscale_ip.is_some() {
            node.tailscale_ip.clone_from(&self.tailscale_ip);
        }
        node.height = self.height.or(node.height);
        if self.version.is_some() {
            node.version.clone_from(&self.version);
        }
        for said in &self.services {
            let known = node.services.iter_mut();
            for service in known.filter(|service| service.service_type == said.kind) {
                service.healthy = Some(said.healthy);
                service.last_check = Some(said.last_check);
            }
        }
        if let Some(approved) = node.approved_at {
            let counts = node
                .services
                .iter()
                .any(|service| counts_blocks(&service.service_type));
            set_record(&mut node.record, approved, self.received_at, absent, counts);
        }
    }
}

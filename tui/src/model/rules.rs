//! What counts as wrong: one rule a value, each looking at the model alone and saying why and what to do.

use std::time::Duration;

use tana_protocol::api::mesh::NodeStatus;
use tana_protocol::api::node::ServiceState;
use tana_protocol::{ServiceKind, Timestamp};

use super::link::Link;
use super::problems::{Problem, alone};
use super::{Model, Screen, Source};
use crate::features::blocks::model::Verdict as BlockVerdict;
use crate::features::mesh::model::Standing;
use crate::features::services::model::Ending;
use crate::keys::Action;
use crate::show::{clean, count};
use crate::theme::Tone;

/// Whether the rules after this one have anything to add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    LookOn,
    /// All that would be found besides follows from this.
    ExplainsTheRest,
}

/// Finds one kind of trouble.
pub(crate) trait Rule: Sync {
    /// Adds what is wrong to `found`.
    fn look(&self, model: &Model, found: &mut Vec<Problem>) -> Verdict;
}

/// Every rule, in the order in which they look.
pub(crate) static ALL: &[&dyn Rule] = &[
    &Supervisor,
    &Stopping,
    &Services,
    &Silence,
    &Verification,
    &Stalled,
    &Growing,
    &Nodes,
    &Clocks,
    &Versions,
    &Disk,
    &KeyFiles,
];

/// The supervisor does not answer.
struct Supervisor;

impl Rule for Supervisor {
    fn look(&self, model: &Model, found: &mut Vec<Problem>) -> Verdict {
        let key = model.keys.key(Action::StartService);
        let bad = |text: String| Problem::new(Tone::Bad, "supervisor", text, Screen::Services);
        match model.links.of(Source::Node) {
            // A killed supervisor leaves its services running, and the next one takes them over.
            Link::Absent { since } if alone(model) => found.push(
                bad(format!(
                    "the supervisor is gone; its services run on. {key} starts another"
                ))
                .since(*since)
                .todo(format!(
                    "{key} on Services, or tana start: it takes the running services over"
                )),
            ),
            Link::Absent { since } => {
                found.push(
                    bad("the node does not run".into())
                        .since(*since)
                        .todo(format!("{key} on Services, or tana start")),
                );
                return Verdict::ExplainsTheRest;
            }
            Link::Lost { since, why } => {
                found.push(bad(format!("no data from the node: {}", clean(why))).since(*since));
            }
            Link::Connecting | Link::Live => {}
        }
        Verdict::LookOn
    }
}

/// The supervisor has said that it ends.
struct Stopping;

impl Rule for Stopping {
    fn look(&self, model: &Model, found: &mut Vec<Problem>) -> Verdict {
        if model.services.stopping == Ending::Announced {
            found.push(Problem::new(
                Tone::Warn,
                "stopping",
                "the node stops its services",
                Screen::Services,
            ));
        }
        Verdict::LookOn
    }
}

/// A service that is not ready.
struct Services;

impl Rule for Services {
    fn look(&self, model: &Model, found: &mut Vec<Problem>) -> Verdict {
        // What a silent supervisor said last is not what is.
        if model.links.silent_since(Source::Node).is_some() {
            return Verdict::LookOn;
        }
        let services = || model.node.iter().flat_map(|n| &n.services);
        let down = |kind| {
            services().any(|one| {
                one.name == kind
                    && matches!(one.state, ServiceState::Failed | ServiceState::Stopped)
            })
        };
        let ledger_down = down(ServiceKind::Ledger);
        for service in services() {
            let name = service.name;
            let why = service.why.as_deref().map(clean);
            // Starting it anew would change nothing.
            let follows = ledger_down
                && name != ServiceKind::Ledger
                && why.as_deref().is_some_and(|why| why.contains("ledger"));
            let (tone, text) = match service.state {
                ServiceState::Failed => (
                    Tone::Bad,
                    format!("{name}: {}", why.unwrap_or_else(|| "failed".into())),
                ),
                ServiceState::Degraded => (
                    Tone::Warn,
                    format!("{name}: {}", why.unwrap_or_else(|| "degraded".into())),
                ),
                ServiceState::Waits => (
                    Tone::Warn,
                    why.map_or_else(|| format!("{name} waits"), |w| format!("{name} waits {w}")),
                ),
                ServiceState::Stopped => (Tone::Warn, format!("{name} is stopped")),
                ServiceState::Starting | ServiceState::Stopping | ServiceState::Ready => continue,
            };
            let todo = service.hint.as_deref().map(clean).or_else(|| {
                let key = |action| model.keys.key(action);
                match service.state {
                    ServiceState::Stopped => Some(format!(
                        "{} on Services starts it",
                        key(Action::StartService)
                    )),
                    ServiceState::Failed | ServiceState::Degraded if follows => {
                        Some("it comes back with the ledger; see to that first".to_owned())
                    }
                    ServiceState::Failed | ServiceState::Degraded => Some(format!(
                        "{} on Services shows its log, {} restarts it",
                        key(Action::ServiceLog),
                        key(Action::RestartService)
                    )),
                    _ => None,
                }
            });
            found.push(
                Problem::new(tone, format!("service {name}"), text, Screen::Services)
                    .since(service.since)
                    .todo(todo),
            );
        }
        Verdict::LookOn
    }
}

/// A daemon that does not answer although nothing else says why.
struct Silence;

impl Rule for Silence {
    fn look(&self, model: &Model, found: &mut Vec<Problem>) -> Verdict {
        let silent = model.links.silent_since(Source::Node).is_some();
        let explained = |kind: ServiceKind| {
            !silent
                && model
                    .node
                    .iter()
                    .flat_map(|n| &n.services)
                    .any(|s| s.name == kind && s.state != ServiceState::Ready)
        };
        for (source, kind, screen) in [
            (Source::Ledger, ServiceKind::Ledger, Screen::Blocks),
            (Source::Mesh, ServiceKind::Mesh, Screen::Mesh),
        ] {
            if explained(kind) {
                continue;
            }
            if let Some(since) = model.links.silent_since(source) {
                let text = format!("no data from the {}", source.name());
                found.push(
                    Problem::new(Tone::Warn, format!("silent {kind}"), text, screen)
                        .since(since)
                        .todo(
                            "this console asks again by itself; Services shows whether it runs"
                                .to_owned(),
                        ),
                );
            }
        }
        Verdict::LookOn
    }
}

/// A block that does not verify.
struct Verification;

impl Rule for Verification {
    fn look(&self, model: &Model, found: &mut Vec<Problem>) -> Verdict {
        let blocks = &model.blocks;
        let heights = blocks.whole.keys().chain(blocks.replayed.keys());
        let broken = heights
            .copied()
            .filter(|h| blocks.verdict(*h) == BlockVerdict::Broken)
            .min();
        if let Some(height) = broken {
            found.push(
                Problem::new(
                    Tone::Bad,
                    "verification",
                    format!("block {} does not verify", count(height)),
                    Screen::Blocks,
                )
                .todo(
                    "stop the node; restore its data from a copy or from another validator"
                        .to_owned(),
                ),
            );
        }
        Verdict::LookOn
    }
}

/// Transactions wait and no block takes them.
struct Stalled;

/// A block takes what waits within two tenths of a second; after this long something is wrong.
pub(crate) const STALLED_AFTER: Duration = Duration::from_secs(15);

impl Rule for Stalled {
    fn look(&self, model: &Model, found: &mut Vec<Problem>) -> Verdict {
        let Some(since) = model.blocks.queue.waiting_since else {
            return Verdict::LookOn;
        };
        if model.clock.now.since(since) < STALLED_AFTER
            || model.links.silent_since(Source::Ledger).is_some()
        {
            return Verdict::LookOn;
        }
        let queued = count(model.blocks.queued);
        found.push(
            Problem::new(
                Tone::Bad,
                "stalled",
                format!("no block is made and {queued} wait"),
                Screen::Queue,
            )
            .since(since)
            .todo(
                "look at the producer on Services, and at its log: it cannot take, agree or commit"
                    .to_owned(),
            ),
        );
        Verdict::LookOn
    }
}

/// The queue grows faster than blocks empty it.
struct Growing;

/// A queue below this is none to speak of.
const LONG_QUEUE: u64 = 500;

impl Rule for Growing {
    fn look(&self, model: &Model, found: &mut Vec<Problem>) -> Verdict {
        let queue = &model.blocks.queue;
        if model.blocks.queued < LONG_QUEUE || !queue.grows() {
            return Verdict::LookOn;
        }
        found.push(
            Problem::new(
                Tone::Warn,
                "growing",
                format!("the queue grows: {} wait", count(model.blocks.queued)),
                Screen::Queue,
            )
            .todo("more comes than blocks take; see who sends on Blocks, and queueLimit in config.json".to_owned()),
        );
        Verdict::LookOn
    }
}

/// Nodes whose heartbeats are late or have ceased.
struct Nodes;

/// More nodes than this with the same trouble are one problem: what they share is what is wrong.
const APART: usize = 5;

impl Rule for Nodes {
    fn look(&self, model: &Model, found: &mut Vec<Problem>) -> Verdict {
        let now = model.clock.now;
        for (standing, tone, all) in [
            (Standing::Offline, Tone::Bad, "offline"),
            (Standing::Late, Tone::Warn, "without a heartbeat"),
        ] {
            let nodes: Vec<_> = model
                .mesh
                .nodes
                .values()
                .filter(|node| model.mesh.standing(node, now) == standing)
                .collect();
            if nodes.len() > APART {
                let text = format!("{} nodes are {all}", count_of(nodes.len()));
                let since = nodes.iter().filter_map(|node| node.last_heartbeat).max();
                found.push(
                    Problem::new(tone, format!("nodes {all}"), text, Screen::Mesh)
                        .since(since)
                        .todo(
                            "look for what they share: this machine's network, the registry, a time server; then ask their operators"
                                .to_owned(),
                        ),
                );
                continue;
            }
            for node in nodes {
                let text = match standing {
                    Standing::Offline => format!("node {} is offline", node.id),
                    _ => format!("node {}: no heartbeat", node.id),
                };
                found.push(
                    Problem::new(tone, format!("node {}", node.id), text, Screen::Mesh)
                        .since(node.last_heartbeat)
                        .todo("ask its operator; it comes back by its next heartbeat".to_owned()),
                );
            }
        }
        Verdict::LookOn
    }
}

fn count_of(nodes: usize) -> String {
    count(u64::try_from(nodes).unwrap_or(u64::MAX))
}

/// A clock elsewhere that is ahead of this machine's, or behind it.
struct Clocks;

/// Signatures are refused from a minute on; before that is time to act.
const SKEW: Duration = Duration::from_secs(10);
/// What is done about it, whichever is wrong.
const COMPARE: &str =
    "compare both machines with NTP (timedatectl): from 60 s on signatures are refused";

impl Rule for Clocks {
    fn look(&self, model: &Model, found: &mut Vec<Problem>) -> Verdict {
        let block = model.blocks.newest().map(|b| &b.header);
        let block = block.map(|header| (&header.producer, header.timestamp));
        let nodes = model.mesh.nodes.values();
        let beats = nodes.filter_map(|n| Some((&n.id, n.last_heartbeat?)));
        let ahead = |at: Timestamp| at.since(model.clock.now);
        let worst = beats
            .chain(block)
            .max_by_key(|(_, at)| ahead(*at))
            .filter(|(_, at)| ahead(*at) >= SKEW);
        if let Some((who, at)) = worst {
            found.push(
                Problem::new(
                    Tone::Warn,
                    "clock",
                    format!(
                        "{who}'s clock is {} s ahead of this one",
                        ahead(at).as_secs()
                    ),
                    Screen::Mesh,
                )
                .todo(COMPARE.to_owned()),
            );
        } else if let Some((who, by)) = model.clocks.most_behind().filter(|(_, by)| *by >= SKEW) {
            found.push(
                Problem::new(
                    Tone::Warn,
                    "clock",
                    format!("{who}'s clock is {} s behind this one", by.as_secs()),
                    Screen::Mesh,
                )
                .todo(COMPARE.to_owned()),
            );
        }
        Verdict::LookOn
    }
}

/// Programs of different versions.
struct Versions;

impl Rule for Versions {
    fn look(&self, model: &Model, found: &mut Vec<Problem>) -> Verdict {
        let own = env!("CARGO_PKG_VERSION");
        if let Some(node) = model.node.as_ref().filter(|n| n.version != own) {
            found.push(
                Problem::new(
                    Tone::Warn,
                    "version here",
                    format!(
                        "the node is version {}, this console {own}",
                        clean(&node.version)
                    ),
                    Screen::Services,
                )
                .todo("install both from the same build, then tana stop and tana start".to_owned()),
            );
        }
        let version = model.node.as_ref().map_or(own, |n| n.version.as_str());
        let others: Vec<_> = model
            .mesh
            .nodes
            .values()
            .filter(|n| n.status == NodeStatus::Active)
            .filter(|n| n.version.as_deref().is_some_and(|v| v != version))
            .collect();
        if let Some(first) = others.first() {
            let text = match others.len() {
                1 => format!(
                    "{} is version {}, this node {}",
                    first.id,
                    clean(first.version.as_deref().unwrap_or_default()),
                    clean(version)
                ),
                n => format!("{n} nodes are of another version than this one"),
            };
            found.push(
                Problem::new(Tone::Warn, "versions", text, Screen::Mesh)
                    .todo("bring all validators to one version".to_owned()),
            );
        }
        Verdict::LookOn
    }
}

/// The disk of `TANA_HOME` is nearly full.
struct Disk;

/// Below this the node stops soon.
const LITTLE: u64 = 1 << 30;
/// Below this it refuses writes.
const NOTHING: u64 = 50 << 20;

impl Rule for Disk {
    fn look(&self, model: &Model, found: &mut Vec<Problem>) -> Verdict {
        let Some(free) = model.machine.free_bytes.filter(|free| *free < LITTLE) else {
            return Verdict::LookOn;
        };
        let tone = if free < NOTHING {
            Tone::Bad
        } else {
            Tone::Warn
        };
        found.push(
            Problem::new(
                tone,
                "disk",
                format!("{} MiB are free at {}", free >> 20, model.here.home),
                Screen::Services,
            )
            .todo("make room; on a full disk the node refuses writes".to_owned()),
        );
        Verdict::LookOn
    }
}

/// A key file that others may read.
struct KeyFiles;

impl Rule for KeyFiles {
    fn look(&self, model: &Model, found: &mut Vec<Problem>) -> Verdict {
        for file in &model.machine.open_keys {
            found.push(
                Problem::new(
                    Tone::Bad,
                    format!("key {file}"),
                    format!("others may read {}", clean(file)),
                    Screen::Services,
                )
                .todo(format!("chmod 600 {}", clean(file))),
            );
        }
        Verdict::LookOn
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;

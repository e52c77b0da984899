//! What is wrong now, worst first: feeds the word in the header and the strip above the footer. One place, so that all screens agree.

use tana_protocol::Timestamp;
use tana_protocol::api::node::ServiceState;

use super::link::Link;
use super::{Model, Screen, Source};
use crate::features::mesh::model::Standing;
use crate::features::services::model::Ending;
use crate::keys::Action;
use crate::theme::Tone;

/// Something that wants attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) tone: Tone,
    /// One short clause.
    pub(crate) text: String,
    pub(crate) since: Option<Timestamp>,
    /// Where more is said about it.
    pub(crate) screen: Screen,
}

/// All of them, worst first.
pub(crate) fn problems(model: &Model) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut add = |tone, text: String, since, screen| {
        found.push(Problem {
            tone,
            text,
            since,
            screen,
        });
    };
    match model.links.of(Source::Node) {
        // A killed supervisor leaves its services running, and the next one takes them over.
        Link::Absent { since } if alone(model) => add(
            Tone::Bad,
            format!(
                "the supervisor is gone; its services run on. {} starts another",
                model.keys.key(Action::StartService)
            ),
            Some(*since),
            Screen::Services,
        ),
        Link::Absent { since } => {
            add(
                Tone::Bad,
                "the node does not run".into(),
                Some(*since),
                Screen::Services,
            );
            // Everything else follows from that.
            return found;
        }
        Link::Lost { since, why } => add(
            Tone::Bad,
            format!("no data from the node: {}", crate::show::clean(why)),
            Some(*since),
            Screen::Services,
        ),
        Link::Connecting | Link::Live => {}
    }
    if model.services.stopping == Ending::Announced {
        add(
            Tone::Warn,
            "the node stops its services".into(),
            None,
            Screen::Services,
        );
    }
    let mut explained = Vec::new();
    // What a silent supervisor said last is not what is.
    let silent = model.links.silent_since(Source::Node).is_some();
    for service in model
        .node
        .iter()
        .filter(|_| !silent)
        .flat_map(|n| &n.services)
    {
        let why = service.why.as_deref().map(crate::show::clean);
        let (tone, text) = match service.state {
            ServiceState::Failed => (Tone::Bad, why.unwrap_or_else(|| "failed".into())),
            ServiceState::Degraded => (Tone::Warn, why.unwrap_or_else(|| "degraded".into())),
            ServiceState::Waits => (
                Tone::Warn,
                why.map_or_else(|| "waits".into(), |w| format!("waits {w}")),
            ),
            ServiceState::Starting | ServiceState::Stopping => {
                explained.push(service.name);
                continue;
            }
            ServiceState::Stopped => {
                explained.push(service.name);
                (Tone::Warn, "is stopped".into())
            }
            ServiceState::Ready => continue,
        };
        explained.push(service.name);
        let text = if service.state == ServiceState::Stopped || service.state == ServiceState::Waits
        {
            format!("{} {text}", service.name)
        } else {
            format!("{}: {text}", service.name)
        };
        add(tone, text, Some(service.since), Screen::Services);
    }
    let sources = [
        (
            Source::Ledger,
            tana_protocol::ServiceKind::Ledger,
            Screen::Blocks,
        ),
        (Source::Mesh, tana_protocol::ServiceKind::Mesh, Screen::Mesh),
    ];
    for (source, kind, screen) in sources {
        // A service that is known to be down explains its silence.
        if explained.contains(&kind) {
            continue;
        }
        if let Some(since) = model.links.silent_since(source) {
            add(
                Tone::Warn,
                format!("no data from the {}", source.name()),
                Some(since),
                screen,
            );
        }
    }
    for node in model.mesh.nodes.values() {
        match model.mesh.standing(node, model.clock.now) {
            Standing::Offline => add(
                Tone::Bad,
                format!("node {} is offline", node.id),
                node.last_heartbeat,
                Screen::Mesh,
            ),
            Standing::Late => add(
                Tone::Warn,
                format!("node {}: no heartbeat", node.id),
                node.last_heartbeat,
                Screen::Mesh,
            ),
            _ => {}
        }
    }
    found.sort_by_key(|p| std::cmp::Reverse(p.tone));
    found
}

/// Whether services answer although nobody supervises them.
fn alone(model: &Model) -> bool {
    [Source::Ledger, Source::Mesh]
        .into_iter()
        .any(|source| *model.links.of(source) == Link::Live)
}

/// The header's answer to: is all well?
pub(crate) fn health(model: &Model, problems: &[Problem]) -> (Tone, String) {
    if matches!(model.links.of(Source::Node), Link::Absent { .. }) {
        let text = if alone(model) {
            "no supervisor"
        } else {
            "the node does not run"
        };
        return (Tone::Bad, text.into());
    }
    if model.node.is_none() && problems.is_empty() {
        return (Tone::Dim, "connecting".into());
    }
    let services = || model.node.iter().flat_map(|n| &n.services);
    let state = |state: ServiceState| services().filter(|s| s.state == state).count();
    let mut parts = Vec::new();
    for (count, word) in [
        (state(ServiceState::Failed), "failed"),
        (state(ServiceState::Degraded), "degraded"),
        (state(ServiceState::Waits), "waits"),
        (state(ServiceState::Stopped), "stopped"),
        (state(ServiceState::Stopping), "stopping"),
        (state(ServiceState::Starting), "starting"),
        (count(model, Standing::Offline), "offline"),
        (count(model, Standing::Late), "late"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    let worst = problems.iter().map(|p| p.tone).max();
    if parts.is_empty() {
        return match problems.first() {
            Some(problem) => (problem.tone, problem.text.clone()),
            None => (Tone::Good, "all well".into()),
        };
    }
    parts.truncate(2);
    (worst.unwrap_or(Tone::Warn), parts.join(", "))
}

fn count(model: &Model, standing: Standing) -> usize {
    model
        .mesh
        .nodes
        .values()
        .filter(|n| model.mesh.standing(n, model.clock.now) == standing)
        .count()
}

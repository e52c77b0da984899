//! What is wrong now, worst first: feeds the word in the header, the strip above the footer, the list of all problems and the bell.
//! One place, so that all screens agree. What counts as wrong is `rules`'.

use std::collections::HashMap;
use std::time::Duration;

use tana_protocol::Timestamp;
use tana_protocol::api::node::ServiceState;

use super::link::Link;
use super::rules::{self, Verdict};
use super::{Model, Screen, Source};
use crate::features::mesh::model::Standing;
use crate::theme::Tone;

/// Something that wants attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) tone: Tone,
    /// What it is of: the same while the words about it change.
    pub(crate) of: String,
    /// One short clause.
    pub(crate) text: String,
    pub(crate) since: Option<Timestamp>,
    /// What to do about it.
    pub(crate) todo: Option<String>,
    /// Where more is said about it.
    pub(crate) screen: Screen,
}

impl Problem {
    pub(crate) fn new(
        tone: Tone,
        of: impl Into<String>,
        text: impl Into<String>,
        screen: Screen,
    ) -> Self {
        Self {
            tone,
            of: of.into(),
            text: text.into(),
            since: None,
            todo: None,
            screen,
        }
    }

    pub(crate) fn since(mut self, since: impl Into<Option<Timestamp>>) -> Self {
        self.since = since.into();
        self
    }

    pub(crate) fn todo(mut self, todo: impl Into<Option<String>>) -> Self {
        self.todo = todo.into();
        self
    }
}

/// All of them, worst first.
pub(crate) fn problems(model: &Model) -> Vec<Problem> {
    let mut found = Vec::new();
    for rule in rules::ALL {
        if rule.look(model, &mut found) == Verdict::ExplainsTheRest {
            return found;
        }
    }
    found.sort_by_key(|p| std::cmp::Reverse(p.tone));
    found
}

/// A problem that was gone for so long rings again.
const FORGET: Duration = Duration::from_secs(60);
/// Nodes that ask within so long of each other ring once.
const ASKED: Duration = Duration::from_secs(30);
/// What is wrong when the console opens is on the screen; it rings for what comes after.
const SETTLE: Duration = Duration::from_secs(3);

/// Which problems have rung.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rung {
    /// What was wrong and how many waited for a decision when it was last looked.
    known: (Vec<(Tone, String)>, usize),
    opened: Option<Timestamp>,
    seen: HashMap<String, Timestamp>,
    asked: Option<Timestamp>,
}

impl Rung {
    /// Whether to ring for a node that asks for approval. Hundreds may ask at once: who has been called looks at them all.
    pub(crate) fn asks(&mut self, now: Timestamp) -> bool {
        let rings = self.asked.is_none_or(|at| now.since(at) >= ASKED);
        if rings {
            self.asked = Some(now);
        }
        rings
    }

    /// Whether what is wrong, or how many wait for a decision, is other than when this was last asked.
    pub(crate) fn turned(&mut self, problems: &[Problem], waits: usize) -> bool {
        let (wrong, waited) = &self.known;
        let same = *waited == waits
            && wrong.len() == problems.len()
            && wrong
                .iter()
                .zip(problems)
                .all(|((tone, of), p)| (*tone, of) == (p.tone, &p.of));
        if !same {
            let wrong = problems.iter().map(|p| (p.tone, p.of.clone()));
            self.known = (wrong.collect(), waits);
        }
        !same
    }

    /// The bad problems that are new, to ring for; each once.
    pub(crate) fn news(&mut self, problems: &[Problem], now: Timestamp) -> Vec<String> {
        let opened = *self.opened.get_or_insert(now);
        let quiet = now.since(opened) < SETTLE;
        self.seen.retain(|_, at| now.since(*at) < FORGET);
        problems
            .iter()
            .filter(|p| p.tone == Tone::Bad)
            .filter(|p| self.seen.insert(p.of.clone(), now).is_none() && !quiet)
            .map(|p| p.text.clone())
            .collect()
    }
}

/// Whether services answer although nobody supervises them.
pub(super) fn alone(model: &Model) -> bool {
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
    // Where no supervisor can be reached, the daemons' own answers are what there is.
    let answered = !model.here.supervised && alone(model);
    if model.node.is_none() && problems.is_empty() && !answered {
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

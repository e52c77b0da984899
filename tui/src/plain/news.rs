//! What is worth a line: the difference between what was told and what is known now.

use std::collections::BTreeMap;

use tana_protocol::api::node::ServiceState;
use tana_protocol::login::SessionStatus;
use tana_protocol::{NodeId, ServiceKind};

use crate::features::mesh::model::{self as mesh, Standing};
use crate::model::{Model, problems};
use crate::show::clean;

/// More blocks than this at once are one line.
const BLOCKS: u64 = 3;

/// What has been told.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Seen {
    connected: bool,
    services: BTreeMap<ServiceKind, (ServiceState, Option<String>)>,
    nodes: BTreeMap<NodeId, Standing>,
    height: Option<u64>,
    /// By what each is of.
    problems: BTreeMap<String, (String, Option<String>)>,
    notice: Option<String>,
    login: Option<SessionStatus>,
}

impl Seen {
    /// What is known now.
    pub(super) fn of(model: &Model) -> Self {
        let now = model.clock.now;
        let node = model.node.iter();
        Self {
            connected: true,
            services: node
                .flat_map(|node| &node.services)
                .map(|service| (service.name, (service.state, service.why.clone())))
                .collect(),
            nodes: (model.mesh.nodes.values())
                .map(|node| (node.id.clone(), model.mesh.standing(node, now)))
                .collect(),
            height: model.blocks.newest().map(|block| block.header.height),
            problems: problems::problems(model)
                .into_iter()
                .map(|problem| (problem.of, (problem.text, problem.todo)))
                .collect(),
            notice: model.notice.as_ref().map(|notice| notice.text.clone()),
            login: model.login.session().map(|session| session.status),
        }
    }
}

/// The lines, each with its time.
pub(super) fn between(before: &Seen, after: &Seen, model: &Model) -> Vec<String> {
    let mut lines = Vec::new();
    if !before.connected {
        lines.extend(beginning(after, model));
    } else {
        for (name, (state, why)) in &after.services {
            if before.services.get(name).map(|(state, _)| state) != Some(state) {
                lines.push(service(*name, *state, why.as_deref()));
            }
        }
        blocks(before.height, after.height, model, &mut lines);
    }
    for (id, standing) in &after.nodes {
        if before.nodes.get(id) != Some(standing) {
            lines.push(node(id, *standing, model));
        }
    }
    for (of, (text, todo)) in &after.problems {
        if before.problems.get(of).map(|(text, _)| text) != Some(text) {
            let todo = todo.iter().map(|todo| format!(" {}.", clean(todo)));
            lines.push(format!(
                "wrong: {}.{}",
                clean(text),
                todo.collect::<String>()
            ));
        }
    }
    for (of, (text, _)) in &before.problems {
        if !after.problems.contains_key(of) {
            lines.push(format!("no longer wrong: {}", clean(text)));
        }
    }
    if after.login != before.login {
        lines.extend(
            after
                .login
                .map(|status| format!("login: {}", status.as_str())),
        );
    }
    if after.notice != before.notice {
        lines.extend(after.notice.iter().map(|text| clean(text)));
    }
    let time = model.clock.time(model.clock.now);
    lines
        .into_iter()
        .map(|line| format!("{time}  {line}"))
        .collect()
}

/// What one is told first.
fn beginning(seen: &Seen, model: &Model) -> Vec<String> {
    let chain = model.here.chain.as_deref().unwrap_or("no chain");
    let (_, health) = problems::health(model, &problems::problems(model));
    let height = seen.height.map(|height| format!(", height {height}"));
    let mut lines = vec![format!(
        "chain {chain}{}: {health}",
        height.unwrap_or_default()
    )];
    let services = seen.services.iter();
    lines.extend(services.map(|(name, (state, why))| service(*name, *state, why.as_deref())));
    lines.push(
        "type help for what can be typed, quit to leave; the services keep running".to_owned(),
    );
    lines
}

fn service(name: ServiceKind, state: ServiceState, why: Option<&str>) -> String {
    let why = why.map(|why| format!(": {}", clean(why)));
    format!("service {name} {state}{}", why.unwrap_or_default())
}

fn node(id: &NodeId, standing: Standing, model: &Model) -> String {
    let (Standing::Pending, Some(node)) = (standing, model.mesh.nodes.get(id)) else {
        return format!("node {id} {}", standing.word());
    };
    let role = mesh::role(node);
    let key = node.public_key.fingerprint();
    format!("node {id} ({role}) waits for approval, key {key}; type approve {id} or deny {id}")
}

fn blocks(before: Option<u64>, after: Option<u64>, model: &Model, lines: &mut Vec<String>) {
    let Some(after) = after.filter(|after| before != Some(*after)) else {
        return;
    };
    let from = before.map_or(after, |before| before.saturating_add(1));
    if after.saturating_sub(from) >= BLOCKS {
        lines.push(format!("blocks {from} to {after}"));
        return;
    }
    for height in from..=after {
        let block = model.blocks.list.iter().find(|b| b.header.height == height);
        let count = block.map_or(0, |block| block.header.tx_count);
        let plural = if count == 1 { "" } else { "s" };
        lines.push(format!("block {height}: {count} transaction{plural}"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::fixture;
    use crate::theme::Caps;

    #[test]
    fn first_everything_then_only_what_is_new() {
        let model = fixture::busy(Caps::default());
        let now = Seen::of(&model);
        let first = between(&Seen::default(), &now, &model);
        assert!(
            first.iter().any(|line| line.contains("service ledger")),
            "{first:#?}"
        );
        assert!(
            first
                .iter()
                .any(|line| line.contains("waits for approval, key "))
        );
        assert_eq!(between(&now, &now, &model), Vec::<String>::new());

        let mut later = now.clone();
        let (name, (state, _)) = later.services.iter_mut().next().unwrap();
        let name = *name;
        *state = ServiceState::Failed;
        later.height = later.height.map(|height| height + 20);
        let told = between(&now, &later, &model);
        assert_eq!(told.len(), 2, "{told:#?}");
        assert!(
            told[0].contains(&format!("service {name} failed")),
            "{told:#?}"
        );
        assert!(told[1].contains("blocks "), "{told:#?}");
    }

    #[test]
    fn the_end_of_a_problem_is_news_too() {
        let model = fixture::busy(Caps::default());
        let well = Seen {
            connected: true,
            ..Seen::default()
        };
        let mut ill = well.clone();
        let problem = ("disk is full".to_owned(), Some("make room".to_owned()));
        ill.problems.insert("disk".to_owned(), problem);
        let told = between(&well, &ill, &model);
        assert!(
            told[0].ends_with("wrong: disk is full. make room."),
            "{told:?}"
        );
        let told = between(&ill, &well, &model);
        assert!(
            told[0].ends_with("no longer wrong: disk is full"),
            "{told:?}"
        );
    }
}

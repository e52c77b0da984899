//! The services of the node and which one is selected.

use tana_protocol::api::node::{ServiceState, ServiceView};
use tana_protocol::service::ServiceKind;

use crate::theme::Tone;
use crate::widgets::cursor::Cursor;

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) cursor: Cursor<ServiceKind>,
    /// The supervisor has said that it ends.
    pub(crate) stopping: Ending,
}

/// Whether the supervisor has said that it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Ending {
    #[default]
    No,
    Announced,
}

/// How much attention a state wants.
pub(crate) fn tone(state: ServiceState) -> Tone {
    match state {
        ServiceState::Ready => Tone::Good,
        ServiceState::Starting | ServiceState::Waits | ServiceState::Degraded => Tone::Warn,
        ServiceState::Failed => Tone::Bad,
        ServiceState::Stopped | ServiceState::Stopping => Tone::Dim,
    }
}

/// The rows in view.
pub(crate) fn rows(model: &crate::model::Model) -> Vec<&ServiceView> {
    model.node.as_ref().map_or_else(Vec::new, |node| {
        node.services
            .iter()
            .filter(|s| {
                let (why, last) = (
                    s.why.as_deref().unwrap_or_default(),
                    s.last_line.as_deref().unwrap_or_default(),
                );
                model.keeps(&format!("{} {} {why} {last}", s.name, s.state))
            })
            .collect()
    })
}

/// The keys of the rows in view.
pub(crate) fn keys(model: &crate::model::Model) -> Vec<ServiceKind> {
    rows(model).iter().map(|s| s.name).collect()
}

/// The row under the cursor: the one that is worst off until the cursor is moved, since that is what one opens the console for.
pub(crate) fn selected_row(model: &crate::model::Model) -> Option<usize> {
    let rows = rows(model);
    let keys: Vec<ServiceKind> = rows.iter().map(|s| s.name).collect();
    let worst = (0..rows.len())
        .max_by_key(|i| (severity(rows[*i].state), std::cmp::Reverse(*i)))
        .unwrap_or(0);
    model.services.cursor.index_or(&keys, worst)
}

fn severity(state: ServiceState) -> u8 {
    match state {
        ServiceState::Failed => 4,
        ServiceState::Degraded => 3,
        ServiceState::Waits => 2,
        ServiceState::Stopped => 1,
        ServiceState::Starting | ServiceState::Stopping | ServiceState::Ready => 0,
    }
}

/// The service under the cursor.
pub(crate) fn selected(model: &crate::model::Model) -> Option<&ServiceView> {
    selected_row(model).and_then(|i| rows(model).get(i).copied())
}

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
            .filter(|s| model.keeps(&format!("{} {} {}", s.name, s.state, s.last_line.as_deref().unwrap_or_default())))
            .collect()
    })
}

/// The keys of the rows in view.
pub(crate) fn keys(model: &crate::model::Model) -> Vec<ServiceKind> {
    rows(model).iter().map(|s| s.name).collect()
}

/// The service under the cursor.
pub(crate) fn selected(model: &crate::model::Model) -> Option<&ServiceView> {
    let rows = rows(model);
    let keys: Vec<ServiceKind> = rows.iter().map(|s| s.name).collect();
    model.services.cursor.index(&keys).and_then(|i| rows.get(i).copied())
}

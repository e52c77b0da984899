//! The deployed contracts as the ledger lists them, the sources that were read, and the playground.

use std::collections::HashMap;

use tana_protocol::ContractId;
use tana_protocol::api::ledger::ContractView;

use super::playground::Playground;
use crate::widgets::code::Code;
use crate::widgets::cursor::Cursor;

/// Sources kept.
const SOURCES: usize = 64;

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) list: Option<Vec<ContractView>>,
    pub(crate) failed: Option<String>,
    pub(crate) cursor: Cursor<ContractId>,
    pub(crate) sources: HashMap<ContractId, Source>,
    /// The first line of the source in view, where it has the whole screen.
    pub(crate) scroll: usize,
    pub(crate) playground: Option<Box<Playground>>,
    pub(crate) pane: Pane,
}

/// What of the screen is in view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Pane {
    #[default]
    List,
    Playground,
}

/// The source of a contract.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Asked,
    Here { text: String, code: Code },
    Failed(String),
}

impl Model {
    pub(crate) fn keep(&mut self, id: ContractId, source: Source) {
        if self.sources.len() >= SOURCES {
            self.sources.clear();
        }
        self.sources.insert(id, source);
    }

    /// The playground while it is in view.
    pub(crate) fn in_view(&self) -> Option<&Playground> {
        self.playground
            .as_deref()
            .filter(|_| self.pane == Pane::Playground)
    }
}

pub(crate) fn rows(model: &crate::model::Model) -> Vec<&ContractView> {
    model
        .contracts
        .list
        .iter()
        .flatten()
        .filter(|c| model.keeps(&format!("{} {} {}", c.name, c.version, c.id)))
        .collect()
}

pub(crate) fn keys(model: &crate::model::Model) -> Vec<ContractId> {
    rows(model).iter().map(|c| c.id).collect()
}

pub(crate) fn selected(model: &crate::model::Model) -> Option<&ContractView> {
    model.contracts.cursor.pick(rows(model), |c| c.id)
}

//! The deployed contracts as the ledger lists them.

use tana_protocol::ContractId;
use tana_protocol::api::ledger::ContractView;

use crate::widgets::cursor::Cursor;

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) list: Option<Vec<ContractView>>,
    pub(crate) failed: Option<String>,
    pub(crate) cursor: Cursor<ContractId>,
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
    let rows = rows(model);
    let keys: Vec<ContractId> = rows.iter().map(|c| c.id).collect();
    model
        .contracts
        .cursor
        .index(&keys)
        .and_then(|i| rows.get(i).copied())
}

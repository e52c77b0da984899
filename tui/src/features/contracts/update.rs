//! The contracts are asked for when the screen opens, and on a key.

use tana_protocol::api::ledger::ContractView;

use crate::effect::Effect;
use crate::keys::Action;
use crate::model::Model;

pub(crate) fn opened() -> Vec<Effect> {
    vec![Effect::LoadContracts]
}

pub(crate) fn answered(model: &mut Model, result: Result<Vec<ContractView>, String>) {
    match result {
        Ok(list) => {
            model.contracts.failed = None;
            model.contracts.list = Some(list);
        }
        Err(why) => model.contracts.failed = Some(why),
    }
}

pub(crate) fn act(action: Action) -> Vec<Effect> {
    if action == Action::ReloadContracts {
        vec![Effect::LoadContracts]
    } else {
        Vec::new()
    }
}

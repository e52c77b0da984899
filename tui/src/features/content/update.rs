//! The survey is made when the screen opens, and on a key: it asks a store for every object.

use crate::effect::Effect;
use crate::keys::Action;
use crate::model::Model;
use crate::survey::Survey;

pub(crate) fn opened() -> Vec<Effect> {
    vec![Effect::LoadContent]
}

pub(crate) fn answered(model: &mut Model, result: Result<Survey, String>) {
    match result {
        Ok(found) => {
            model.content.failed = None;
            model.content.found = Some((found, model.clock.now));
        }
        Err(why) => model.content.failed = Some(why),
    }
}

pub(crate) fn act(action: Action) -> Vec<Effect> {
    if action == Action::ReloadContent {
        opened()
    } else {
        Vec::new()
    }
}

//! The queue is asked for when it changes while the screen is in view.

use tana_protocol::api::ledger::QueueView;

use super::model::Asked;
use crate::effect::Effect;
use crate::keys::Action;
use crate::model::{Model, Screen};

pub(crate) fn opened(model: &mut Model) -> Vec<Effect> {
    ask(model)
}

fn ask(model: &mut Model) -> Vec<Effect> {
    match model.queue.asked {
        Asked::No => {
            model.queue.asked = Asked::Yes;
            vec![Effect::LoadQueue]
        }
        Asked::Yes | Asked::Again => {
            model.queue.asked = Asked::Again;
            Vec::new()
        }
    }
}

pub(crate) fn length(model: &mut Model, length: u64) -> Vec<Effect> {
    let known = model.queue.view.as_ref().map(|(v, _)| v.length);
    if model.screen == Screen::Queue && known != Some(length) {
        ask(model)
    } else {
        Vec::new()
    }
}

pub(crate) fn answered(model: &mut Model, result: Result<QueueView, String>) {
    model.queue.asked = Asked::No;
    match result {
        Ok(view) => {
            model.queue.failed = None;
            model.queue.view = Some((view, model.clock.now));
        }
        Err(why) => model.queue.failed = Some(why),
    }
}

pub(crate) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    if action == Action::ReloadQueue {
        ask(model)
    } else {
        Vec::new()
    }
}

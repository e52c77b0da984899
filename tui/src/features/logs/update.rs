//! Moving through the log, and what of it is shown.

use tana_protocol::api::node::LogLevel;
use tana_protocol::service::ServiceKind;

use super::model::{Wrap, back, forward, newest, oldest};
use crate::effect::Effect;
use crate::keys::Action;
use crate::model::Model;
use crate::theme::Tone;
use crate::widgets::cursor::Move;

pub(crate) fn to_newest(model: &mut Model) {
    model.logs.held = None;
}

/// Moves through the lines in view without counting them: there may be a million.
pub(crate) fn go(model: &mut Model, by: Move) {
    let page = model.page.max(1);
    let older = |model: &Model, by: usize| {
        let mut last = None;
        for entry in back(model).take(by + 1) {
            last = Some(entry.mark);
        }
        last
    };
    // Past the newest the list follows what comes.
    let newer = |model: &Model, by: usize| forward(model).nth(by - 1).map(|e| e.mark);
    let held = match by {
        Move::Up => older(model, 1),
        Move::PageUp => older(model, page),
        Move::Down => newer(model, 1),
        Move::PageDown => newer(model, page),
        Move::Top => oldest(model).map(|e| e.mark),
        Move::Bottom => None,
        Move::To(row) => older(model, row),
    };
    // On the newest line there is nothing to hold.
    let newest = newest(model).map(|e| e.mark);
    model.logs.held = held.filter(|mark| Some(*mark) != newest);
}

pub(crate) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    if action == Action::Follow {
        model.logs.held = match model.logs.held {
            Some(_) => None,
            None => back(model).next().map(|e| e.mark),
        };
        return Vec::new();
    }
    let logs = &mut model.logs;
    match action {
        Action::Wrap => {
            logs.wrap = match logs.wrap {
                Wrap::Cut => Wrap::Wrapped,
                Wrap::Wrapped => Wrap::Cut,
            };
        }
        Action::Level => {
            logs.least = match logs.least {
                LogLevel::Trace | LogLevel::Debug => LogLevel::Info,
                LogLevel::Info => LogLevel::Warn,
                LogLevel::Warn => LogLevel::Error,
                LogLevel::Error => LogLevel::Trace,
            };
            let text = match logs.least {
                LogLevel::Trace | LogLevel::Debug => "all lines",
                LogLevel::Info => "from info on",
                LogLevel::Warn => "warnings and errors",
                LogLevel::Error => "errors only",
            };
            model.say(Tone::Plain, text);
        }
        Action::LogService => {
            let next = match logs.only {
                None => ServiceKind::ALL.first().copied(),
                Some(at) => ServiceKind::ALL
                    .iter()
                    .skip_while(|k| **k != at)
                    .nth(1)
                    .copied(),
            };
            logs.only = next;
        }
        _ => {}
    }
    Vec::new()
}

//! Moving through the log, and what of it is shown.

use tana_protocol::api::node::LogLevel;
use tana_protocol::service::ServiceKind;

use super::model::{Wrap, newest_first};
use crate::effect::Effect;
use crate::keys::Action;
use crate::model::Model;
use crate::theme::Tone;
use crate::widgets::cursor::{Move, moved};

pub(crate) fn to_newest(model: &mut Model) {
    model.logs.held = None;
}

pub(crate) fn go(model: &mut Model, by: Move) {
    let numbers: Vec<u64> = newest_first(model).map(|e| e.number).collect();
    if numbers.is_empty() {
        return;
    }
    let at = model
        .logs
        .held
        .and_then(|h| numbers.iter().position(|n| *n == h))
        .unwrap_or(0);
    // The list runs upwards from the newest.
    let turned = match by {
        Move::Up => Move::Down,
        Move::Down => Move::Up,
        Move::PageUp => Move::PageDown,
        Move::PageDown => Move::PageUp,
        Move::Top => Move::Bottom,
        Move::Bottom => Move::Top,
        Move::To(row) => Move::To(row),
    };
    let to = moved(at, numbers.len(), model.page, turned);
    model.logs.held = (to > 0).then(|| numbers[to]);
}

pub(crate) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    if action == Action::Follow {
        model.logs.held = match model.logs.held {
            Some(_) => None,
            None => newest_first(model).next().map(|e| e.number),
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

//! Moving through the log, and what of it is shown.

use tana_protocol::api::node::LogLevel;
use tana_protocol::service::ServiceKind;

use super::model::{AROUND, Way, Wrap, back, forward, newest, oldest};
use crate::effect::Effect;
use crate::keys::Action;
use crate::model::{Model, Screen};
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
    match action {
        Action::MarkLine => return mark(model),
        Action::MarkUp | Action::MarkDown => return to_mark(model, action),
        Action::CopyLines => return copy(model),
        _ => {}
    }
    let logs = &mut model.logs;
    match action {
        Action::Around => {
            logs.around = (logs.around + 1) % AROUND.len();
            let text = match AROUND[logs.around] {
                0 => "only lines that match".to_owned(),
                n => format!("{n} lines around each that matches"),
            };
            model.say(Tone::Plain, text);
        }
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

/// Marks the line at the bottom, or takes its mark away.
fn mark(model: &mut Model) -> Vec<Effect> {
    let line = back(model).next().map(|e| e.mark);
    if let Some(line) = line {
        let text = if model.logs.toggle(line) {
            format!(
                "marked; {} and {} go from mark to mark",
                model.keys.key(Action::MarkUp),
                model.keys.key(Action::MarkDown)
            )
        } else {
            "the mark is gone".to_owned()
        };
        model.say(Tone::Plain, text);
    }
    Vec::new()
}

fn to_mark(model: &mut Model, action: Action) -> Vec<Effect> {
    let way = if action == Action::MarkUp {
        Way::Back
    } else {
        Way::Forward
    };
    match model.logs.marked(way) {
        Some(mark) => model.logs.held = Some(mark),
        None => model.say(
            Tone::Plain,
            format!(
                "no mark there; {} sets one on the line at the bottom",
                model.keys.key(Action::MarkLine)
            ),
        ),
    }
    Vec::new()
}

/// Copies the lines on the screen, the oldest first.
fn copy(model: &mut Model) -> Vec<Effect> {
    let page = model.page.max(1);
    let mut lines: Vec<String> = back(model)
        .take(page)
        .map(|line| {
            let at = model.clock.full(line.at);
            format!("{at}  {:<9} {}", line.service.name(), line.text)
        })
        .collect();
    lines.reverse();
    if lines.is_empty() {
        model.say(Tone::Plain, "no line is shown");
        return Vec::new();
    }
    vec![Effect::Copy(lines.join("\n"))]
}

/// The filter looks on, as long as there is something to look at and somebody who waits for it.
pub(crate) fn look(model: &mut Model) {
    if model.screen == Screen::Logs {
        let filter = model.filters.get(&Screen::Logs);
        model.logs.look(filter);
    }
}

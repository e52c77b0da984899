//! Draws the screen Logs: the newest lines at the bottom, or those around a line that is held.

use ratatui::layout::Rect;
use ratatui::text::Line;
use tana_protocol::api::node::LogLevel;

use super::model::{AROUND, Entry, Wrap, back};
use crate::keys::Action;
use crate::model::{Model, Source};
use crate::show::count;
use crate::theme::Tone;
use crate::widgets::{Paint, Words};

pub(crate) fn draw(model: &Model, area: Rect, paint: &mut Paint<'_>) {
    if model.logs.is_empty() {
        super::super::nothing(model, Source::Node, area, paint, |w| {
            w.text("No service has written a line yet.")
        });
        return;
    }
    let area = if area.height >= 4 {
        status(model, Rect { height: 1, ..area }, paint);
        Rect {
            y: area.y + 1,
            height: area.height - 1,
            ..area
        }
    } else {
        area
    };
    let mut entries = back(model).peekable();
    if entries.peek().is_none() && model.logs.unseen() > 0 {
        return;
    }
    if entries.peek().is_none() {
        let line = paint
            .words()
            .text("No line matches. ")
            .accent("Esc")
            .dim(" clears the filter")
            .line();
        paint.line(
            area.x + 3.min(area.width),
            area.y,
            area.width.saturating_sub(3),
            &line,
        );
        return;
    }
    // From the newest back, until the room is full.
    let mut rows: Vec<(Line<'static>, bool)> = Vec::new();
    for entry in entries {
        let held = model.logs.held == Some(entry.mark);
        rows.extend(
            lines(model, paint, &entry, area.width)
                .into_iter()
                .rev()
                .map(|line| (line, held)),
        );
        if rows.len() >= usize::from(area.height) {
            break;
        }
    }
    rows.truncate(usize::from(area.height));
    for (y, (line, held)) in (area.y..area.bottom()).zip(rows.iter().rev()) {
        paint.line(area.x + 1, y, area.width.saturating_sub(1), line);
        if *held {
            paint.select(Rect {
                y,
                height: 1,
                ..area
            });
        }
    }
}

fn status(model: &Model, area: Rect, paint: &mut Paint<'_>) {
    let logs = &model.logs;
    let mut words = paint.words();
    words = match logs.only {
        Some(only) => words.strong(only.name()),
        None => words.dim("all services"),
    };
    words = match logs.least {
        LogLevel::Trace | LogLevel::Debug => words,
        LogLevel::Info => words.dim(", from info on"),
        LogLevel::Warn => words.text(", warnings and errors"),
        LogLevel::Error => words.text(", errors only"),
    };
    if let Some(since) = model.links.silent_since(Source::Node) {
        words = words.tone(
            Tone::Warn,
            format!("   no data since {}", model.clock.time(since)),
        );
    }
    let around = AROUND[logs.around % AROUND.len()];
    if around > 0 && model.filter().is_some() {
        words = words.dim(format!(", {around} lines around each"));
    }
    if logs.unseen() > 0 {
        words = words.tone(
            Tone::Accent,
            format!(
                "   looking, {} lines left",
                count(u64::try_from(logs.unseen()).unwrap_or(u64::MAX))
            ),
        );
    }
    let line = words.line();
    let margin = 1.min(area.width);
    paint.line(area.x + margin, area.y, area.width - margin, &line);
    let right = match logs.held {
        None => paint.words().dim("newest").line(),
        Some(_) => paint
            .words()
            .tone(Tone::Accent, "held")
            .gap(2)
            .accent(model.keys.key(Action::Follow))
            .dim(" follows")
            .line(),
    };
    let width = u16::try_from(right.width()).unwrap_or(0);
    if usize::from(area.width) > line.width() + usize::from(width) + 6 {
        paint.line(area.right() - width - 1, area.y, width, &right);
    }
}

fn lines(model: &Model, paint: &Paint<'_>, entry: &Entry<'_>, width: u16) -> Vec<Line<'static>> {
    let Entry {
        at,
        service,
        level,
        text,
        fits,
        marked,
        ..
    } = entry;
    let w = || Words::new(paint.look);
    let tone = match level {
        LogLevel::Error => Tone::Bad,
        LogLevel::Warn => Tone::Warn,
        LogLevel::Info => Tone::Plain,
        LogLevel::Debug | LogLevel::Trace => Tone::Dim,
    };
    // What only stands around a line that matches steps back.
    let tone = if *fits || model.filter().is_none() {
        tone
    } else {
        Tone::Dim
    };
    // The word stands where colour alone would say it.
    let word = match level {
        LogLevel::Error => "error ",
        LogLevel::Warn => "warn  ",
        _ => "",
    };
    let mut head = w();
    if width >= 50 {
        let time = model.clock.time(*at);
        head = if *marked {
            head.tone(Tone::Accent, format!("{time}› "))
        } else {
            head.dim(time).gap(2)
        };
    } else if *marked {
        head = head.tone(Tone::Accent, "›");
    }
    if model.logs.only.is_none() {
        head = head.dim(format!("{:<9}", service.name())).gap(1);
    }
    let indent = head.width();
    let room = usize::from(width).saturating_sub(indent + 2).max(10);
    match model.logs.wrap {
        Wrap::Cut => vec![head.tone(tone, word).tone(tone, *text).line()],
        Wrap::Wrapped => crate::show::wrap(&format!("{word}{text}"), room)
            .into_iter()
            .enumerate()
            .map(|(i, part)| {
                if i == 0 {
                    head.clone()
                } else {
                    w().gap(indent)
                }
                .tone(tone, part)
                .line()
            })
            .collect(),
    }
}

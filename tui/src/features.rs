//! One module a screen, and one for the first run, each with `model` (what it knows), `update` (what changes it) and `view` (how it is drawn).

pub(crate) mod approvals;
pub(crate) mod blocks;
pub(crate) mod content;
pub(crate) mod contracts;
pub(crate) mod first;
pub(crate) mod login;
pub(crate) mod logs;
pub(crate) mod mesh;
pub(crate) mod queue;
pub(crate) mod services;

use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::model::link::Link;
use crate::model::{Model, Screen, Source};
use crate::theme::Tone;
use crate::widgets::fold::fold;
use crate::widgets::{Paint, Words};

/// A list without rows: says why, and what to do. Never blank.
pub(crate) fn nothing(
    model: &Model,
    source: Source,
    area: Rect,
    paint: &mut Paint<'_>,
    empty: impl for<'w> FnOnce(Words<'w>) -> Words<'w>,
) {
    let words = || Words::new(paint.look);
    let mut lines: Vec<Line<'static>> = Vec::new();
    match (model.links.of(source), model.filter()) {
        (Link::Connecting, _) => {
            lines.push(words().dim(format!("asking the {}…", source.name())).line());
        }
        (Link::Live, Some(filter)) => {
            lines.push(
                words()
                    .text("Nothing here matches ")
                    .strong(filter.text.clone())
                    .text(".")
                    .line(),
            );
            lines.push(words().accent("Esc").dim(" clears the filter").line());
        }
        (Link::Live, None) => lines.push(empty(words()).line()),
        (Link::Absent { since } | Link::Lost { since, .. }, _) => {
            lines.push(
                words()
                    .tone(
                        Tone::Warn,
                        format!(
                            "No data from the {} since {}.",
                            source.name(),
                            model.clock.time(*since)
                        ),
                    )
                    .line(),
            );
            if let Link::Lost { why, .. } = model.links.of(source) {
                lines.push(words().dim(crate::show::clean(why)).line());
            }
            lines.push(
                words()
                    .accent(Screen::Services.digit().to_string())
                    .dim(" shows whether it runs; this screen fills by itself")
                    .line(),
            );
        }
    }
    let margin = if area.width >= 60 { 3 } else { 1 };
    let top = u16::from(area.height > 3);
    let area = Rect {
        x: area.x + margin,
        y: area.y + top,
        width: area.width.saturating_sub(margin),
        height: area.height - top,
    };
    let wrapped: Vec<Line<'static>> = lines
        .into_iter()
        .flat_map(|line| fold(line, usize::from(area.width)))
        .collect();
    paint.lines(area, &wrapped);
}

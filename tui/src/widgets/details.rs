//! Where a list and its details stand, and the labelled lines that details are made of.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::fold::fold;
use super::{Paint, Words};
use crate::theme::Look;

/// From this width on details stand beside the list.
const BESIDE: u16 = 160;

/// How a screen's body is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Split {
    pub(crate) list: Option<Rect>,
    pub(crate) details: Option<Rect>,
    /// Whether the details stand beside the list; below it when not.
    pub(crate) beside: bool,
}

/// Whether the details have the whole body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Zoom {
    #[default]
    Off,
    On,
}

/// Divides `body` for a list that needs `rows` rows, heading included, and details that want `wanted`.
pub(crate) fn split(body: Rect, rows: u16, wanted: u16, zoom: Zoom) -> Split {
    if zoom == Zoom::On {
        return Split {
            list: None,
            details: Some(body),
            beside: false,
        };
    }
    if body.width >= BESIDE {
        let left = body.width * 11 / 20;
        return Split {
            list: Some(Rect {
                width: left - 1,
                ..body
            }),
            details: Some(Rect {
                x: body.x + left + 1,
                width: body.width - left - 1,
                ..body
            }),
            beside: true,
        };
    }
    // Less than this is no list, and no details.
    let least = wanted.clamp(3, 8);
    if body.height < least + 4 {
        return Split {
            list: Some(body),
            details: None,
            beside: false,
        };
    }
    let gap = u16::from(body.height >= 14);
    let list = rows
        .min(
            body.height
                .saturating_sub(wanted.min(body.height * 3 / 5) + gap),
        )
        .max(4.min(rows))
        .max(1);
    let top = body.y + list + gap;
    Split {
        list: Some(Rect {
            height: list,
            ..body
        }),
        details: Some(Rect {
            y: top,
            height: body.bottom().saturating_sub(top),
            ..body
        }),
        beside: false,
    }
}

/// Draws the rule of details and answers what is left below it.
pub(crate) fn heading(paint: &mut Paint<'_>, area: Rect, title: &str, right: &Line<'_>) -> Rect {
    paint.rule(area, title, right);
    let gap = if area.height >= 10 { 2 } else { 1 };
    let margin = if area.width >= 60 { 3 } else { 1 };
    let used = gap.min(area.height);
    Rect {
        x: area.x + margin,
        y: area.y + used,
        width: area.width.saturating_sub(margin + 1),
        height: area.height - used,
    }
}

/// How wide the labels of details are.
pub(crate) fn label_width(width: u16) -> usize {
    if width >= 56 { 13 } else { 10 }
}

/// `label        value`: a line of details, or as many as the value needs, which then stand below each other.
pub(crate) fn labelled(
    look: &Look,
    width: u16,
    label: &str,
    value: Words<'_>,
) -> Vec<Line<'static>> {
    let indent = label_width(width);
    fold(
        value.line(),
        usize::from(width).saturating_sub(indent).max(1),
    )
    .into_iter()
    .enumerate()
    .map(|(i, part)| {
        let label = if i == 0 { label } else { "" };
        let mut line = Words::new(look).dim(format!("{label:<indent$}")).line();
        line.spans.extend(part.spans);
        line
    })
    .collect()
}

//! The pieces that screens are made of. Each draws values it is handed; none knows a feature.

pub(crate) mod chart;
pub(crate) mod code;
pub(crate) mod cursor;
pub(crate) mod details;
pub(crate) mod dialog;
pub(crate) mod fold;
pub(crate) mod grid;
pub(crate) mod input;
pub(crate) mod list;
pub(crate) mod qr;
pub(crate) mod words;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use crate::keys::{Action, Keymap};
use crate::model::Screen;
use crate::theme::Look;
pub(crate) use words::Words;

/// What a click on a place means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Target {
    /// A tab.
    Screen(Screen),
    /// A row of the screen's list.
    Row(usize),
    /// A key of the footer.
    Act(Action),
    /// A button of the dialog.
    Choose(dialog::Button),
}

/// The places of a frame that can be clicked, later ones above earlier ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hits(Vec<(Rect, Target)>);

impl Hits {
    pub(crate) fn add(&mut self, area: Rect, target: Target) {
        self.0.push((area, target));
    }

    /// A dialog takes all clicks.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn at(&self, column: u16, row: u16) -> Option<Target> {
        self.0
            .iter()
            .rev()
            .find(|(area, _)| area.contains((column, row).into()))
            .map(|(_, target)| *target)
    }
}

/// What a view draws with.
pub(crate) struct Paint<'a> {
    pub(crate) buf: &'a mut Buffer,
    pub(crate) look: &'a Look,
    pub(crate) keys: &'a Keymap,
    pub(crate) hits: &'a mut Hits,
}

impl Paint<'_> {
    /// A line of text, cut at `width` with an ellipsis. Answers the columns it took.
    pub(crate) fn line(&mut self, x: u16, y: u16, width: u16, line: &Line<'_>) -> u16 {
        if !self.buf.area.contains((x, y).into()) || width == 0 {
            return 0;
        }
        let width = width.min(self.buf.area.right() - x);
        let full = line.width();
        if full <= usize::from(width) {
            self.buf.set_line(x, y, line, width);
            return u16::try_from(full).unwrap_or(width);
        }
        let (end, _) = self.buf.set_line(x, y, line, width - 1);
        let style = self
            .buf
            .cell((end.saturating_sub(1), y))
            .map_or_else(Style::default, ratatui::buffer::Cell::style);
        self.buf.set_string(end, y, "…", style);
        width
    }

    /// Lines below each other, as far as there is room. Answers the rows they took.
    pub(crate) fn lines(&mut self, area: Rect, lines: &[Line<'_>]) -> u16 {
        let mut rows = 0;
        for line in lines.iter().take(usize::from(area.height)) {
            self.line(area.x, area.y + rows, area.width, line);
            rows += 1;
        }
        rows
    }

    /// A rule across the first row of `area`, with a title in it and something at its right end.
    pub(crate) fn rule(&mut self, area: Rect, title: &str, right: &Line<'_>) {
        if area.width < 4 || area.height == 0 {
            return;
        }
        let style = self.look.line();
        for x in area.x..area.right() {
            self.buf.set_string(x, area.y, "─", style);
        }
        let room = area.width.saturating_sub(6);
        let mut taken = 0;
        if !title.is_empty() {
            let title = crate::show::fit(title, usize::from(room));
            let text = format!(" {title} ");
            let (end, _) = self.buf.set_stringn(
                area.x + 2,
                area.y,
                text,
                usize::from(area.width),
                self.look.dim(),
            );
            taken = end - area.x;
        }
        let width = u16::try_from(right.width()).unwrap_or(u16::MAX);
        if width > 0 && taken + width + 8 < area.width {
            let x = area.right() - width - 4;
            self.buf.set_string(x, area.y, " ", self.look.dim());
            self.buf.set_line(x + 1, area.y, right, width);
            self.buf
                .set_string(x + 1 + width, area.y, " ", self.look.dim());
        }
    }

    /// Gives everything in `area` the ground of the selected row.
    pub(crate) fn select(&mut self, area: Rect) {
        self.buf.set_style(area, self.look.selection());
        if area.width > 0 {
            self.buf.set_string(
                area.x,
                area.y,
                "▌",
                self.look.selection().patch(self.look.accent()),
            );
        }
    }

    pub(crate) fn words(&self) -> Words<'_> {
        Words::new(self.look)
    }
}

//! A question before something that changes things: names the thing and the consequence; the safe answer is the default.

use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Clear, Widget as _};

use super::input::Input;
use super::{Paint, Target};

/// The two answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Button {
    /// Leaves everything as it is.
    Safe,
    /// Does it.
    Do,
}

/// What a dialog says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dialog {
    pub(crate) title: String,
    /// What will happen, a line each.
    pub(crate) body: Vec<String>,
    pub(crate) safe: &'static str,
    pub(crate) doing: &'static str,
    /// The one Enter takes.
    pub(crate) chosen: Button,
    /// Whether `doing` harms, and so is drawn as a warning.
    pub(crate) harm: Harm,
    /// What must be typed to do it, where it cannot be undone.
    pub(crate) word: Option<Word>,
}

/// A word that is typed rather than a key pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    expected: String,
    pub(crate) typed: Input,
}

impl Word {
    pub(crate) fn new(expected: String) -> Self {
        Self {
            expected,
            typed: Input::default(),
        }
    }

    /// The word.
    pub(crate) fn expected(&self) -> &str {
        &self.expected
    }

    /// Whether it was typed.
    pub(crate) fn fits(&self) -> bool {
        self.typed.text().trim() == self.expected
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    None,
    Harmful,
}

pub(crate) fn draw(paint: &mut Paint<'_>, screen: Rect, dialog: &Dialog) {
    let width = screen
        .width
        .saturating_sub(4)
        .min(76)
        .max(screen.width.min(24));
    let inner = usize::from(width.saturating_sub(6)).max(10);
    let mut body: Vec<String> = dialog
        .body
        .iter()
        .flat_map(|l| {
            if unicode_width::UnicodeWidthStr::width(l.as_str()) <= inner {
                vec![l.clone()]
            } else {
                crate::show::wrap(l, inner)
            }
        })
        .collect();
    // On a small screen the question and its answers matter more than the frame around them.
    let tall = screen.height >= 16;
    let frame_rows: u16 = if tall { 6 } else { 3 };
    let room = usize::from(screen.height.saturating_sub(frame_rows));
    if body.len() > room {
        body.truncate(room.saturating_sub(1));
        body.push("… more in a larger window".to_owned());
    }
    let rows = u16::try_from(body.len()).unwrap_or(0) + frame_rows;
    let height = rows.min(screen.height);
    let area = Rect {
        x: screen.x + (screen.width.saturating_sub(width)) / 2,
        y: screen.y + (screen.height.saturating_sub(height)) / 3,
        width,
        height,
    };
    Clear.render(area, paint.buf);
    paint.buf.set_style(area, paint.look.base());
    frame(paint, area, &dialog.title);
    let top = area.y + if tall { 2 } else { 1 };
    for (y, line) in (top..).zip(&body) {
        let line = paint.words().text(line.clone()).line();
        paint.line(area.x + 3, y, area.width.saturating_sub(6), &line);
    }
    let y = area.bottom().saturating_sub(if tall { 3 } else { 2 });
    let mut x = area.x + 3;
    paint.hits.clear();
    if let Some(word) = &dialog.word {
        let look = paint.look;
        let mut line = paint
            .words()
            .text("type ")
            .strong(word.expected.clone())
            .text(format!(" to {}: ", dialog.doing))
            .line();
        line.spans.extend(word.typed.line(look, 12).spans);
        line.spans.extend(
            paint
                .words()
                .dim(format!("   Esc {}", dialog.safe))
                .line()
                .spans,
        );
        paint.line(x, y, area.right().saturating_sub(x + 1), &line);
        return;
    }
    for (button, letter, text) in [
        (Button::Safe, "n", dialog.safe),
        (Button::Do, "y", dialog.doing),
    ] {
        let chosen = dialog.chosen == button;
        let words = paint.words();
        let words = if chosen {
            words.accent("▸ ")
        } else {
            words.text("  ")
        }
        .accent(letter)
        .gap(1);
        let words = match (button, dialog.harm, chosen) {
            (Button::Do, Harm::Harmful, true) => words.tone(crate::theme::Tone::Bad, text),
            (_, _, true) => words.title(text),
            (_, _, false) => words.dim(text),
        };
        let line: Line<'_> = words.line();
        let taken = paint.line(x, y, area.right().saturating_sub(x + 1), &line);
        paint
            .hits
            .add(Rect::new(x, y, taken, 1), Target::Choose(button));
        x += taken + 3;
    }
}

/// One thin frame with the title in its upper edge; also that of the palette and the help.
pub(crate) fn frame(paint: &mut Paint<'_>, area: Rect, title: &str) {
    if area.width < 4 || area.height < 2 {
        return;
    }
    let style = paint.look.line();
    let (left, right, top, bottom) = (area.x, area.right() - 1, area.y, area.bottom() - 1);
    for x in left..=right {
        paint.buf.set_string(x, top, "─", style);
        paint.buf.set_string(x, bottom, "─", style);
    }
    for y in top..=bottom {
        paint.buf.set_string(left, y, "│", style);
        paint.buf.set_string(right, y, "│", style);
    }
    for (x, y, corner) in [
        (left, top, "╭"),
        (right, top, "╮"),
        (left, bottom, "╰"),
        (right, bottom, "╯"),
    ] {
        paint.buf.set_string(x, y, corner, style);
    }
    let title = crate::show::fit(title, usize::from(area.width.saturating_sub(6)));
    let line = paint.words().title(format!(" {title} ")).line();
    paint.line(left + 2, top, area.width.saturating_sub(4), &line);
}

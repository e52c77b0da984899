//! Cells as escape sequences, as few bytes as they can be said in: over a slow line a frame is what it weighs.
//! A colour is sent when it changes, a blank takes whatever foreground there is, a short way is a relative move. A frame is one
//! whole to the terminal, so that the order of its cells is free: those of one colour may come together.

use std::fmt::Write as _;

use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};

/// What a run of cells looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    /// None where there are only blanks, which show none.
    fg: Option<Color>,
    bg: Color,
    modifier: Modifier,
}

/// Neighbours in a row that look alike.
#[derive(Debug)]
struct Run {
    x: u16,
    y: u16,
    look: Look,
    text: String,
    /// The column after it. Where the cursor stands after a glyph of unusual width, or at the end of a row, is the terminal's guess.
    end: Option<u16>,
}

/// Writes changed cells of a terminal so many columns wide, in the order of rows and columns.
pub(super) fn write<'a>(
    out: &mut Vec<u8>,
    columns: u16,
    cells: impl Iterator<Item = (u16, u16, &'a Cell)>,
) {
    let runs = runs(columns, cells);
    let as_they_stand: Vec<&Run> = runs.iter().collect();
    let mut looks: Vec<Look> = Vec::new();
    for run in &runs {
        if !looks.contains(&run.look) {
            looks.push(run.look);
        }
    }
    let by_look = looks
        .iter()
        .flat_map(|look| runs.iter().filter(move |run| run.look == *look));
    let (row_by_row, together) = (said(&as_they_stand), said(&by_look.collect::<Vec<_>>()));
    let shorter = if together.len() < row_by_row.len() {
        together
    } else {
        row_by_row
    };
    out.extend_from_slice(shorter.as_bytes());
}

fn runs<'a>(columns: u16, cells: impl Iterator<Item = (u16, u16, &'a Cell)>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (x, y, cell) in cells {
        // Reversed or underlined, a blank shows its foreground too.
        let blank = cell.symbol() == " " && cell.modifier.is_empty();
        let look = Look {
            fg: (!blank).then_some(cell.fg),
            bg: cell.bg,
            modifier: cell.modifier,
        };
        let mut glyphs = cell.symbol().chars();
        let plain = glyphs
            .next()
            .is_some_and(|c| unicode_width::UnicodeWidthChar::width(c) == Some(1))
            && glyphs.next().is_none();
        let end = (plain && x + 1 < columns).then_some(x + 1);
        let joined = runs
            .last_mut()
            .filter(|run| run.y == y && run.end == Some(x))
            .filter(|run| run.look.bg == look.bg && run.look.modifier == look.modifier)
            .filter(|run| look.fg.is_none() || run.look.fg.is_none() || run.look.fg == look.fg);
        match joined {
            Some(run) => {
                run.look.fg = run.look.fg.or(look.fg);
                run.text.push_str(cell.symbol());
                run.end = end;
            }
            None => runs.push(Run {
                x,
                y,
                look,
                text: cell.symbol().to_owned(),
                end,
            }),
        }
    }
    runs
}

/// The runs in this order.
fn said(runs: &[&Run]) -> String {
    let mut text = String::new();
    let mut at: Option<(u16, u16)> = None;
    let plain = Look {
        fg: Some(Color::Reset),
        bg: Color::Reset,
        modifier: Modifier::empty(),
    };
    let mut look = plain;
    for run in runs {
        go(&mut text, at, (run.x, run.y));
        at = run.end.map(|end| (end, run.y));
        wear(&mut text, &mut look, run.look);
        text.push_str(&run.text);
    }
    if look != plain {
        text.push_str("\x1b[m");
    }
    text
}

/// Moves from one place, if it is known, to another: the shortest way.
fn go(text: &mut String, from: Option<(u16, u16)>, (x, y): (u16, u16)) {
    if from == Some((x, y)) {
        return;
    }
    let mut best = match x {
        0 => format!("\x1b[{}H", y + 1),
        _ => format!("\x1b[{};{}H", y + 1, x + 1),
    };
    // A line feed goes straight down, since the terminal is in raw mode.
    if let Some((cx, cy)) = from
        && cy <= y
        && y - cy <= 2
    {
        let mut way = "\n".repeat(usize::from(y - cy));
        match x.cmp(&cx) {
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater if x - cx == 1 => way.push_str("\x1b[C"),
            std::cmp::Ordering::Greater => {
                let _ = write!(way, "\x1b[{}C", x - cx);
            }
            std::cmp::Ordering::Less if x == 0 => way.push('\r'),
            std::cmp::Ordering::Less if cx - x <= 4 => {
                way.push_str(&"\x08".repeat(usize::from(cx - x)));
            }
            std::cmp::Ordering::Less => {
                let _ = write!(way, "\x1b[{}D", cx - x);
            }
        }
        if way.len() < best.len() {
            best = way;
        }
    }
    text.push_str(&best);
}

/// Changes from one look to another.
fn wear(text: &mut String, from: &mut Look, to: Look) {
    if to.modifier != from.modifier {
        text.push_str("\x1b[0");
        for (bit, code) in MODIFIERS {
            if to.modifier.contains(bit) {
                let _ = write!(text, ";{code}");
            }
        }
        text.push('m');
        *from = Look {
            fg: Some(Color::Reset),
            bg: Color::Reset,
            modifier: to.modifier,
        };
    }
    let fg = to.fg.filter(|fg| from.fg != Some(*fg));
    let bg = (to.bg != from.bg).then_some(to.bg);
    if fg.is_some() || bg.is_some() {
        text.push_str("\x1b[");
        if let Some(fg) = fg {
            colour(text, fg, Ground::Fore);
            from.fg = Some(fg);
        }
        if let Some(bg) = bg {
            if fg.is_some() {
                text.push(';');
            }
            colour(text, bg, Ground::Back);
            from.bg = bg;
        }
        text.push('m');
    }
}

const MODIFIERS: [(Modifier, u8); 8] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::SLOW_BLINK, 5),
    (Modifier::REVERSED, 7),
    (Modifier::HIDDEN, 8),
    (Modifier::CROSSED_OUT, 9),
];

#[derive(Clone, Copy)]
enum Ground {
    Fore,
    Back,
}

/// The parameters of one colour.
fn colour(text: &mut String, colour: Color, ground: Ground) {
    let (normal, bright, many) = match ground {
        Ground::Fore => (30, 90, 38),
        Ground::Back => (40, 100, 48),
    };
    let basic = |n: u8| u16::from(n) + normal;
    let light = |n: u8| u16::from(n) + bright;
    let code = match colour {
        Color::Reset => normal + 9,
        Color::Black => basic(0),
        Color::Red => basic(1),
        Color::Green => basic(2),
        Color::Yellow => basic(3),
        Color::Blue => basic(4),
        Color::Magenta => basic(5),
        Color::Cyan => basic(6),
        Color::Gray => basic(7),
        Color::DarkGray => light(0),
        Color::LightRed => light(1),
        Color::LightGreen => light(2),
        Color::LightYellow => light(3),
        Color::LightBlue => light(4),
        Color::LightMagenta => light(5),
        Color::LightCyan => light(6),
        Color::White => light(7),
        Color::Indexed(n) => {
            let _ = write!(text, "{many};5;{n}");
            return;
        }
        Color::Rgb(r, g, b) => {
            let _ = write!(text, "{many};2;{r};{g};{b}");
            return;
        }
    };
    let _ = write!(text, "{code}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    fn said(buf: &Buffer) -> String {
        changed(&Buffer::empty(buf.area), buf)
    }

    fn changed(before: &Buffer, after: &Buffer) -> String {
        let mut out = Vec::new();
        write(&mut out, after.area.width, before.diff(after).into_iter());
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_colour_is_sent_once_and_short_ways_are_relative() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 20, 2));
        let red = Style::new().fg(Color::Red);
        buf.set_string(0, 0, "ab", red);
        buf.set_string(5, 0, "c", red);
        buf.set_string(0, 1, "d", Style::new().fg(Color::Rgb(1, 2, 3)));
        assert_eq!(
            said(&buf),
            "\x1b[1H\x1b[31mab\x1b[3Cc\n\r\x1b[38;2;1;2;3md\x1b[m"
        );
    }

    #[test]
    fn a_modifier_ends_with_the_cell_that_has_it() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 20, 1));
        buf.set_string(0, 0, "a", Style::new().add_modifier(Modifier::BOLD));
        buf.set_string(1, 0, "b", Style::new().bg(Color::Indexed(7)));
        assert_eq!(said(&buf), "\x1b[1H\x1b[0;1ma\x1b[0m\x1b[48;5;7mb\x1b[m");
    }

    #[test]
    fn columns_of_one_colour_are_written_below_each_other() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 20, 3));
        let (red, blue) = (Color::Rgb(200, 1, 1), Color::Rgb(1, 1, 200));
        for y in 0..3 {
            buf.set_string(0, y, "12", Style::new().fg(red));
            buf.set_string(8, y, "ab", Style::new().fg(blue));
        }
        assert_eq!(
            said(&buf),
            "\x1b[1H\x1b[38;2;200;1;1m12\n\r12\n\r12\x1b[1;9H\x1b[38;2;1;1;200mab\n\x08\x08ab\n\x08\x08ab\x1b[m"
        );
    }

    /// Whatever changes, a terminal that shows the one frame shows the other after it.
    #[test]
    fn a_terminal_shows_what_was_drawn() {
        let (width, height) = (13_u16, 7_u16);
        let area = Rect::new(0, 0, width, height);
        let cells = |n| std::num::NonZeroU16::new(n).unwrap();
        let mut terminal = vt100::Parser::new(cells(height), cells(width), 0);
        let mut seed = 7_u64;
        let mut next = move |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let colours = [
            Color::Reset,
            Color::Red,
            Color::Rgb(9, 8, 7),
            Color::Indexed(200),
        ];
        let modifiers = [Modifier::empty(), Modifier::BOLD, Modifier::REVERSED];
        let glyphs = ["a", "b", " ", "─", "▌", "é"];
        let mut before = Buffer::empty(area);
        for _ in 0..300 {
            let mut after = before.clone();
            for _ in 0..next(40) {
                let (x, y) = (next(u64::from(width)), next(u64::from(height)));
                let glyph = glyphs[usize::try_from(next(6)).unwrap()];
                let style = Style::new()
                    .fg(colours[usize::try_from(next(4)).unwrap()])
                    .bg(colours[usize::try_from(next(4)).unwrap()]);
                let style = style
                    .remove_modifier(Modifier::all())
                    .add_modifier(modifiers[usize::try_from(next(3)).unwrap()]);
                let (x, y) = (u16::try_from(x).unwrap(), u16::try_from(y).unwrap());
                after.set_string(x, y, glyph, style);
            }
            terminal.process(changed(&before, &after).as_bytes());
            let screen = terminal.screen();
            for y in 0..height {
                for x in 0..width {
                    let (cell, shown) = (&after[(x, y)], screen.cell(y, x).unwrap());
                    if shown.is_wide_continuation() {
                        continue;
                    }
                    let text = if shown.has_contents() {
                        shown.contents()
                    } else {
                        " "
                    };
                    assert_eq!(text, cell.symbol(), "{x},{y}");
                    let bold = cell.modifier.contains(Modifier::BOLD);
                    assert_eq!(shown.bold(), bold, "{x},{y}");
                    let reversed = cell.modifier.contains(Modifier::REVERSED);
                    assert_eq!(shown.inverse(), reversed, "{x},{y}");
                    assert_eq!(shown.bgcolor(), seen(cell.bg), "{x},{y}");
                    if text != " " || reversed {
                        assert_eq!(shown.fgcolor(), seen(cell.fg), "{x},{y}");
                    }
                }
            }
            before = after;
        }
    }

    fn seen(colour: Color) -> vt100::Color {
        match colour {
            Color::Red => vt100::Color::Idx(1),
            Color::Rgb(r, g, b) => vt100::Color::Rgb(r, g, b),
            Color::Indexed(n) => vt100::Color::Idx(n),
            _ => vt100::Color::Default,
        }
    }
}

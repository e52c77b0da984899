//! Cells as escape sequences, as few bytes as they can be said in: over a slow line a frame is what it weighs.
//! A colour is sent when it changes, a blank takes whatever foreground there is, a short way in a row is a relative move.

use std::fmt::Write as _;

use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};

/// Writes changed cells, in the order of rows and columns.
pub(super) fn write<'a>(out: &mut Vec<u8>, cells: impl Iterator<Item = (u16, u16, &'a Cell)>) {
    let mut text = String::new();
    let mut at: Option<(u16, u16)> = None;
    let (mut fg, mut bg, mut modifier) = (Color::Reset, Color::Reset, Modifier::empty());
    for (x, y, cell) in cells {
        match at {
            Some((cx, cy)) if (cx, cy) == (x, y) => {}
            Some((cx, cy)) if cy == y && cx < x => {
                let _ = write!(text, "\x1b[{}C", x - cx);
            }
            _ => {
                let _ = write!(text, "\x1b[{};{}H", y + 1, x + 1);
            }
        }
        if cell.modifier != modifier {
            text.push_str("\x1b[0");
            for (bit, code) in MODIFIERS {
                if cell.modifier.contains(bit) {
                    let _ = write!(text, ";{code}");
                }
            }
            text.push('m');
            (fg, bg, modifier) = (Color::Reset, Color::Reset, cell.modifier);
        }
        // Reversed or underlined, a blank shows its foreground too.
        let blank = cell.symbol() == " " && modifier.is_empty();
        let (new_fg, new_bg) = (cell.fg != fg && !blank, cell.bg != bg);
        if new_fg || new_bg {
            text.push_str("\x1b[");
            if new_fg {
                colour(&mut text, cell.fg, Ground::Fore);
                fg = cell.fg;
            }
            if new_bg {
                if new_fg {
                    text.push(';');
                }
                colour(&mut text, cell.bg, Ground::Back);
                bg = cell.bg;
            }
            text.push('m');
        }
        text.push_str(cell.symbol());
        // Where the cursor stands after a glyph of unusual width is the terminal's guess: the next one is placed anew.
        let plain = cell
            .symbol()
            .chars()
            .all(|c| unicode_width::UnicodeWidthChar::width(c) == Some(1))
            && cell.symbol().chars().count() == 1;
        at = plain.then_some((x + 1, y));
    }
    text.push_str("\x1b[0m");
    out.extend_from_slice(text.as_bytes());
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
        let mut out = Vec::new();
        let empty = Buffer::empty(buf.area);
        write(&mut out, empty.diff(buf).into_iter());
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
            "\x1b[1;1H\x1b[31mab\x1b[3Cc\x1b[2;1H\x1b[38;2;1;2;3md\x1b[0m"
        );
    }

    #[test]
    fn a_modifier_ends_with_the_cell_that_has_it() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 20, 1));
        buf.set_string(0, 0, "a", Style::new().add_modifier(Modifier::BOLD));
        buf.set_string(1, 0, "b", Style::new().bg(Color::Indexed(7)));
        assert_eq!(said(&buf), "\x1b[1;1H\x1b[0;1ma\x1b[0m\x1b[48;5;7mb\x1b[0m");
    }
}

//! The login code in every theme, without colour, at small sizes and in ASCII: a QR reader reads it off a picture of the terminal.
//! Where it cannot fit, the screen says what it needs and shows the text.

use crate::node::Node;
use crate::picture;
use crate::terminal::Terminal;
use crate::wait::{LONG, until};

fn login(node: &Node, columns: u16, rows: u16, settings: &[(&str, &str)]) -> Terminal {
    let console = Terminal::with(node.home(), columns, rows, &[], settings);
    console.first_frame();
    console.keys(":login\r");
    console
}

/// What the code on the screen says.
#[track_caller]
fn code(console: &Terminal, what: &str) -> String {
    until(&format!("a code that can be read: {what}"), LONG, || {
        picture::qr_codes(&console.screen())
            .into_iter()
            .next()
            .ok_or_else(|| console.text())
    })
    .0
}

#[test]
fn the_code_is_read_in_every_theme_and_without_colour() {
    let node = Node::running();
    let console = login(&node, 120, 36, &[]);
    code(&console, "the first theme");
    let mut seen = Vec::new();
    loop {
        console.keys("t");
        console.until("theme ", LONG);
        let (name, _) = until("another theme", LONG, || {
            let footer = console.row(35);
            let name = footer
                .trim()
                .strip_prefix("theme ")
                .unwrap_or_default()
                .to_owned();
            if name.is_empty() || seen.last() == Some(&name) {
                Err(footer)
            } else {
                Ok(name)
            }
        });
        if seen.first() == Some(&name) {
            break;
        }
        // The whole code is drawn anew; the reader must find it in the colours of this theme.
        let text = code(&console, &name);
        assert!(text.contains("tana"), "{name}: {text}");
        seen.push(name);
    }
    assert!(seen.len() >= 6, "themes: {seen:?}");

    for (what, settings) in [
        ("NO_COLOR", vec![("NO_COLOR", "1")]),
        ("16 colours", vec![("COLORTERM", ""), ("TERM", "xterm")]),
        ("256 colours", vec![("COLORTERM", "")]),
    ] {
        let console = login(&node, 120, 36, &settings);
        let text = code(&console, what);
        assert!(text.contains("tana"), "{what}: {text}");
    }
}

#[test]
fn the_code_is_read_at_every_size_that_it_fits_into() {
    let node = Node::running();
    for (columns, rows) in [(200, 50), (120, 36), (80, 24), (60, 24), (45, 24)] {
        let console = login(&node, columns, rows, &[]);
        let text = code(&console, &format!("{columns}x{rows}"));
        assert!(text.contains("tana"), "{text}");
    }
    // Full screen by one key: rows of header and footer are the code's.
    let console = login(&node, 80, 21, &[]);
    console.until("rows", LONG);
    console.keys("\r");
    let text = code(&console, "80x21, the whole screen");
    assert!(text.starts_with("tana://auth?"), "the shorter text: {text}");

    let ascii = login(&node, 120, 60, &[("LC_ALL", "C"), ("LANG", "C")]);
    assert!(ascii.screen().contents().is_ascii(), "{}", ascii.text());
    code(&ascii, "ASCII at 120x60");
}

#[test]
fn where_no_code_fits_the_screen_says_what_it_needs_and_shows_the_text() {
    let node = Node::running();
    for (columns, rows) in [(80, 16), (40, 12), (30, 24)] {
        let console = login(&node, columns, rows, &[]);
        console.until_screen("what size the code needs", LONG, |text| {
            text.contains("columns") && text.contains("rows")
        });
        assert!(picture::qr_codes(&console.screen()).is_empty());
        // The text can be typed or copied: it is there whole, over as many rows as it takes.
        let shown: String = console.text().split_whitespace().collect();
        let uri = shown.find("tana://auth?session=").map(|at| &shown[at..]);
        let uri = uri.unwrap_or_else(|| panic!("no text at {columns}x{rows}:\n{}", console.text()));
        let server = format!("&server=http%3A%2F%2F127.0.0.1%3A{}", 8090 + node.offset);
        assert!(uri.contains(&server), "{uri}");
    }
}

//! QR codes that a phone's camera reads off the terminal: dark on light whatever the theme, with their quiet zone, at the largest
//! whole scale that fits. What the code says is the caller's.

use qrcode::{Color as Module, EcLevel, QrCode};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use crate::theme::{Charset, Depth, Look};

/// What the standard asks for around a code, in modules.
const QUIET: u16 = 4;
/// What readers still manage with.
const QUIET_LEAST: u16 = 2;

/// How modules become cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cells {
    /// Two modules above each other in one cell, by half blocks.
    Half,
    /// One module is two blanks: needs no character but the space.
    Wide,
}

/// How dark and light are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tinting {
    Colours {
        dark: Color,
        light: Color,
    },
    /// No colours allowed. The terminal's own foreground is the lighter one on a dark ground: light modules are inked.
    LightInked,
    /// The same on a light ground: dark modules are inked.
    DarkInked,
}

/// A code that fits, ready to be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Which of the offered texts it says.
    pub(crate) choice: usize,
    /// Columns and rows it takes, quiet zone included.
    pub(crate) width: u16,
    pub(crate) height: u16,
    side: u16,
    quiet: u16,
    scale: u16,
    modules: Vec<bool>,
    cells: Cells,
}

/// No offered text fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooSmall {
    /// What the smallest one needs, at the least.
    pub(crate) columns: u16,
    pub(crate) rows: u16,
}

/// Finds the first of `texts` (richest first) that fits into `columns` × `rows`, and draws it as large as that allows.
pub(crate) fn plan(texts: &[&str], columns: u16, rows: u16, look: &Look) -> Result<Plan, TooSmall> {
    let cells = match look.caps.charset {
        Charset::Unicode => Cells::Half,
        Charset::Ascii => Cells::Wide,
    };
    // How many modules the space holds each way.
    let (across, down) = match cells {
        Cells::Half => (columns, rows.saturating_mul(2)),
        Cells::Wide => (columns / 2, rows),
    };
    let room = across.min(down);
    let mut smallest = None;
    for (choice, text) in texts.iter().enumerate() {
        let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::L) else {
            continue;
        };
        let side = u16::try_from(code.width()).unwrap_or(u16::MAX);
        if side.saturating_add(2 * QUIET_LEAST) > room {
            smallest = Some(side);
            continue;
        }
        let quiet = QUIET.min((room - side) / 2);
        let whole = side + 2 * quiet;
        let scale = room / whole;
        let pixels = whole * scale;
        let (width, height) = match cells {
            Cells::Half => (pixels, pixels.div_ceil(2)),
            Cells::Wide => (pixels * 2, pixels),
        };
        let modules = strongest(text, &code)
            .to_colors()
            .into_iter()
            .map(|m| m == Module::Dark)
            .collect();
        return Ok(Plan {
            choice,
            width,
            height,
            side,
            quiet,
            scale,
            modules,
            cells,
        });
    }
    let side = smallest.unwrap_or(21) + 2 * QUIET_LEAST;
    Err(match cells {
        Cells::Half => TooSmall {
            columns: side,
            rows: side.div_ceil(2),
        },
        Cells::Wide => TooSmall {
            columns: side * 2,
            rows: side,
        },
    })
}

/// The same text at the same size with as much error correction as there is room for.
fn strongest(text: &str, least: &QrCode) -> QrCode {
    [EcLevel::H, EcLevel::Q, EcLevel::M]
        .into_iter()
        .find_map(|level| QrCode::with_version(text, least.version(), level).ok())
        .unwrap_or_else(|| least.clone())
}

fn tinting(look: &Look) -> Tinting {
    match look.caps.depth {
        Depth::None if look.theme.light => Tinting::DarkInked,
        Depth::None => Tinting::LightInked,
        Depth::Ansi16 => Tinting::Colours {
            dark: Color::Black,
            light: Color::White,
        },
        Depth::Ansi256 => Tinting::Colours {
            dark: Color::Indexed(16),
            light: Color::Indexed(231),
        },
        Depth::True => Tinting::Colours {
            dark: Color::Rgb(10, 10, 12),
            light: Color::Rgb(250, 250, 250),
        },
    }
}

/// Draws into the top left corner of `area`.
pub(crate) fn draw(plan: &Plan, area: Rect, buf: &mut Buffer, look: &Look) {
    let tinting = tinting(look);
    // Whether a pixel of the drawing is dark; everything outside the code is light.
    let dark = |x: u16, y: u16| -> bool {
        let (mx, my) = (
            (x / plan.scale).checked_sub(plan.quiet),
            (y / plan.scale).checked_sub(plan.quiet),
        );
        match (mx, my) {
            (Some(mx), Some(my)) if mx < plan.side && my < plan.side => {
                plan.modules[usize::from(my) * usize::from(plan.side) + usize::from(mx)]
            }
            _ => false,
        }
    };
    for row in 0..plan.height.min(area.height) {
        for column in 0..plan.width.min(area.width) {
            let (symbol, style) = match plan.cells {
                Cells::Half => half(tinting, dark(column, row * 2), dark(column, row * 2 + 1)),
                Cells::Wide => wide(tinting, dark(column / 2, row)),
            };
            if let Some(cell) = buf.cell_mut((area.x + column, area.y + row)) {
                cell.reset();
                cell.set_symbol(symbol).set_style(style);
            }
        }
    }
}

fn half(tinting: Tinting, top: bool, bottom: bool) -> (&'static str, Style) {
    let inked = |top: bool, bottom: bool| match (top, bottom) {
        (true, true) => "█",
        (true, false) => "▀",
        (false, true) => "▄",
        (false, false) => " ",
    };
    match tinting {
        // A blank on a ground where both are alike: no font can leave a seam in it.
        Tinting::Colours { dark, light } => match (top, bottom) {
            (true, true) => (" ", Style::new().fg(light).bg(dark)),
            (false, false) => (" ", Style::new().fg(dark).bg(light)),
            (true, false) => ("▀", Style::new().fg(dark).bg(light)),
            (false, true) => ("▄", Style::new().fg(dark).bg(light)),
        },
        Tinting::LightInked => (inked(!top, !bottom), Style::new()),
        Tinting::DarkInked => (inked(top, bottom), Style::new()),
    }
}

fn wide(tinting: Tinting, is_dark: bool) -> (&'static str, Style) {
    let reversed = Style::new().add_modifier(Modifier::REVERSED);
    match tinting {
        Tinting::Colours { dark, light } => {
            (" ", Style::new().bg(if is_dark { dark } else { light }))
        }
        // ASCII and no colour: only the reversed blank fills a cell.
        Tinting::LightInked if !is_dark => (" ", reversed),
        Tinting::DarkInked if is_dark => (" ", reversed),
        Tinting::LightInked | Tinting::DarkInked => (" ", Style::new()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::theme::{Caps, Themes};

    const RICH: &str = r#"{"protocol":"tana","type":"auth","version":"1","sessionId":"sess_0123456789abcdef","challenge":"8a20c4d5e6b13f9c0a47d8e261bb2c5f8a20c4d5e6b13f9c0a47d8e261bb2c5f","server":"http://localhost:8090","appName":"Tana Console","appIcon":null}"#;
    const SHORT: &str = "tana://auth?session=sess_0123456789abcdef&server=http://localhost:8090";

    /// Paints cells as a terminal does, 4 × 8 pixels each, and reads whatever codes are in the picture.
    pub(crate) fn decode(buf: &Buffer, light_terminal: bool) -> Vec<String> {
        let (fg0, bg0) = if light_terminal {
            (20_u8, 250_u8)
        } else {
            (208, 24)
        };
        let luma = |c: Color, default: u8| match c {
            Color::Rgb(r, _, _) => r,
            Color::Indexed(231) | Color::White => 255,
            Color::Indexed(16) | Color::Black => 0,
            _ => default,
        };
        let (w, h) = (usize::from(buf.area.width), usize::from(buf.area.height));
        let mut img = rqrr::PreparedImage::prepare_from_greyscale(w * 4, h * 8, |x, y| {
            let cell = &buf.content[(y / 8) * w + x / 4];
            let (mut fg, mut bg) = (luma(cell.fg, fg0), luma(cell.bg, bg0));
            if cell.modifier.contains(Modifier::REVERSED) {
                std::mem::swap(&mut fg, &mut bg);
            }
            let top = y % 8 < 4;
            match cell.symbol() {
                "█" => fg,
                "▀" if top => fg,
                "▄" if !top => fg,
                // Any other character: a smear of ink, so that a quiet zone which text reaches into is noticed.
                s if s.trim().is_empty() || s == "▀" || s == "▄" => bg,
                _ if (2..6).contains(&(y % 8)) => fg,
                _ => bg,
            }
        });
        img.detect_grids()
            .into_iter()
            .filter_map(|g| g.decode().ok())
            .map(|(_, text)| text)
            .collect()
    }

    fn look(depth: Depth, charset: Charset, theme: &str) -> Look {
        Look::new(
            Themes::builtin().get(theme).unwrap(),
            Caps {
                depth,
                charset,
                ..Caps::default()
            },
        )
    }

    fn draw_alone(
        texts: &[&str],
        columns: u16,
        rows: u16,
        look: &Look,
    ) -> Option<(usize, Vec<String>)> {
        let plan = plan(texts, columns, rows, look).ok()?;
        assert!(plan.width <= columns && plan.height <= rows, "stays inside");
        let area = Rect::new(0, 0, columns + 4, rows + 2);
        let mut buf = Buffer::empty(area);
        buf.set_style(area, look.base());
        draw(&plan, Rect::new(2, 1, columns, rows), &mut buf, look);
        Some((plan.choice, decode(&buf, look.theme.light)))
    }

    #[test]
    fn a_reader_decodes_it_with_every_theme_and_colour_depth() {
        for theme in Themes::builtin().names() {
            for depth in [Depth::True, Depth::Ansi256, Depth::Ansi16, Depth::None] {
                let look = look(depth, Charset::Unicode, theme);
                let small = draw_alone(&[RICH, SHORT], 80, 21, &look);
                assert_eq!(
                    small,
                    Some((1, vec![SHORT.to_owned()])),
                    "{theme} {depth:?} small"
                );
                let large = draw_alone(&[RICH, SHORT], 120, 46, &look);
                assert_eq!(
                    large,
                    Some((0, vec![RICH.to_owned()])),
                    "{theme} {depth:?} large"
                );
            }
        }
    }

    #[test]
    fn in_ascii_it_takes_twice_the_room_and_still_decodes() {
        for depth in [Depth::True, Depth::None] {
            for theme in ["tana-dark", "tana-light"] {
                let got = draw_alone(&[RICH, SHORT], 200, 46, &look(depth, Charset::Ascii, theme));
                assert_eq!(got, Some((1, vec![SHORT.to_owned()])), "{theme} {depth:?}");
            }
        }
    }

    #[test]
    fn it_grows_by_whole_steps() {
        let look = look(Depth::True, Charset::Unicode, "tana-dark");
        assert_eq!(plan(&[SHORT], 80, 21, &look).unwrap().scale, 1);
        let two = plan(&[SHORT], 90, 45, &look).unwrap();
        assert_eq!((two.scale, two.quiet), (2, 4));
        assert_eq!(plan(&[SHORT], 400, 120, &look).unwrap().scale, 5);
    }

    #[test]
    fn where_none_fits_it_says_what_is_needed() {
        let look = look(Depth::True, Charset::Unicode, "tana-dark");
        let need = plan(&[RICH, SHORT], 30, 15, &look).unwrap_err();
        assert_eq!(
            need,
            TooSmall {
                columns: 37,
                rows: 19
            }
        );
        assert!(
            plan(&[RICH, SHORT], need.columns, need.rows, &look).is_ok(),
            "what it says is true"
        );
    }
}

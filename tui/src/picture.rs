//! What is on the screen, kept in files: as text, and as an SVG that shows it as the terminal did. For reports and handbooks.
//!
//! The frame is drawn once more from the model, so that nothing of the real terminal has to be remembered.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Size;
use ratatui::style::{Color, Modifier};

use crate::model::Model;
use crate::theme::Rgb;
use crate::view;

/// Width and height of a cell, and where its line of writing is, in the SVG's units.
const CELL: (u16, u16, u16) = (9, 18, 14);

/// Draws the model at this size.
///
/// # Errors
/// None in practice: the memory that is drawn into has no way to fail.
pub(crate) fn frame(model: &Model, size: Size) -> anyhow::Result<Buffer> {
    let mut terminal = Terminal::new(TestBackend::new(size.width, size.height))?;
    terminal.draw(|frame| {
        view::view(model, frame);
    })?;
    Ok(terminal.backend().buffer().clone())
}

/// The rows, without the blanks at their ends.
pub(crate) fn text(buffer: &Buffer) -> String {
    rows(buffer)
        .map(|row| {
            let line: String = row.iter().map(Cell::symbol).collect();
            format!("{}\n", line.trim_end())
        })
        .collect()
}

fn rows(buffer: &Buffer) -> impl Iterator<Item = &[Cell]> {
    buffer.content.chunks(usize::from(buffer.area.width.max(1)))
}

/// The picture. Blocks are drawn as shapes, not as letters, so that a QR code stays readable in every viewer.
pub(crate) fn svg(buffer: &Buffer, light: bool) -> String {
    let paper = Paper { light };
    let (width, height) = (
        u32::from(buffer.area.width) * u32::from(CELL.0),
        u32::from(buffer.area.height) * u32::from(CELL.1),
    );
    let mut shapes = String::new();
    let mut letters = String::new();
    for (y, row) in rows(buffer).enumerate() {
        let top = y * usize::from(CELL.1);
        for run in runs(row, |cell| paper.ground(cell)) {
            let (x, cells, ground) = run;
            if ground != paper.background() {
                rect(&mut shapes, x, top, (cells, (0, 8)), ground);
            }
        }
        for (x, cell) in row.iter().enumerate() {
            if let Some(part) = block(cell.symbol()) {
                rect(&mut shapes, x, top, (1, part), paper.ink(cell));
            }
        }
        for (x, cells, (ink, bold)) in runs(row, |cell| {
            (paper.ink(cell), cell.modifier.contains(Modifier::BOLD))
        }) {
            let part = &row[x..x + cells];
            line(&mut letters, x, top + usize::from(CELL.2), part, ink, bold);
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"15\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"{}\"/>\n\
         <g shape-rendering=\"crispEdges\">\n{shapes}</g>\n{letters}</svg>\n",
        hex(paper.background())
    )
}

/// Neighbouring cells that are alike: where they begin, how many they are, and what they share.
fn runs<T: PartialEq>(row: &[Cell], of: impl Fn(&Cell) -> T) -> Vec<(usize, usize, T)> {
    let mut runs: Vec<(usize, usize, T)> = Vec::new();
    for (x, cell) in row.iter().enumerate() {
        let like = of(cell);
        match runs.last_mut() {
            Some((_, cells, last)) if *last == like => *cells += 1,
            _ => runs.push((x, 1, like)),
        }
    }
    runs
}

/// Which eighths of a cell's height a block fills: from, to.
fn block(symbol: &str) -> Option<(u16, u16)> {
    let mut chars = symbol.chars();
    let (Some(only), None) = (chars.next(), chars.next()) else {
        return None;
    };
    match only {
        '█' => Some((0, 8)),
        '▀' => Some((0, 4)),
        '▁'..='▇' => Some((8 - u16::try_from(u32::from(only) - 0x2580).ok()?, 8)),
        _ => None,
    }
}

fn rect(out: &mut String, x: usize, top: usize, (cells, part): (usize, (u16, u16)), fill: Rgb) {
    let eighth = |n: u16| f64::from(n) * f64::from(CELL.1) / 8.0;
    let (width, height) = (cells * usize::from(CELL.0), eighth(part.1) - eighth(part.0));
    let y = eighth(part.0);
    // Writing to a text cannot fail.
    let _ = writeln!(
        out,
        "<rect x=\"{}\" y=\"{top}\" transform=\"translate(0 {y})\" width=\"{width}\" height=\"{height}\" fill=\"{}\"/>",
        x * usize::from(CELL.0),
        hex(fill)
    );
}

fn line(out: &mut String, x: usize, base: usize, cells: &[Cell], ink: Rgb, bold: bool) {
    let letter = |cell: &Cell| match block(cell.symbol()) {
        Some(_) => " ".to_owned(),
        None => cell.symbol().to_owned(),
    };
    let text: String = cells.iter().map(letter).collect();
    let text = text.trim_end();
    let blank = text.chars().take_while(|c| *c == ' ').count();
    if blank == text.chars().count() {
        return;
    }
    let text = &text[blank..];
    let weight = if bold { " font-weight=\"bold\"" } else { "" };
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"{base}\" textLength=\"{}\" xml:space=\"preserve\" fill=\"{}\"{weight}>{}</text>",
        (x + blank) * usize::from(CELL.0),
        text.chars().count() * usize::from(CELL.0),
        hex(ink),
        escaped(text)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn hex((r, g, b): Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// What the terminal's own colours are taken for.
struct Paper {
    light: bool,
}

impl Paper {
    fn background(&self) -> Rgb {
        if self.light {
            (0xfa, 0xfa, 0xfa)
        } else {
            (0x16, 0x18, 0x1d)
        }
    }

    fn text(&self) -> Rgb {
        if self.light {
            (0x34, 0x3a, 0x46)
        } else {
            (0xc5, 0xc9, 0xd3)
        }
    }

    fn ink(&self, cell: &Cell) -> Rgb {
        if cell.modifier.contains(Modifier::REVERSED) {
            rgb(cell.bg).unwrap_or_else(|| self.background())
        } else {
            rgb(cell.fg).unwrap_or_else(|| self.text())
        }
    }

    fn ground(&self, cell: &Cell) -> Rgb {
        if cell.modifier.contains(Modifier::REVERSED) {
            rgb(cell.fg).unwrap_or_else(|| self.text())
        } else {
            rgb(cell.bg).unwrap_or_else(|| self.background())
        }
    }
}

/// A colour as most terminals show it; `None` for the terminal's own.
fn rgb(color: Color) -> Option<Rgb> {
    Some(match color {
        Color::Reset => return None,
        Color::Rgb(r, g, b) => (r, g, b),
        Color::Indexed(index) => indexed(index),
        Color::Black => indexed(0),
        Color::Red => indexed(1),
        Color::Green => indexed(2),
        Color::Yellow => indexed(3),
        Color::Blue => indexed(4),
        Color::Magenta => indexed(5),
        Color::Cyan => indexed(6),
        Color::Gray => indexed(7),
        Color::DarkGray => indexed(8),
        Color::LightRed => indexed(9),
        Color::LightGreen => indexed(10),
        Color::LightYellow => indexed(11),
        Color::LightBlue => indexed(12),
        Color::LightMagenta => indexed(13),
        Color::LightCyan => indexed(14),
        Color::White => indexed(15),
    })
}

/// xterm's 256 colours: sixteen, a cube of six steps a side, a ramp of greys.
fn indexed(index: u8) -> Rgb {
    const FIRST: [Rgb; 16] = [
        (0, 0, 0),
        (205, 49, 49),
        (13, 188, 121),
        (229, 229, 16),
        (36, 114, 200),
        (188, 63, 188),
        (17, 168, 205),
        (229, 229, 229),
        (102, 102, 102),
        (241, 76, 76),
        (35, 209, 139),
        (245, 245, 67),
        (59, 142, 234),
        (214, 112, 214),
        (41, 184, 219),
        (255, 255, 255),
    ];
    let step = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
    match index {
        0..16 => FIRST[usize::from(index)],
        16..232 => {
            let cube = index - 16;
            (step(cube / 36), step(cube / 6 % 6), step(cube % 6))
        }
        232.. => {
            let grey = 8 + 10 * (index - 232);
            (grey, grey, grey)
        }
    }
}

/// Writes both files for their owner alone: a screen may show a token. Answers the SVG's path.
///
/// # Errors
/// When the directory or a file cannot be written; nothing that is there is overwritten.
pub(crate) fn save(
    dir: &Path,
    name: &str,
    buffer: &Buffer,
    light: bool,
) -> std::io::Result<PathBuf> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    let write = |extension: &str, content: &str| {
        let path = dir.join(format!("{name}.{extension}"));
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?
            .write_all(content.as_bytes())?;
        Ok::<_, std::io::Error>(path)
    };
    write("txt", &text(buffer))?;
    write("svg", &svg(buffer, light))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    fn sample() -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 2));
        let bad = Style::default().fg(Color::Rgb(1, 2, 3)).bg(Color::White);
        buffer.set_string(2, 0, "a<b & c", bad.add_modifier(Modifier::BOLD));
        buffer.set_string(0, 1, "█▀▂ ok", Style::default());
        buffer
    }

    #[test]
    fn text_has_the_rows_without_blanks_at_their_ends() {
        assert_eq!(text(&sample()), "  a<b & c\n█▀▂ ok\n");
    }

    #[test]
    fn the_picture_is_well_formed_and_blocks_are_shapes() {
        let svg = svg(&sample(), false);
        assert!(svg.contains(">a&lt;b &amp; c</text>"), "{svg}");
        assert!(svg.contains("x=\"18\" y=\"14\" textLength=\"63\""), "{svg}");
        assert!(
            svg.contains("fill=\"#010203\" font-weight=\"bold\""),
            "{svg}"
        );
        assert!(
            svg.contains("width=\"63\" height=\"18\" fill=\"#ffffff\""),
            "{svg}"
        );
        assert!(svg.contains(">ok</text>"), "{svg}");
        for height in ["18", "9", "4.5"] {
            let shape = format!("width=\"9\" height=\"{height}\" fill=\"#c5c9d3\"");
            assert!(svg.contains(&shape), "{shape} in {svg}");
        }
    }

    #[test]
    fn files_are_the_owners_and_nothing_is_overwritten() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("screens");
        let path = save(&dir, "blocks", &sample(), true).unwrap();
        assert_eq!(path, dir.join("blocks.svg"));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = save(&dir, "blocks", &sample(), true).unwrap_err();
        assert_eq!(again.kind(), std::io::ErrorKind::AlreadyExists);
    }
}

//! What commands print: JSON or text, tables without borders, one accent colour on a terminal, hints on the last line.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::show::clean;

/// How a command prints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    form: Form,
    paint: Paint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paint {
    Plain,
    Colour,
}

impl Output {
    /// For this process's standard output.
    pub(crate) fn new(json: bool, no_colour: bool) -> Self {
        let colour = !no_colour && io::stdout().is_terminal();
        Self {
            form: if json { Form::Json } else { Form::Text },
            paint: if colour { Paint::Colour } else { Paint::Plain },
        }
    }

    pub(crate) fn is_json(self) -> bool {
        self.form == Form::Json
    }

    fn wrap(self, code: &str, text: &str) -> String {
        match self.paint {
            Paint::Plain => text.to_owned(),
            Paint::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }

    /// What to look at.
    pub(crate) fn accent(self, text: &str) -> String {
        self.wrap("36", text)
    }

    /// What may be overlooked.
    pub(crate) fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// Prints the value as JSON, or the text.
    pub(crate) fn show(
        self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> io::Result<()> {
        match self.form {
            Form::Json => {
                let json = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
                print(&format!("{json}\n"))
            }
            Form::Text => print(&text()),
        }
    }

    /// One JSON value a line, for what follows; or the text.
    pub(crate) fn line(
        self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> io::Result<()> {
        match self.form {
            Form::Json => print(&format!("{}\n", tana_protocol::json::compact(value))),
            Form::Text => print(&text()),
        }
    }

    /// What to do next; not in JSON.
    pub(crate) fn hint(self, text: &str) -> io::Result<()> {
        match self.form {
            Form::Json => Ok(()),
            Form::Text => print(&format!("{}\n", self.dim(&crate::show::clean(text)))),
        }
    }

    /// Progress: on a terminal's standard error only.
    pub(crate) fn progress(self, text: &str) {
        if io::stderr().is_terminal() {
            // Whether progress can be shown changes nothing of the work.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

/// Writes to standard output.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Which side a column's values stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Rows under headings, as wide as their widest value.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Side)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: &[(&'static str, Side)]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row. What comes from outside is made safe to show.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows
            .push(cells.into_iter().map(|cell| clean(&cell)).collect());
    }

    pub(crate) fn text(&self, out: Output) -> String {
        let width = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(at));
            let widest = cells.map(|cell| cell.width()).max().unwrap_or(0);
            widest.max(self.columns.get(at).map_or(0, |(head, _)| head.width()))
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let line = |cells: &[String]| {
            let mut line = String::new();
            for (at, cell) in cells.iter().enumerate() {
                let (Some(width), Some((_, side))) = (widths.get(at), self.columns.get(at)) else {
                    break;
                };
                let gap = " ".repeat(width.saturating_sub(cell.width()));
                match side {
                    Side::Left => line.push_str(&format!("{cell}{gap}  ")),
                    Side::Right => line.push_str(&format!("{gap}{cell}  ")),
                }
            }
            line.trim_end().to_owned()
        };
        let heads: Vec<String> = self
            .columns
            .iter()
            .map(|(head, _)| (*head).to_owned())
            .collect();
        let mut text = format!("{}\n", out.dim(&line(&heads)));
        for row in &self.rows {
            text.push_str(&line(row));
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, Output, Paint, Side, Table};

    #[test]
    fn columns_are_as_wide_as_their_values_and_numbers_stand_right() {
        let out = Output {
            form: Form::Text,
            paint: Paint::Plain,
        };
        let mut table = Table::new(&[("currency", Side::Left), ("amount", Side::Right)]);
        table.row(["USD".to_owned(), "12.34".to_owned()]);
        table.row(["BTC".to_owned(), "0.00000001\u{1b}[2J".to_owned()]);
        assert_eq!(
            table.text(out),
            "currency      amount\nUSD            12.34\nBTC       0.00000001\n"
        );
    }
}

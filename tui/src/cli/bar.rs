//! How far a long command is: a bar on a terminal's standard error, redrawn in its line; nothing anywhere else.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::show::count;

/// Between two drawings.
const EVERY: Duration = Duration::from_millis(100);
/// Cells of the bar.
const WIDTH: u64 = 30;
/// Less is done before anybody could read it.
const WORTH: u64 = 20;

/// The bar. Dropped, it is wiped away.
pub(crate) struct Bar {
    total: u64,
    drawn: Option<Instant>,
    shows: Shows,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    Yes,
    No,
}

impl Bar {
    /// For so many steps.
    pub(crate) fn new(total: u64) -> Self {
        let shows = io::stderr().is_terminal() && total >= WORTH;
        Self {
            total,
            drawn: None,
            shows: if shows { Shows::Yes } else { Shows::No },
        }
    }

    /// So many are done.
    pub(crate) fn at(&mut self, done: u64) {
        if self.shows == Shows::No || self.drawn.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        self.drawn = Some(Instant::now());
        // Whether progress can be shown changes nothing of the work.
        let _ = write!(io::stderr(), "\r\x1b[K{}", line(done, self.total));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(done: u64, total: u64) -> String {
    let filled = done.saturating_mul(WIDTH).checked_div(total).unwrap_or(0);
    let bar: String = (0..WIDTH)
        .map(|cell| if cell < filled { '#' } else { '.' })
        .collect();
    let percent = done.saturating_mul(100).checked_div(total).unwrap_or(0);
    format!(
        "[{bar}] {percent:>3} %  {} of {}",
        count(done),
        count(total)
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_bar_fills_with_what_is_done() {
        assert_eq!(
            super::line(500, 1000),
            format!("[{}{}]  50 %  500 of 1 000", "#".repeat(15), ".".repeat(15))
        );
        assert!(super::line(1000, 1000).contains("100 %"));
        assert!(super::line(0, 0).contains("  0 %"));
    }
}

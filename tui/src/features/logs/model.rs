//! The newest log lines of all services, in order of time, and how they are looked at.

use std::collections::VecDeque;

use tana_protocol::api::node::{LogLevel, LogLine};
use tana_protocol::service::ServiceKind;

/// Lines kept; older ones are in the files, `tana logs` reads them.
const KEPT: usize = 10_000;
/// A line longer than this is cut when it comes.
const LONGEST: usize = 4000;

#[derive(Debug, Clone)]
pub(crate) struct Model {
    entries: VecDeque<Entry>,
    next: u64,
    /// The line at the bottom; the newest when none.
    pub(crate) held: Option<u64>,
    pub(crate) wrap: Wrap,
    /// Less severe lines are not shown.
    pub(crate) least: LogLevel,
    pub(crate) only: Option<ServiceKind>,
}

/// A line with the number it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    pub(crate) line: LogLine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrap {
    Cut,
    Wrapped,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            next: 0,
            held: None,
            wrap: Wrap::Cut,
            least: LogLevel::Trace,
            only: None,
        }
    }
}

impl Model {
    /// Takes lines, each to its place in time.
    pub(crate) fn take(&mut self, lines: Vec<LogLine>) {
        for mut line in lines {
            line.text = clean(&line.text);
            let mut at = self.entries.len();
            // Lines of several services come nearly in order.
            while at > 0 && self.entries[at - 1].line.at > line.at {
                at -= 1;
            }
            // After a reconnection the same lines may come again.
            let again = self
                .entries
                .range(..at)
                .rev()
                .take_while(|e| e.line.at == line.at)
                .any(|e| e.line == line);
            if again {
                continue;
            }
            self.entries.insert(
                at,
                Entry {
                    number: self.next,
                    line,
                },
            );
            self.next += 1;
            if self.entries.len() > KEPT {
                self.entries.pop_front();
            }
        }
    }

    pub(crate) fn lines(&self) -> impl DoubleEndedIterator<Item = &LogLine> {
        self.entries.iter().map(|e| &e.line)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn clean(text: &str) -> String {
    let mut text = crate::show::clean(text);
    if text.len() > LONGEST {
        let end = (0..=LONGEST)
            .rev()
            .find(|i| text.is_char_boundary(*i))
            .unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The lines in view, newest first, as far as they are asked for.
pub(crate) fn newest_first(model: &crate::model::Model) -> impl Iterator<Item = &Entry> {
    let logs = &model.logs;
    logs.entries.iter().rev().filter(move |e| {
        e.line.level >= logs.least
            && logs.only.is_none_or(|only| e.line.service == only)
            && model
                .filters
                .get(&crate::model::Screen::Logs)
                .is_none_or(|f| f.matches(&e.line.text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tana_protocol::Timestamp;

    fn line(at: u64, text: &str) -> LogLine {
        LogLine {
            at: Timestamp::from_ms(at),
            service: ServiceKind::Mesh,
            level: LogLevel::Info,
            text: text.into(),
        }
    }

    #[test]
    fn lines_stand_in_order_of_time_and_once() {
        let mut logs = Model::default();
        logs.take(vec![line(1, "a"), line(3, "c")]);
        logs.take(vec![line(2, "b"), line(3, "c"), line(3, "d")]);
        let texts: Vec<_> = logs.lines().map(|l| l.text.as_str()).collect();
        assert_eq!(texts, ["a", "b", "c", "d"]);
    }

    #[test]
    fn a_flood_keeps_the_newest_only() {
        let mut logs = Model::default();
        logs.take((0..100_000).map(|i| line(i, &i.to_string())).collect());
        assert_eq!(logs.lines().count(), KEPT);
        assert_eq!(logs.lines().last().map(|l| l.text.as_str()), Some("99999"));
    }
}

//! The newest log lines of all services, in order of time, and how they are looked at.

use tana_protocol::api::node::{LogLevel, LogLine};
use tana_protocol::service::ServiceKind;

use super::store::Store;
pub(crate) use super::store::{Entry, Mark};

#[derive(Debug, Clone)]
pub(crate) struct Model {
    store: Store,
    /// The line at the bottom; the newest when none.
    pub(crate) held: Option<Mark>,
    pub(crate) wrap: Wrap,
    /// Less severe lines are not shown.
    pub(crate) least: LogLevel,
    pub(crate) only: Option<ServiceKind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrap {
    Cut,
    Wrapped,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            store: Store::default(),
            held: None,
            wrap: Wrap::Cut,
            least: LogLevel::Trace,
            only: None,
        }
    }
}

impl Model {
    /// Takes lines, each to its place in time.
    pub(crate) fn take(&mut self, lines: &[LogLine]) {
        for line in lines {
            self.store.push(line);
        }
    }

    /// All lines, the oldest first.
    pub(crate) fn lines(&self) -> impl DoubleEndedIterator<Item = Entry<'_>> {
        self.store.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.store.len() == 0
    }
}

/// Whether a line is among those looked at.
fn shown(model: &crate::model::Model, entry: &Entry<'_>) -> bool {
    let logs = &model.logs;
    entry.level >= logs.least
        && logs.only.is_none_or(|only| entry.service == only)
        && model
            .filters
            .get(&crate::model::Screen::Logs)
            .is_none_or(|f| f.matches(entry.text))
}

/// The lines in view, newest first, as far as they are asked for: from the one that is held, else from the newest.
pub(crate) fn back(model: &crate::model::Model) -> Box<dyn Iterator<Item = Entry<'_>> + '_> {
    let shown = |entry: &Entry<'_>| shown(model, entry);
    match model.logs.held {
        Some(mark) => Box::new(model.logs.store.split(mark).0.rev().filter(shown)),
        None => Box::new(model.logs.store.iter().rev().filter(shown)),
    }
}

/// The lines after the one that is held.
pub(crate) fn forward(model: &crate::model::Model) -> Box<dyn Iterator<Item = Entry<'_>> + '_> {
    let shown = |entry: &Entry<'_>| shown(model, entry);
    match model.logs.held {
        Some(mark) => Box::new(model.logs.store.split(mark).1.filter(shown)),
        None => Box::new(std::iter::empty()),
    }
}

/// The newest line in view, whichever is held.
pub(crate) fn newest(model: &crate::model::Model) -> Option<Entry<'_>> {
    let mut lines = model.logs.store.iter().rev();
    lines.find(|entry| shown(model, entry))
}

/// The oldest line in view.
pub(crate) fn oldest(model: &crate::model::Model) -> Option<Entry<'_>> {
    model.logs.store.iter().find(|entry| shown(model, entry))
}

//! The newest log lines of all services, in order of time, and how they are looked at.

use tana_protocol::api::node::{LogLevel, LogLine};
use tana_protocol::service::ServiceKind;

pub(crate) use super::store::{Entry, Mark, Way};
use super::store::{Sight, Store};
use crate::filter::Filter;

#[derive(Debug, Clone)]
pub(crate) struct Model {
    store: Store,
    /// The line at the bottom; the newest when none.
    pub(crate) held: Option<Mark>,
    pub(crate) wrap: Wrap,
    /// Less severe lines are not shown.
    pub(crate) least: LogLevel,
    pub(crate) only: Option<ServiceKind>,
    /// Which of [`AROUND`].
    pub(crate) around: usize,
    /// What the filter that has looked at the lines says.
    looked_for: Option<String>,
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
            around: 0,
            looked_for: None,
        }
    }
}

/// Lines that a filter looks at between two keys.
const SLICE: usize = 20_000;

/// How many lines around one that fits can be shown.
pub(crate) const AROUND: [usize; 4] = [0, 2, 5, 20];

impl Model {
    /// Takes lines, each to its place in time.
    pub(crate) fn take(&mut self, lines: &[LogLine], filter: Option<&Filter>) {
        for line in lines {
            self.store
                .push(line, |text| filter.is_none_or(|f| f.matches(text)));
        }
    }

    /// Has the filter look at some more lines; at all of them anew when it is another than before.
    pub(crate) fn look(&mut self, filter: Option<&Filter>) {
        let text = filter.map(|filter| filter.text.clone());
        if text != self.looked_for {
            self.looked_for = text;
            self.store.filter_changed();
        }
        match filter {
            Some(filter) => self.store.look(SLICE, |text| filter.matches(text)),
            // Without one every line is in sight whatever its mark says.
            None => self.store.look(0, |_| true),
        }
    }

    /// Lines that the filter has not looked at yet.
    pub(crate) fn unseen(&self) -> usize {
        if self.looked_for.is_some() {
            self.store.unseen()
        } else {
            0
        }
    }

    /// Lines that are known may come again from here on.
    pub(crate) fn again(&mut self) {
        self.store.again();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.store.len() == 0
    }

    /// The lines of one service, the newest first.
    pub(crate) fn newest_of(&self, service: ServiceKind) -> impl Iterator<Item = Entry<'_>> {
        let sight = Sight {
            only: Some(service),
            least: LogLevel::Trace,
            around: None,
        };
        self.store.lines(sight, None, Way::Back)
    }

    /// Marks a line, or takes its mark away. Answers whether it is marked now.
    pub(crate) fn toggle(&mut self, mark: Mark) -> bool {
        self.store.toggle(mark)
    }

    /// The next marked line from the one that is held.
    pub(crate) fn marked(&self, way: Way) -> Option<Mark> {
        self.store.marked(self.held, way)
    }

    fn sight(&self, filtered: bool) -> Sight {
        Sight {
            only: self.only,
            least: self.least,
            around: filtered.then_some(AROUND[self.around % AROUND.len()]),
        }
    }
}

fn sight(model: &crate::model::Model) -> Sight {
    let filtered = model.filters.contains_key(&crate::model::Screen::Logs);
    model.logs.sight(filtered)
}

/// The lines in view, newest first, as far as they are asked for: from the one that is held, else from the newest.
pub(crate) fn back(model: &crate::model::Model) -> impl Iterator<Item = Entry<'_>> {
    let logs = &model.logs;
    logs.store.lines(sight(model), logs.held, Way::Back)
}

/// The lines after the one that is held.
pub(crate) fn forward(model: &crate::model::Model) -> impl Iterator<Item = Entry<'_>> {
    let logs = &model.logs;
    let held = logs.held;
    let lines = held.map(|mark| logs.store.lines(sight(model), Some(mark), Way::Forward));
    lines.into_iter().flatten()
}

/// All lines in view, the oldest first.
pub(crate) fn shown(model: &crate::model::Model) -> impl Iterator<Item = Entry<'_>> {
    model.logs.store.lines(sight(model), None, Way::Forward)
}

/// The newest line in view, whichever is held.
pub(crate) fn newest(model: &crate::model::Model) -> Option<Entry<'_>> {
    let mut lines = model.logs.store.lines(sight(model), None, Way::Back);
    lines.next()
}

/// The oldest line in view.
pub(crate) fn oldest(model: &crate::model::Model) -> Option<Entry<'_>> {
    shown(model).next()
}

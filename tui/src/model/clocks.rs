//! How far clocks elsewhere go wrong against this one, judged by what has come fresh: a heartbeat as it is told, a block as
//! it is made. Being on the way only makes a time look older, so the one that looks youngest of the last few counts.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tana_protocol::Timestamp;

/// So many times of one clock are compared; fewer prove nothing.
const COMPARED: usize = 2;

/// What came fresh from each clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clocks {
    /// By how much each time was behind when it came.
    behind: BTreeMap<String, VecDeque<Duration>>,
}

impl Clocks {
    /// A time that was told at once: by how much it is behind.
    pub(crate) fn fresh(&mut self, who: &str, at: Timestamp, now: Timestamp) {
        let behind = self.behind.entry(who.to_owned()).or_default();
        behind.push_back(now.since(at));
        if behind.len() > COMPARED {
            behind.pop_front();
        }
    }

    /// A connection stands anew: what comes may be late for that reason.
    pub(crate) fn forget(&mut self) {
        self.behind.clear();
    }

    /// The clock that is most behind, and by how much at the least.
    pub(crate) fn most_behind(&self) -> Option<(&str, Duration)> {
        self.behind
            .iter()
            .filter(|(_, behind)| behind.len() == COMPARED)
            .filter_map(|(who, behind)| Some((who.as_str(), *behind.iter().min()?)))
            .max_by_key(|(_, behind)| *behind)
    }
}

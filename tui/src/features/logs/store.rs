//! Log lines, packed: a million of them within 64 MiB. Text lies in chunks in the order in which it came, records in order of time.

use std::borrow::Cow;
use std::collections::VecDeque;

use tana_protocol::Timestamp;
use tana_protocol::api::node::{LogLevel, LogLine};
use tana_protocol::service::ServiceKind;

/// Lines kept; older ones are in the files, `tana logs` reads them.
pub(super) const KEPT: usize = 1_000_000;
/// Bytes of text in a chunk: as far as sixteen bits reach.
const CHUNK: usize = 1 << 16;
/// Chunks kept: 40 MiB of text beside 20 MiB of records.
const CHUNKS: usize = 640;
/// In a record's level: the line is among those that the filter keeps.
const FITS: u8 = 1 << 6;
/// In a record's level: the reader has marked the line.
const MARKED: u8 = 1 << 7;
/// The rest of it is the level itself.
const LEVEL: u8 = FITS - 1;
/// A line longer than this is cut when it comes.
const LONGEST: usize = 4000;

const LEVELS: [LogLevel; 5] = [
    LogLevel::Trace,
    LogLevel::Debug,
    LogLevel::Info,
    LogLevel::Warn,
    LogLevel::Error,
];

#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    records: VecDeque<Record>,
    chunks: VecDeque<Chunk>,
    /// The number of the first chunk.
    first: u32,
    /// Records at the front that the filter has not looked at yet.
    unseen: usize,
    /// Lines up to here may come once more.
    doubtful: Option<Timestamp>,
}

#[derive(Debug, Clone, Default)]
struct Chunk {
    text: String,
    /// Records that lie in it.
    live: u32,
}

/// A line without its text. Twenty bytes: the time is in halves so that nothing is padded.
#[derive(Debug, Clone, Copy)]
struct Record {
    high: u32,
    low: u32,
    chunk: u32,
    start: u16,
    length: u16,
    service: u8,
    level: u8,
}

impl Record {
    fn at(self) -> Timestamp {
        Timestamp::from_ms(u64::from(self.high) << 32 | u64::from(self.low))
    }

    fn set(&mut self, bit: u8, on: bool) {
        if on {
            self.level |= bit;
        } else {
            self.level &= !bit;
        }
    }

    fn mark(self) -> Mark {
        Mark {
            at: self.at(),
            chunk: self.chunk,
            start: self.start,
        }
    }
}

/// Which line: the same however many come and go around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    at: Timestamp,
    chunk: u32,
    start: u16,
}

/// Which lines are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sight {
    /// Those of one service alone.
    pub(crate) only: Option<ServiceKind>,
    /// From this level on.
    pub(crate) least: LogLevel,
    /// Those that the filter keeps, and so many lines around each; all when none.
    pub(crate) around: Option<usize>,
}

/// Which way lines are gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// To the older ones.
    Back,
    Forward,
}

/// A line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) mark: Mark,
    pub(crate) at: Timestamp,
    pub(crate) service: ServiceKind,
    pub(crate) level: LogLevel,
    pub(crate) text: &'a str,
    /// Whether the filter keeps it; the others stand around such a one.
    pub(crate) fits: bool,
    pub(crate) marked: bool,
}

impl Store {
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// The lines in sight from one on, it included when one goes back; from the end when none. Lines are passed over by a
    /// bit each: a million of them take a few milliseconds.
    pub(crate) fn lines(
        &self,
        sight: Sight,
        from: Option<Mark>,
        way: Way,
    ) -> Box<dyn Iterator<Item = Entry<'_>> + '_> {
        let at = |mark| self.after(mark);
        let entry = |record: Record| self.entry(record);
        match way {
            Way::Back => {
                let end = from.map_or(self.records.len(), at);
                let records = self.records.range(..end).rev().copied();
                Box::new(seen(records, sight).filter_map(entry))
            }
            Way::Forward => {
                let begin = from.map_or(0, at);
                let records = self.records.range(begin..).copied();
                Box::new(seen(records, sight).filter_map(entry))
            }
        }
    }

    /// Where the line after this one stands. A line that is gone had its place at the front.
    fn after(&self, mark: Mark) -> usize {
        let from = self.records.partition_point(|r| r.at() < mark.at);
        self.records
            .range(from..)
            .take_while(|r| r.at() == mark.at)
            .position(|r| r.mark() == mark)
            .map_or(from, |i| from + i + 1)
    }

    /// Every line is to be looked at anew: the filter is another.
    pub(super) fn filter_changed(&mut self) {
        self.unseen = self.records.len();
    }

    /// How many lines the filter has not looked at yet.
    pub(crate) fn unseen(&self) -> usize {
        self.unseen
    }

    /// Has the filter look at the newest `most` of the lines that it has not looked at.
    pub(super) fn look(&mut self, most: usize, fits: impl Fn(&str) -> bool) {
        let from = self.unseen.saturating_sub(most);
        for at in from..self.unseen {
            let text = |r: Record| self.entry(r).map(|e| e.text);
            let kept = self
                .records
                .get(at)
                .copied()
                .and_then(text)
                .is_some_and(&fits);
            if let Some(record) = self.records.get_mut(at) {
                record.set(FITS, kept);
            }
        }
        self.unseen = from;
    }

    /// Marks a line, or takes its mark away. Answers whether it is marked now.
    pub(super) fn toggle(&mut self, mark: Mark) -> bool {
        let at = self.after(mark).checked_sub(1);
        let record = at.and_then(|at| self.records.get_mut(at));
        let Some(record) = record.filter(|r| r.mark() == mark) else {
            return false;
        };
        let marked = record.level & MARKED == 0;
        record.set(MARKED, marked);
        marked
    }

    /// The next marked line from one on, that one excluded; from the end of the way when none.
    pub(crate) fn marked(&self, from: Option<Mark>, way: Way) -> Option<Mark> {
        let is = |record: &&Record| record.level & MARKED != 0;
        let found = match way {
            Way::Back => {
                let end = from.map_or(self.records.len(), |mark| {
                    self.after(mark).saturating_sub(1)
                });
                self.records.range(..end).rev().find(is)
            }
            Way::Forward => {
                let begin = from.map_or(self.records.len(), |mark| self.after(mark));
                self.records.range(begin..).find(is)
            }
        };
        found.map(|record| record.mark())
    }

    fn entry(&self, record: Record) -> Option<Entry<'_>> {
        let chunk = usize::try_from(record.chunk.wrapping_sub(self.first)).ok()?;
        let start = usize::from(record.start);
        let text = &self.chunks.get(chunk)?.text;
        Some(Entry {
            mark: record.mark(),
            at: record.at(),
            service: *ServiceKind::ALL.get(usize::from(record.service))?,
            level: *LEVELS.get(usize::from(record.level & LEVEL))?,
            text: text.get(start..start + usize::from(record.length))?,
            fits: record.level & FITS != 0,
            marked: record.level & MARKED != 0,
        })
    }

    /// From now on lines may come that are here already.
    pub(super) fn again(&mut self) {
        self.doubtful = self.records.back().map(|last| last.at());
    }

    /// Takes a line to its place in time, and once. Only what is no newer than the newest line of the last reconnection is
    /// looked for: a flood has hundreds of lines of one millisecond.
    pub(super) fn push(&mut self, line: &LogLine, fits: impl FnOnce(&str) -> bool) {
        let text = clean(&line.text);
        let at = match self.records.back() {
            Some(last) if last.at() > line.at => {
                self.records.partition_point(|r| r.at() <= line.at)
            }
            _ => self.records.len(),
        };
        let known =
            |e: Entry<'_>| (e.service, e.level, e.text) == (line.service, line.level, &*text);
        let again = self.doubtful.is_some_and(|until| line.at <= until)
            && self
                .records
                .range(..at)
                .rev()
                .take_while(|r| r.at() == line.at)
                .filter_map(|r| self.entry(*r))
                .any(known);
        if again {
            return;
        }
        let full = |chunk: &Chunk| chunk.text.len() + text.len() >= CHUNK;
        if self.chunks.back().is_none_or(full) {
            self.chunks.push_back(Chunk {
                text: String::with_capacity(CHUNK),
                live: 0,
            });
        }
        let newest = u32::try_from(self.chunks.len() - 1).unwrap_or(u32::MAX);
        let Some(chunk) = self.chunks.back_mut() else {
            return;
        };
        let index = |at: Option<usize>| at.and_then(|i| u8::try_from(i).ok()).unwrap_or(0);
        let ms = line.at.ms();
        let record = Record {
            high: u32::try_from(ms >> 32).unwrap_or(u32::MAX),
            low: u32::try_from(ms & u64::from(u32::MAX)).unwrap_or(u32::MAX),
            chunk: self.first.wrapping_add(newest),
            // Both are below what a chunk holds.
            start: u16::try_from(chunk.text.len()).unwrap_or(u16::MAX),
            length: u16::try_from(text.len()).unwrap_or(u16::MAX),
            service: index(ServiceKind::ALL.iter().position(|k| *k == line.service)),
            level: index(LEVELS.iter().position(|l| *l == line.level)),
        };
        let mut record = record;
        record.set(FITS, fits(&text));
        chunk.text.push_str(&text);
        chunk.live += 1;
        if at < self.unseen {
            self.unseen += 1;
        }
        self.records.insert(at, record);
        self.forget();
    }

    /// Lets the oldest lines go while there are too many, and chunks that no line lies in any more.
    fn forget(&mut self) {
        while self.records.len() > KEPT || self.chunks.len() > CHUNKS {
            let Some(oldest) = self.records.pop_front() else {
                return;
            };
            self.unseen = self.unseen.saturating_sub(1);
            let at = usize::try_from(oldest.chunk.wrapping_sub(self.first)).unwrap_or(usize::MAX);
            if let Some(chunk) = self.chunks.get_mut(at) {
                chunk.live = chunk.live.saturating_sub(1);
            }
            while self.chunks.len() > 1 && self.chunks.front().is_some_and(|c| c.live == 0) {
                self.chunks.pop_front();
                self.first = self.first.wrapping_add(1);
            }
        }
    }
}

/// The records in sight, in the order in which they come.
fn seen(mut records: impl Iterator<Item = Record>, sight: Sight) -> impl Iterator<Item = Record> {
    let only = sight
        .only
        .and_then(|only| ServiceKind::ALL.iter().position(|k| *k == only))
        .and_then(|at| u8::try_from(at).ok());
    let least = LEVELS.iter().position(|l| *l == sight.least);
    let least = least.and_then(|at| u8::try_from(at).ok()).unwrap_or(0);
    // Lines that may turn out to stand before one that fits; and how many after the last such one are still shown.
    let mut held: VecDeque<Record> = VecDeque::new();
    let mut out: VecDeque<Record> = VecDeque::new();
    let mut still = 0;
    std::iter::from_fn(move || {
        loop {
            if let Some(record) = out.pop_front() {
                return Some(record);
            }
            let record = records.next()?;
            if record.level & LEVEL < least || only.is_some_and(|only| record.service != only) {
                continue;
            }
            let Some(around) = sight.around else {
                return Some(record);
            };
            if record.level & FITS != 0 {
                still = around;
                out.append(&mut held);
                out.push_back(record);
            } else if still > 0 {
                still -= 1;
                return Some(record);
            } else if around > 0 {
                if held.len() == around {
                    held.pop_front();
                }
                held.push_back(record);
            }
        }
    })
}

fn clean(text: &str) -> Cow<'_, str> {
    let text = crate::show::cleaned(text);
    if text.len() > LONGEST {
        let mut text = text.into_owned();
        let end = (0..=LONGEST)
            .rev()
            .find(|i| text.is_char_boundary(*i))
            .unwrap_or(0);
        text.truncate(end);
        text.push('…');
        return Cow::Owned(text);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at: u64, text: &str) -> LogLine {
        LogLine {
            at: Timestamp::from_ms(at),
            service: ServiceKind::Mesh,
            level: LogLevel::Info,
            text: text.into(),
        }
    }

    const ALL: Sight = Sight {
        only: None,
        least: LogLevel::Trace,
        around: None,
    };

    fn texts(store: &Store) -> Vec<&str> {
        let lines = store.lines(ALL, None, Way::Forward);
        lines.map(|e| e.text).collect()
    }

    fn around(store: &Store, lines: usize) -> Vec<&str> {
        let sight = Sight {
            around: Some(lines),
            ..ALL
        };
        let lines = store.lines(sight, None, Way::Forward);
        let forward: Vec<&str> = lines.map(|e| e.text).collect();
        let lines = store.lines(sight, None, Way::Back);
        let mut back: Vec<&str> = lines.map(|e| e.text).collect();
        back.reverse();
        assert_eq!(forward, back, "the same lines either way");
        forward
    }

    #[test]
    fn lines_stand_in_order_of_time_and_once() {
        let mut store = Store::default();
        for (at, text) in [(1, "a"), (3, "c"), (2, "b")] {
            store.push(&line(at, text), |_| true);
        }
        store.again();
        for (at, text) in [(2, "b"), (3, "c"), (3, "d")] {
            store.push(&line(at, text), |_| true);
        }
        assert_eq!(texts(&store), ["a", "b", "c", "d"]);
        let mark = store.lines(ALL, None, Way::Forward).nth(2).map(|e| e.mark);
        let from = |way| {
            let lines = store.lines(ALL, mark, way);
            lines.map(|e| e.text).collect::<Vec<_>>()
        };
        assert_eq!(from(Way::Back), ["c", "b", "a"]);
        assert_eq!(from(Way::Forward), ["d"]);
    }

    #[test]
    fn a_million_lines_fit_into_their_room_and_the_newest_stay() {
        assert_eq!(size_of::<Record>(), 20);
        let mut store = Store::default();
        for i in 0..KEPT as u64 + 5 {
            let text = format!("block {i} committed: 18 transactions");
            store.push(&line(i, &text), |_| true);
        }
        assert_eq!(store.len(), KEPT);
        let mut lines = store.lines(ALL, None, Way::Forward);
        let first = lines.next().map(|e| e.text);
        assert_eq!(first, Some("block 5 committed: 18 transactions"));
        let text: usize = store.chunks.iter().map(|c| c.text.capacity()).sum();
        let used = text + store.records.capacity() * size_of::<Record>();
        assert!(used < 64 << 20, "{} MiB", used >> 20);
    }

    #[test]
    fn long_lines_make_room_for_themselves() {
        let mut store = Store::default();
        let long = "x".repeat(10_000);
        for i in 0..20_000 {
            store.push(&line(i, &format!("{i} {long}")), |_| true);
        }
        let text: usize = store.chunks.iter().map(|c| c.text.capacity()).sum();
        assert!(text <= 40 << 20, "{} MiB", text >> 20);
        let newest = store.lines(ALL, None, Way::Back).next();
        let newest = newest.map(|e| e.text.split(' ').next());
        assert_eq!(newest, Some(Some("19999")));
        let oldest = store.lines(ALL, None, Way::Forward).next();
        let mark = oldest.map(|e| e.mark).expect("some stay");
        store.push(&line(30_000, "one more"), |_| true);
        for i in 30_001..31_000 {
            store.push(&line(i, &format!("{i} {long}")), |_| true);
        }
        let before = store.lines(ALL, Some(mark), Way::Back).count();
        assert_eq!(before, 0, "that line is gone");
    }

    #[test]
    fn lines_around_those_that_fit_are_shown_once_and_in_order() {
        let mut store = Store::default();
        for i in 0..20 {
            store.push(&line(i, &i.to_string()), |text| {
                ["3", "5", "12"].contains(&text)
            });
        }
        assert_eq!(around(&store, 0), ["3", "5", "12"]);
        assert_eq!(
            around(&store, 1),
            ["2", "3", "4", "5", "6", "11", "12", "13"]
        );
        assert_eq!(around(&store, 30).len(), 20);
    }

    #[test]
    fn a_filter_looks_at_the_newest_first_and_at_each_line_once() {
        let mut store = Store::default();
        for i in 0..10 {
            store.push(&line(i, &i.to_string()), |_| true);
        }
        store.filter_changed();
        store.look(4, |text| text == "8");
        assert_eq!(store.unseen(), 6);
        // One that comes late, before what was looked at, and one at the end.
        store.push(&line(2, "8 again"), |_| true);
        store.push(&line(11, "8 at last"), |_| true);
        while store.unseen() > 0 {
            store.look(3, |text| text == "8");
        }
        assert_eq!(
            around(&store, 0),
            ["8", "8 at last"],
            "what comes while the filter looks is looked at when it comes, or with the rest"
        );
    }

    #[test]
    fn marks_stay_on_their_lines_and_are_found_both_ways() {
        let mut store = Store::default();
        for i in 0..10 {
            store.push(&line(i, &i.to_string()), |_| true);
        }
        let mark = |store: &Store, n: usize| {
            let line = store.lines(ALL, None, Way::Forward).nth(n);
            line.map(|e| e.mark).expect("there are ten")
        };
        let (two, seven) = (mark(&store, 2), mark(&store, 7));
        assert!(store.toggle(two) && store.toggle(seven));
        store.push(&line(1, "late"), |_| true);
        assert_eq!(store.marked(None, Way::Back), Some(seven));
        assert_eq!(store.marked(Some(seven), Way::Back), Some(two));
        assert_eq!(store.marked(Some(two), Way::Forward), Some(seven));
        assert_eq!(store.marked(Some(seven), Way::Forward), None);
        assert!(!store.toggle(seven), "the mark is gone");
        assert_eq!(store.marked(None, Way::Back), Some(two));
    }
}

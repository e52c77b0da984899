//! Log lines, packed: a million of them within 64 MiB. Text lies in chunks in the order in which it came, records in order of time.

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

/// A line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) mark: Mark,
    pub(crate) at: Timestamp,
    pub(crate) service: ServiceKind,
    pub(crate) level: LogLevel,
    pub(crate) text: &'a str,
}

impl Store {
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// All lines, the oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = Entry<'_>> {
        self.records.iter().filter_map(|record| self.entry(*record))
    }

    /// The lines up to this one, it included, and those after it. A line that is gone has none before it.
    pub(crate) fn split(
        &self,
        mark: Mark,
    ) -> (
        impl DoubleEndedIterator<Item = Entry<'_>>,
        impl DoubleEndedIterator<Item = Entry<'_>>,
    ) {
        let from = self.records.partition_point(|r| r.at() < mark.at);
        let end = self
            .records
            .range(from..)
            .take_while(|r| r.at() == mark.at)
            .position(|r| r.mark() == mark)
            .map_or(from, |i| from + i + 1);
        let entry = |record: &Record| self.entry(*record);
        (
            self.records.range(..end).filter_map(entry),
            self.records.range(end..).filter_map(entry),
        )
    }

    fn entry(&self, record: Record) -> Option<Entry<'_>> {
        let chunk = usize::try_from(record.chunk.wrapping_sub(self.first)).ok()?;
        let start = usize::from(record.start);
        let text = &self.chunks.get(chunk)?.text;
        Some(Entry {
            mark: record.mark(),
            at: record.at(),
            service: *ServiceKind::ALL.get(usize::from(record.service))?,
            level: *LEVELS.get(usize::from(record.level))?,
            text: text.get(start..start + usize::from(record.length))?,
        })
    }

    /// Takes a line to its place in time, once: after a reconnection the same lines may come again.
    pub(super) fn push(&mut self, line: &LogLine) {
        let text = clean(&line.text);
        let at = match self.records.back() {
            Some(last) if last.at() > line.at => {
                self.records.partition_point(|r| r.at() <= line.at)
            }
            _ => self.records.len(),
        };
        let again = self
            .records
            .range(..at)
            .rev()
            .take_while(|r| r.at() == line.at)
            .filter_map(|r| self.entry(*r))
            .any(|e| (e.service, e.level, e.text) == (line.service, line.level, text.as_str()));
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
        chunk.text.push_str(&text);
        chunk.live += 1;
        self.records.insert(at, record);
        self.forget();
    }

    /// Lets the oldest lines go while there are too many, and chunks that no line lies in any more.
    fn forget(&mut self) {
        while self.records.len() > KEPT || self.chunks.len() > CHUNKS {
            let Some(oldest) = self.records.pop_front() else {
                return;
            };
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

    fn texts(store: &Store) -> Vec<&str> {
        store.iter().map(|e| e.text).collect()
    }

    #[test]
    fn lines_stand_in_order_of_time_and_once() {
        let mut store = Store::default();
        for (at, text) in [(1, "a"), (3, "c"), (2, "b"), (3, "c"), (3, "d")] {
            store.push(&line(at, text));
        }
        assert_eq!(texts(&store), ["a", "b", "c", "d"]);
        let mark = store.iter().nth(2).map(|e| e.mark);
        let (before, after) = store.split(mark.expect("there are four"));
        assert_eq!(before.map(|e| e.text).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(after.map(|e| e.text).collect::<Vec<_>>(), ["d"]);
    }

    #[test]
    fn a_million_lines_fit_into_their_room_and_the_newest_stay() {
        assert_eq!(size_of::<Record>(), 20);
        let mut store = Store::default();
        for i in 0..KEPT as u64 + 5 {
            store.push(&line(i, &format!("block {i} committed: 18 transactions")));
        }
        assert_eq!(store.len(), KEPT);
        let first = store.iter().next().map(|e| e.text);
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
            store.push(&line(i, &format!("{i} {long}")));
        }
        let text: usize = store.chunks.iter().map(|c| c.text.capacity()).sum();
        assert!(text <= 40 << 20, "{} MiB", text >> 20);
        let newest = store.iter().next_back().map(|e| e.text.split(' ').next());
        assert_eq!(newest, Some(Some("19999")));
        let mark = store.iter().next().map(|e| e.mark).expect("some stay");
        store.push(&line(30_000, "one more"));
        for i in 30_001..31_000 {
            store.push(&line(i, &format!("{i} {long}")));
        }
        assert_eq!(store.split(mark).0.count(), 0, "that line is gone");
    }
}

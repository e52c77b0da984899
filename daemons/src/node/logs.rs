//! The services' log files, read: history, new lines as they are written (told by inotify, never polled), the last line
//! for the list of services. The services write and rotate them themselves.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tana_kit::{Clock, Shutdown, SystemClock, telemetry};
use tana_protocol::api::node::{LogLevel, LogLine};
use tana_protocol::{ServiceKind, Timestamp};
use tokio::sync::broadcast;

use super::board::Board;
use super::process::wait_on;

/// New lines are gathered for this long, so that a flood costs little and a screen changes a few times a second.
const GATHER: Duration = Duration::from_millis(100);
/// Lines that are handed on in one piece.
const PIECE: usize = 1000;
/// A follower that is this many pieces behind is dropped; it resumes by its last id. In a flood of 100 000 lines a second it
/// may so pause for half of one.
const BEHIND: usize = 64;
/// So much of what is new is read at once, and handed on before more is read.
const SLICE: u64 = 1 << 20;
/// Pieces that followers may have before them when the next slice is read, and how long they are waited for at most.
const PENDING: usize = 16;
const PATIENCE: Duration = Duration::from_millis(250);
/// What is farther back than this is passed over: it is for the history.
const MOST_NEW: u64 = 32 << 20;
/// So many characters of a line are shown with its service.
const LONGEST_SHOWN: usize = 300;
/// The part of a file that is read first; while it has too few lines, four times as much.
const SMALL_PART: u64 = 256 << 10;
/// A line is cut after this many bytes: the services' own are shorter.
const LONGEST_LINE: usize = 64 << 10;

/// All logs of the node. Clones share them.
#[derive(Clone)]
pub(super) struct Logs {
    directory: PathBuf,
    tails: Arc<Mutex<Vec<Tail>>>,
    lines: broadcast::Sender<Arc<[LogLine]>>,
    board: Board,
}

/// What the runtime waits on: it asks for a descriptor in a way that `Inotify` does not offer.
struct Watch(Inotify);

impl AsRawFd for Watch {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Whether there is more of a log to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slice {
    More,
    Last,
}

/// How far a service's log has been read.
struct Tail {
    kind: ServiceKind,
    file: Option<File>,
    inode: u64,
    position: u64,
    /// A line whose end is not written yet.
    partial: Vec<u8>,
    last_at: Timestamp,
    /// The last error since its process began.
    last_error: Option<String>,
}

impl Logs {
    pub(super) fn new(directory: &Path, kinds: &[ServiceKind], board: Board) -> Self {
        let tails = kinds
            .iter()
            .map(|kind| Tail::at_end(directory, *kind))
            .collect();
        let logs = Self {
            directory: directory.to_owned(),
            tails: Arc::new(Mutex::new(tails)),
            lines: broadcast::channel(BEHIND).0,
            board,
        };
        for kind in kinds {
            let last = history(&logs.directory, *kind, &Wanted::last(1)).pop();
            if let Some(line) = last {
                logs.board
                    .update(*kind, |view| view.last_line = Some(shown(&line.text)));
            }
        }
        logs
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Tail>> {
        self.tails.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads new lines whenever a log file changes, until the supervisor ends.
    pub(super) async fn follow_files(self, end: Shutdown) -> anyhow::Result<()> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        inotify.add_watch(
            &self.directory,
            AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_FROM,
        )?;
        let inotify = wait_on(Watch(inotify))?;
        loop {
            let mut ready = tokio::select! {
                ready = inotify.readable() => ready?,
                () = end.begun() => return Ok(()),
            };
            let mut changed = Vec::new();
            loop {
                match ready.get_inner().0.read_events() {
                    Ok(events) => changed.extend(events.into_iter().filter_map(|event| event.name)),
                    Err(Errno::EAGAIN) => break,
                    Err(error) => return Err(error.into()),
                }
            }
            ready.clear_ready();
            drop(ready);
            let kinds: Vec<ServiceKind> = self.lock().iter().map(|tail| tail.kind).collect();
            let mut any = false;
            for kind in kinds {
                let name = format!("{kind}.log");
                if changed.iter().any(|changed| changed == OsStr::new(&name)) {
                    any = true;
                    while self.read_slice(kind) == Slice::More {
                        self.let_followers_read().await;
                    }
                }
            }
            if any {
                tokio::select! {
                    () = tokio::time::sleep(GATHER) => {}
                    () = end.begun() => return Ok(()),
                }
            }
        }
    }

    /// Reads what is new of one log now.
    pub(super) fn catch_up(&self, kind: ServiceKind) {
        while self.read_slice(kind) == Slice::More {}
    }

    /// Waits until followers have read most of what was handed on. Who never reads is not waited for.
    async fn let_followers_read(&self) {
        let begun = tokio::time::Instant::now();
        while self.lines.len() > PENDING && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn read_slice(&self, kind: ServiceKind) -> Slice {
        let mut tails = self.lock();
        let Some(tail) = tails.iter_mut().find(|tail| tail.kind == kind) else {
            return Slice::Last;
        };
        let mut lines = Vec::new();
        let slice = match tail.new_lines(&self.directory, &mut lines) {
            Ok(slice) => slice,
            Err(error) => {
                tracing::debug!("the log of {kind} cannot be read: {error}");
                return Slice::Last;
            }
        };
        let Some(last) = lines.last().map(|line| shown(&line.text)) else {
            return slice;
        };
        if self.lines.receiver_count() > 0 {
            let mut lines = lines.into_iter().peekable();
            while lines.peek().is_some() {
                // Nobody listens any more: nothing is lost.
                let _listeners = self.lines.send(lines.by_ref().take(PIECE).collect());
            }
        }
        drop(tails);
        self.board.update(kind, |view| view.last_line = Some(last));
        slice
    }

    /// A process begins: what its predecessor said is no reason for its end.
    pub(super) fn expect_lines(&self, kind: ServiceKind) {
        self.catch_up(kind);
        if let Some(tail) = self.lock().iter_mut().find(|tail| tail.kind == kind) {
            tail.last_error = None;
        }
    }

    /// The last error that the present process wrote.
    pub(super) fn last_error(&self, kind: ServiceKind) -> Option<String> {
        self.catch_up(kind);
        let tails = self.lock();
        tails
            .iter()
            .find(|tail| tail.kind == kind)
            .and_then(|tail| tail.last_error.clone())
    }

    /// The services whose logs there are.
    pub(super) fn kinds(&self) -> Vec<ServiceKind> {
        self.lock().iter().map(|tail| tail.kind).collect()
    }

    /// Lines of the past, oldest first; of several services in the order of time.
    pub(super) fn history(&self, kinds: &[ServiceKind], wanted: &Wanted) -> Vec<LogLine> {
        let mut lines: Vec<LogLine> = kinds
            .iter()
            .flat_map(|kind| history(&self.directory, *kind, wanted))
            .collect();
        // Stable: lines of one service at one moment keep their order.
        lines.sort_by_key(|line| line.at);
        let surplus = lines.len().saturating_sub(wanted.tail);
        lines.drain(..surplus);
        lines
    }

    /// Lines of the past, and every line after them: none is missing in between, none comes twice.
    pub(super) fn follow(
        &self,
        kinds: &[ServiceKind],
        wanted: &Wanted,
    ) -> (Vec<LogLine>, broadcast::Receiver<Arc<[LogLine]>>) {
        for kind in kinds {
            self.catch_up(*kind);
        }
        // Under the lock nothing new is sent; what is written meanwhile lies behind the tails' positions.
        let tails = self.lock();
        let receiver = self.lines.subscribe();
        let mut past = self.history_until(kinds, wanted, &tails);
        past.sort_by_key(|line| line.at);
        let surplus = past.len().saturating_sub(wanted.tail);
        past.drain(..surplus);
        (past, receiver)
    }

    fn history_until(
        &self,
        kinds: &[ServiceKind],
        wanted: &Wanted,
        tails: &[Tail],
    ) -> Vec<LogLine> {
        kinds
            .iter()
            .flat_map(|kind| {
                let until = tails
                    .iter()
                    .find(|tail| tail.kind == *kind)
                    .map(|tail| (tail.inode, tail.position - tail.partial.len() as u64));
                history_before(&self.directory, *kind, wanted, until)
            })
            .collect()
    }
}

/// A line's beginning, as far as a list of services shows it.
fn shown(text: &str) -> String {
    match text.char_indices().nth(LONGEST_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Which lines.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The last so many.
    pub(super) tail: usize,
    /// That contain this text, whatever its case.
    pub(super) filter: Option<String>,
}

impl Wanted {
    fn last(tail: usize) -> Self {
        Self { tail, filter: None }
    }

    /// Whether a line is wanted.
    pub(super) fn matches(&self, line: &LogLine) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| line.text.to_lowercase().contains(filter))
    }
}

impl Tail {
    fn at_end(directory: &Path, kind: ServiceKind) -> Self {
        let mut tail = Self {
            kind,
            file: None,
            inode: 0,
            position: 0,
            partial: Vec::new(),
            last_at: SystemClock.now(),
            last_error: None,
        };
        if tail.open(directory).is_ok() {
            tail.position = tail
                .file
                .as_ref()
                .and_then(|file| file.metadata().ok())
                .map_or(0, |metadata| metadata.len());
        }
        tail
    }

    fn open(&mut self, directory: &Path) -> io::Result<()> {
        let file = File::open(directory.join(format!("{}.log", self.kind)))?;
        self.inode = file.metadata()?.ino();
        self.file = Some(file);
        self.position = 0;
        self.partial.clear();
        Ok(())
    }

    fn new_lines(&mut self, directory: &Path, lines: &mut Vec<LogLine>) -> io::Result<Slice> {
        if self.file.is_none() {
            self.open(directory)?;
        }
        if self.read_on(lines)? == Slice::More {
            return Ok(Slice::More);
        }
        // Rotated: the old file has been read to its end, the new one begins.
        let now = std::fs::metadata(directory.join(format!("{}.log", self.kind)));
        if now.is_ok_and(|now| now.ino() != self.inode) {
            self.open(directory)?;
            return self.read_on(lines);
        }
        Ok(Slice::Last)
    }

    fn read_on(&mut self, lines: &mut Vec<LogLine>) -> io::Result<Slice> {
        let Some(file) = self.file.as_mut() else {
            return Ok(Slice::Last);
        };
        let length = file.metadata()?.len();
        if length < self.position {
            // Somebody emptied it.
            self.position = 0;
            self.partial.clear();
        }
        let passed_over = (length - self.position).saturating_sub(MOST_NEW);
        if passed_over > 0 {
            self.position += passed_over;
            self.partial.clear();
        }
        file.seek(SeekFrom::Start(self.position))?;
        let mut new = std::mem::take(&mut self.partial);
        let read = file
            .take((length - self.position).min(SLICE))
            .read_to_end(&mut new)?;
        self.position += read as u64;
        if passed_over > 0 {
            // The rest of a line whose beginning was passed over.
            let rest = new.iter().position(|byte| *byte == b'\n');
            new.drain(..rest.map_or(new.len(), |at| at + 1));
            lines.push(LogLine {
                at: self.last_at,
                service: self.kind,
                level: LogLevel::Warn,
                text: format!(
                    "{} KiB of this log came too fast to be followed; they are in {}.log",
                    passed_over >> 10,
                    self.kind
                ),
            });
        }
        let end = new
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        for text in new[..end].split(|byte| *byte == b'\n') {
            if let Some(line) = read_line(self.kind, text, &mut self.last_at) {
                if line.level == LogLevel::Error {
                    self.last_error = Some(shown(&line.text));
                }
                lines.push(line);
            }
        }
        self.partial = new.split_off(end);
        if self.partial.len() > LONGEST_LINE {
            self.partial.clear();
        }
        Ok(if read > 0 && self.position < length {
            Slice::More
        } else {
            Slice::Last
        })
    }
}

/// One line of a file. What is not in our form takes the time of the line before it: a sentence of a program that
/// failed before it could log is an error, the rest a warning.
fn read_line(kind: ServiceKind, text: &[u8], last_at: &mut Timestamp) -> Option<LogLine> {
    let text = String::from_utf8_lossy(&text[..text.len().min(LONGEST_LINE)]);
    let text = text.trim_end();
    if text.is_empty() {
        return None;
    }
    let (at, level, text) = match telemetry::parse(text) {
        Some((at, level, text)) => (at, level, text.to_owned()),
        None => {
            let failed = text
                .strip_prefix("tana: ")
                .or_else(|| text.strip_prefix("error: "));
            let level = if failed.is_some() {
                LogLevel::Error
            } else {
                LogLevel::Warn
            };
            let shown = failed
                .unwrap_or(text)
                .chars()
                .filter(|c| !c.is_control())
                .collect();
            (*last_at, level, shown)
        }
    };
    *last_at = at;
    Some(LogLine {
        at,
        service: kind,
        level,
        text,
    })
}

fn history(directory: &Path, kind: ServiceKind, wanted: &Wanted) -> Vec<LogLine> {
    history_before(directory, kind, wanted, None)
}

/// The last wanted lines of a log and its rotated files, oldest first; of the file with this inode only what lies before
/// this position.
fn history_before(
    directory: &Path,
    kind: ServiceKind,
    wanted: &Wanted,
    until: Option<(u64, u64)>,
) -> Vec<LogLine> {
    let path = directory.join(format!("{kind}.log"));
    let newest_first = std::iter::once(path.clone())
        .chain((1..=telemetry::KEEP).map(|n| telemetry::numbered(&path, n)));
    let mut found: Vec<LogLine> = Vec::new();
    'files: for path in newest_first {
        let missing = wanted.tail.saturating_sub(found.len());
        if missing == 0 {
            break;
        }
        let read = |most| {
            let (text, cut) = read_before(&path, until, most)?;
            let mut at = SystemClock.now();
            let lines: Vec<LogLine> = text
                .split(|byte| *byte == b'\n')
                // Where the beginning was left out, the first line is only a part of one.
                .skip(usize::from(cut))
                .filter_map(|line| read_line(kind, line, &mut at))
                .filter(|line| wanted.matches(line))
                .collect();
            io::Result::Ok((lines, cut))
        };
        // Most questions are for few lines: a small part of the file mostly has them.
        let mut most = SMALL_PART;
        let lines = loop {
            match read(most) {
                Ok((lines, cut)) if lines.len() >= missing || !cut => break lines,
                Ok((lines, _)) if most >= 2 * telemetry::ROTATE_BYTES => break lines,
                Ok(_) => most = (4 * most).min(2 * telemetry::ROTATE_BYTES),
                Err(_) => break 'files,
            }
        };
        found.splice(0..0, lines);
    }
    let surplus = found.len().saturating_sub(wanted.tail);
    found.drain(..surplus);
    found
}

/// The file's last `most` bytes, and whether something before them was left out.
fn read_before(path: &Path, until: Option<(u64, u64)>, most: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let length = match until {
        Some((inode, position)) if metadata.ino() == inode => position.min(metadata.len()),
        _ => metadata.len(),
    };
    let begin = length.saturating_sub(most);
    file.seek(SeekFrom::Start(begin))?;
    let mut text = Vec::new();
    file.take(length - begin).read_to_end(&mut text)?;
    Ok((text, begin > 0))
}

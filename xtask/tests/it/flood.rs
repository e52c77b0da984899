//! A service's log that grows by so many lines a second, written and rotated in the way the services do it themselves.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tana_protocol::Timestamp;

/// When a service begins a new file, and how many old ones it keeps.
const ROTATE_BYTES: u64 = 10 << 20;
const KEEP: u32 = 5;
/// Between two writes.
const STEP: Duration = Duration::from_millis(10);

/// Lines that come until it is stopped or dropped.
pub(crate) struct Flood {
    written: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    pub(crate) fn start(log: &Path, per_second: u64) -> Self {
        let (written, stop) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let thread = {
            let (written, stop) = (Arc::clone(&written), Arc::clone(&stop));
            let mut file = Log::open(log);
            std::thread::spawn(move || {
                let start = Instant::now();
                while !stop.load(Ordering::Relaxed) {
                    let so_far = written.load(Ordering::Relaxed);
                    let due =
                        u64::try_from(start.elapsed().as_millis()).unwrap() * per_second / 1000;
                    file.write(so_far, due);
                    written.store(due.max(so_far), Ordering::Relaxed);
                    std::thread::park_timeout(STEP);
                }
            })
        };
        Self {
            written,
            stop,
            thread: Some(thread),
        }
    }

    /// Ends it; how many lines there were.
    pub(crate) fn stop(&mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            thread.join().unwrap();
        }
        self.written()
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Writes so many lines at once.
pub(crate) fn lines(log: &Path, count: u64) {
    Log::open(log).write(0, count);
}

struct Log {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Log {
    fn open(path: &Path) -> Self {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        let length = file.metadata().unwrap().len();
        Self {
            path: path.to_owned(),
            file,
            length,
        }
    }

    fn write(&mut self, from: u64, to: u64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = Timestamp::from_ms(u64::try_from(now.as_millis()).unwrap());
        let mut text = Vec::new();
        for n in from..to {
            let height = n / 18;
            writeln!(
                text,
                "{now} INFO line {n}: GET /blocks/{height}/receipts answered 200 in 3 ms bytes=1832"
            )
            .unwrap();
        }
        self.file.write_all(&text).unwrap();
        self.length += text.len() as u64;
        if self.length > ROTATE_BYTES {
            let numbered = |n: u32| PathBuf::from(format!("{}.{n}", self.path.display()));
            for n in (1..KEEP).rev() {
                // Fewer files than are kept at most.
                let _none_yet = fs::rename(numbered(n), numbered(n + 1));
            }
            fs::rename(&self.path, numbered(1)).unwrap();
            *self = Self::open(&self.path);
        }
    }
}

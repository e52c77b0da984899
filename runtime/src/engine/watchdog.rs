//! Ends executions that use too much time, from a thread of its own.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use deno_core::v8;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};

/// What a process exits with that took too much memory.
pub const OUT_OF_MEMORY: i32 = 12;

/// How often the clock is read.
const TICK: Duration = Duration::from_millis(5);

/// The processor time of one thread, readable from others.
#[derive(Clone, Copy)]
pub(super) struct ThreadClock(ClockId);

impl ThreadClock {
    /// The clock of the calling thread.
    pub(super) fn here() -> Self {
        // How Linux numbers the processor clock of a thread: see `CPUCLOCK_PERTHREAD` in its posix-timers.
        Self(ClockId::from_raw(
            (!nix::unistd::gettid().as_raw() << 3) | 6,
        ))
    }

    pub(super) fn read(self) -> Duration {
        clock_gettime(self.0).map_or(Duration::ZERO, |time: TimeSpec| time.into())
    }
}

struct Watched {
    handle: v8::IsolateHandle,
    clock: ThreadClock,
    cpu_until: Duration,
    wall_until: Instant,
    fired: Arc<AtomicBool>,
    done: Arc<AtomicBool>,
}

/// Watches one execution until it is dropped.
pub(super) struct Watch {
    fired: Arc<AtomicBool>,
    done: Arc<AtomicBool>,
}

impl Watch {
    pub(super) fn start(handle: v8::IsolateHandle, cpu: Duration, wall: Duration) -> Self {
        static WATCHDOG: LazyLock<Option<Sender<Watched>>> = LazyLock::new(spawn);
        let clock = ThreadClock::here();
        let watch = Self {
            fired: Arc::default(),
            done: Arc::default(),
        };
        let watched = Watched {
            handle,
            clock,
            cpu_until: clock.read() + cpu,
            wall_until: Instant::now() + wall,
            fired: Arc::clone(&watch.fired),
            done: Arc::clone(&watch.done),
        };
        if let Some(watchdog) = &*WATCHDOG {
            // It ends only with the process.
            let _ = watchdog.send(watched);
        }
        watch
    }

    /// Whether it ended the execution.
    pub(super) fn fired(&self) -> bool {
        self.fired.load(Ordering::SeqCst)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
    }
}

/// Pages of memory that the process has, readable where no file can be opened any more.
static STATM: LazyLock<Option<File>> = LazyLock::new(|| File::open("/proc/self/statm").ok());

/// More than any limit on a heap lets a contract have; the process ends itself and its host starts another.
const MAX_RESIDENT_BYTES: u64 = 1 << 30;

/// Opens what the watchdog reads; before the process is shut in.
pub(super) fn prepare() {
    LazyLock::force(&STATM);
}

fn resident_bytes() -> Option<u64> {
    let mut text = [0; 128];
    let length = STATM.as_ref()?.read_at(&mut text, 0).ok()?;
    let text = std::str::from_utf8(&text[..length]).ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

#[allow(
    clippy::disallowed_methods,
    reason = "another thread is stuck in the engine"
)]
fn spawn() -> Option<Sender<Watched>> {
    let (sender, receiver) = channel::<Watched>();
    std::thread::Builder::new()
        .name("watchdog".into())
        .spawn(move || {
            let mut watched: Vec<Watched> = Vec::new();
            loop {
                // Sleeps without a timer while nothing runs.
                let next = if watched.is_empty() {
                    receiver
                        .recv()
                        .map_err(|_| std::sync::mpsc::RecvTimeoutError::Disconnected)
                } else {
                    receiver.recv_timeout(TICK)
                };
                match next {
                    Ok(one) => watched.push(one),
                    Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
                    Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
                }
                if !watched.is_empty()
                    && resident_bytes().is_some_and(|bytes| bytes > MAX_RESIDENT_BYTES)
                {
                    // Some built-in function allocates and looks at no signal.
                    std::process::exit(OUT_OF_MEMORY);
                }
                watched.retain(|one| {
                    if one.done.load(Ordering::SeqCst) {
                        return false;
                    }
                    if one.clock.read() > one.cpu_until || Instant::now() > one.wall_until {
                        one.fired.store(true, Ordering::SeqCst);
                        // Again at each tick: a termination can be lost where the script was not running.
                        one.handle.terminate_execution();
                    }
                    true
                });
            }
        })
        .ok()
        .map(|_| sender)
}

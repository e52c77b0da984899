//! Ends an execution that uses too much time, from a thread of its own.

use std::future::{Future, poll_fn};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use deno_core::futures::task::AtomicWaker;
use deno_core::v8;
use nix::sys::resource::{UsageWho, getrusage};
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

/// More than any limit on a heap lets a contract have; the process ends itself and its host starts another.
const MAX_RESIDENT_BYTES: u64 = 1 << 30;

/// What the thread needs: every execution starts one.
const STACK_BYTES: usize = 64 << 10;

/// Watches one execution until it is dropped.
pub(super) struct Watch(Arc<Shared>);

#[derive(Default)]
struct Shared {
    fired: AtomicBool,
    done: AtomicBool,
    waiting: AtomicWaker,
}

impl Watch {
    /// Watches what this thread does from now on.
    ///
    /// # Errors
    /// Where the system has no thread left: nothing may run unwatched.
    #[allow(unsafe_code, reason = "another thread is stuck in the engine")]
    pub(super) fn start(
        handle: v8::IsolateHandle,
        cpu: Duration,
        wall: Duration,
    ) -> io::Result<Self> {
        let clock = ThreadClock::here();
        let cpu_until = clock.read() + cpu;
        let wall_until = Instant::now() + wall;
        let shared = Arc::<Shared>::default();
        let seen = Arc::clone(&shared);
        std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn(move || {
                loop {
                    std::thread::park_timeout(TICK);
                    if seen.done.load(Ordering::SeqCst) {
                        return;
                    }
                    if most_resident_bytes() > MAX_RESIDENT_BYTES {
                        // Some built-in function allocates and looks at no signal.
                        // SAFETY: always sound; nothing of the engine is taken down while it runs.
                        unsafe { libc::_exit(OUT_OF_MEMORY) };
                    }
                    if clock.read() > cpu_until || Instant::now() > wall_until {
                        seen.fired.store(true, Ordering::SeqCst);
                        seen.waiting.wake();
                        // Again at each tick: a termination can be lost where the script was not running.
                        handle.terminate_execution();
                    }
                }
            })
            .map(|_| Self(shared))
    }

    /// Whether it ended the execution.
    pub(super) fn fired(&self) -> bool {
        self.0.fired.load(Ordering::SeqCst)
    }

    /// Waits until it does.
    pub(super) fn expired(&self) -> impl Future<Output = ()> + '_ {
        poll_fn(|context| {
            self.0.waiting.register(context.waker());
            if self.fired() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.done.store(true, Ordering::SeqCst);
    }
}

/// The most memory that this process ever had. Read by a system call: no file can be opened any more.
#[must_use]
pub fn most_resident_bytes() -> u64 {
    let kibibytes = getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.max_rss());
    u64::try_from(kibibytes).unwrap_or(0) << 10
}

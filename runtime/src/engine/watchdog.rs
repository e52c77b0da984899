//! Ends an execution that uses too much time: from a thread of its own, or, where the process has been forked for the
//! execution, from the handler of a signal that the kernel sends it again and again. A thread costs as much as some
//! executions do.

use std::future::{Future, poll_fn};
use std::io;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use deno_core::futures::task::AtomicWaker;
use deno_core::v8;
use nix::errno::Errno;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
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

/// Who watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watcher {
    /// A thread that is started for it.
    Thread,
    /// The kernel, by [`TIME`]. For a process without other threads, after [`listen`], where whoever waits for
    /// something looks again after a signal.
    Signal,
}

/// What the kernel sends at each tick.
const TIME: Signal = Signal::SIGALRM;

/// Watches one execution until it is dropped.
pub(super) struct Watch {
    watched: Arc<Watched>,
    watcher: Watcher,
}

struct Watched {
    handle: v8::IsolateHandle,
    clock: ThreadClock,
    cpu_until: Duration,
    wall_until: Instant,
    fired: AtomicBool,
    done: AtomicBool,
    waiting: AtomicWaker,
}

impl Watched {
    /// Ends the execution where its time is over; whether it is. Allocates nothing and waits for nothing that an
    /// execution has for longer than some instructions: it is called from within it. Should it ever wait for what the
    /// execution holds, the host ends both, with the same error.
    #[allow(unsafe_code, reason = "the engine may be stuck where nothing unwinds")]
    fn look(&self) -> bool {
        if most_resident_bytes() > MAX_RESIDENT_BYTES {
            // Some built-in function allocates and looks at no signal.
            // SAFETY: always sound; nothing of the engine is taken down while it runs.
            unsafe { libc::_exit(OUT_OF_MEMORY) };
        }
        let is_over = self.clock.read() > self.cpu_until || Instant::now() > self.wall_until;
        if is_over {
            self.fired.store(true, Ordering::SeqCst);
            // Again at each tick: a termination can be lost where the script was not running.
            self.handle.terminate_execution();
        }
        is_over
    }
}

impl Watch {
    /// Watches what this thread does from now on.
    ///
    /// # Errors
    /// Where the system has no thread or timer left: nothing may run unwatched.
    pub(super) fn start(
        watcher: Watcher,
        handle: v8::IsolateHandle,
        cpu: Duration,
        wall: Duration,
    ) -> io::Result<Self> {
        let clock = ThreadClock::here();
        let watched = Arc::new(Watched {
            handle,
            clock,
            cpu_until: clock.read() + cpu,
            wall_until: Instant::now() + wall,
            fired: AtomicBool::new(false),
            done: AtomicBool::new(false),
            waiting: AtomicWaker::new(),
        });
        // Whatever fails from here on, its end takes away what the signal finds.
        let watch = Self { watched, watcher };
        match watcher {
            Watcher::Thread => {
                let seen = Arc::clone(&watch.watched);
                std::thread::Builder::new()
                    .stack_size(STACK_BYTES)
                    .spawn(move || {
                        loop {
                            std::thread::park_timeout(TICK);
                            if seen.done.load(Ordering::SeqCst) {
                                return;
                            }
                            if seen.look() {
                                seen.waiting.wake();
                            }
                        }
                    })?;
            }
            Watcher::Signal => {
                WATCHED.store(Arc::as_ptr(&watch.watched).cast_mut(), Ordering::SeqCst);
                ring_every(TICK)?;
            }
        }
        Ok(watch)
    }

    /// Whether it ended the execution.
    pub(super) fn fired(&self) -> bool {
        self.watched.fired.load(Ordering::SeqCst)
    }

    /// Waits until it does.
    pub(super) fn expired(&self) -> impl Future<Output = ()> + '_ {
        poll_fn(|context| {
            self.watched.waiting.register(context.waker());
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
        self.watched.done.store(true, Ordering::SeqCst);
        if self.watcher == Watcher::Signal {
            // A timer that goes on finds nobody.
            WATCHED.store(null_mut(), Ordering::SeqCst);
            let _ = ring_every(Duration::ZERO);
        }
    }
}

/// What [`TIME`] finds: it belongs to the [`Watch`] of this process, which takes it away before it ends.
static WATCHED: AtomicPtr<Watched> = AtomicPtr::new(null_mut());

/// Has [`Watcher::Signal`] work in this process, and in those that are forked from it.
///
/// # Errors
/// Where the kernel refuses.
#[allow(unsafe_code, reason = "the library has no other way")]
pub(super) fn listen() -> io::Result<()> {
    let action = SigAction::new(
        SigHandler::Handler(on_time),
        SaFlags::SA_RESTART,
        SigSet::empty(),
    );
    // SAFETY: see `Watched::look` for what the handler does.
    unsafe { sigaction(TIME, &action) }?;
    Ok(())
}

extern "C" fn on_time(_: libc::c_int) {
    let errno = Errno::last_raw();
    // SAFETY: what is there lives until it is taken away, by this very thread.
    #[allow(unsafe_code, reason = "a handler is given nothing")]
    if let Some(watched) = unsafe { WATCHED.load(Ordering::SeqCst).as_ref() } {
        watched.look();
    }
    Errno::set_raw(errno);
}

/// Has [`TIME`] come again and again; never where the time between is none.
#[allow(unsafe_code, reason = "the library has no other way")]
fn ring_every(time: Duration) -> io::Result<()> {
    let time = libc::timeval {
        tv_sec: 0,
        tv_usec: time.subsec_micros().into(),
    };
    let timer = libc::itimerval {
        it_interval: time,
        it_value: time,
    };
    // SAFETY: reads the one and writes nothing.
    Errno::result(unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, null_mut()) })?;
    Ok(())
}

/// The most memory that this process ever had. Read by a system call: no file can be opened any more.
#[must_use]
pub fn most_resident_bytes() -> u64 {
    let kibibytes = getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.max_rss());
    u64::try_from(kibibytes).unwrap_or(0) << 10
}

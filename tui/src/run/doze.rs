//! How often an unattended console looks up. At the keyboard every message is taken as it comes; some seconds after the last key
//! what has come is gathered for a part of a second, so that a busy node costs a few wake-ups a second and not one for each of
//! its lines, blocks and readings. What comes after a silence is taken at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// After this long without a key nobody is taken to sit there.
const ATTENDED: Duration = Duration::from_secs(5);
/// How long news are gathered at most.
const LONGEST: Duration = Duration::from_millis(400);
/// Shorter than this is not worth a rest.
const SHORTEST: Duration = Duration::from_millis(5);
/// Log lines that may come while it rests: far fewer than what a socket holds, which must not fill up.
const LINES: usize = 500;

/// When to rest, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doze {
    /// When somebody last pressed a key.
    stirred: Instant,
    rest: Duration,
}

impl Doze {
    /// At the start somebody is there.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            stirred: now,
            rest: LONGEST,
        }
    }

    /// Somebody pressed a key.
    pub(super) fn stirred(&mut self, now: Instant) {
        self.stirred = now;
    }

    /// Whether somebody is taken to look on.
    pub(super) fn attended(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.stirred) < ATTENDED
    }

    /// How long to rest now, after so many log lines came since the last rest. The more they are the shorter it is: none may be
    /// lost for it.
    pub(super) fn rest(&mut self, now: Instant, lines: usize) -> Option<Duration> {
        if self.attended(now) {
            return None;
        }
        let lines = u32::try_from(lines).unwrap_or(u32::MAX).max(1);
        let most = u32::try_from(LINES).unwrap_or(u32::MAX);
        // Never below what can grow again.
        let fitting = self.rest.max(SHORTEST) * most / lines;
        self.rest = fitting.min(self.rest.max(SHORTEST) * 2).min(LONGEST);
        (self.rest >= SHORTEST).then_some(self.rest)
    }
}

/// Ends a rest from another thread. Clones stir the same sleeper.
#[derive(Clone, Default)]
pub(super) struct Alarm(Arc<Inner>);

#[derive(Default)]
struct Inner {
    rung: AtomicBool,
    sleeper: Mutex<Option<Thread>>,
}

impl Alarm {
    /// Wakes who rests, or keeps them from the next rest.
    pub(super) fn ring(&self) {
        self.0.rung.store(true, Ordering::SeqCst);
        let sleeper = self
            .0
            .sleeper
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(sleeper) = &*sleeper {
            sleeper.unpark();
        }
    }

    /// Holds this thread for so long, or until it rings; not at all where it rang since the last time.
    pub(super) fn rest(&self, time: Duration) {
        *self
            .0
            .sleeper
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(thread::current());
        let until = Instant::now() + time;
        while !self.0.rung.swap(false, Ordering::SeqCst) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::park_timeout(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_rests_while_somebody_is_at_the_keyboard() {
        let start = Instant::now();
        let mut doze = Doze::new(start);
        assert_eq!(doze.rest(start + ATTENDED / 2, 0), None);
        let later = start + ATTENDED;
        assert_eq!(doze.rest(later, 0), Some(LONGEST));
        doze.stirred(later);
        assert_eq!(doze.rest(later, 0), None);
        assert!(doze.attended(later));
    }

    #[test]
    fn a_flood_is_not_kept_waiting_and_a_trickle_is() {
        // Lines a millisecond, and how long it rests in the end.
        for (per_ms, least, most) in [(0, 400, 400), (1, 400, 400), (10, 30, 60), (100, 0, 10)] {
            let now = Instant::now() + ATTENDED;
            let mut doze = Doze::new(now.checked_sub(ATTENDED).expect("a moment before"));
            let mut rest = Duration::ZERO;
            for _ in 0..50 {
                // A round takes some milliseconds beside the rest.
                let took = usize::try_from(rest.as_millis()).expect("short") + 1;
                rest = doze.rest(now, per_ms * took).unwrap_or(Duration::ZERO);
            }
            let ms = rest.as_millis();
            assert!((least..=most).contains(&ms), "{per_ms} a ms: {ms} ms");
        }
    }

    #[test]
    fn a_key_ends_a_rest_and_one_before_it_prevents_it() {
        let alarm = Alarm::default();
        alarm.ring();
        let begun = Instant::now();
        alarm.rest(Duration::from_secs(60));
        let ringing = alarm.clone();
        let thread = thread::spawn(move || {
            thread::park_timeout(Duration::from_millis(20));
            ringing.ring();
        });
        alarm.rest(Duration::from_secs(60));
        thread.join().expect("it rang");
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}

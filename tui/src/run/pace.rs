//! When the next frame may be drawn: twenty a second at most in the long run. What a key changed is drawn at once, so that keys
//! are answered while a flood of news keeps the screen moving. The rate follows attention: what merely counts on is drawn about
//! once a second where nobody is at the keyboard, while what asks for a decision or turns for the worse never waits for that.

use std::time::{Duration, Instant};

/// Between two frames in the long run.
const FRAME: Duration = Duration::from_millis(50);
/// So much earlier a frame may come after some that did not: four in a row at once.
const AHEAD: Duration = Duration::from_millis(150);
/// Between two frames that only news ask for. More than [`FRAME`], which leaves room for what keys ask for.
const NEWS: Duration = Duration::from_millis(80);
/// Frames that only news ask for write no more than this: a screen of log lines that nobody can read that fast is not worth
/// more of a connection.
const BYTES_PER_SECOND: usize = 16 << 10;
/// But a screen that moves is never older than this.
const OLDEST: Duration = Duration::from_millis(250);

/// The same for what counts on while nobody is at the keyboard.
const UNATTENDED: Duration = Duration::from_secs(1);
const UNATTENDED_BYTES_PER_SECOND: usize = 1 << 10;
const UNATTENDED_OLDEST: Duration = Duration::from_millis(2500);

/// Who asks for a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// Figures that go on: readings, blocks, lines.
    Tally,
    /// Something else than before.
    News,
    /// A key, a click, a new size.
    Input,
}

/// The frames that were drawn, as far as they matter to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    last: Instant,
    /// Between the last frame and one that only news ask for.
    rest: Duration,
    /// Between the last frame and one that only figures ask for while nobody is at the keyboard.
    calm: Duration,
    /// When the next frame would come if all came evenly.
    even: Instant,
    wanted: Option<Cause>,
}

impl Pace {
    /// After the first frame.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            last: now,
            rest: NEWS,
            calm: UNATTENDED,
            even: now,
            wanted: None,
        }
    }

    /// A frame is wanted.
    pub(super) fn want(&mut self, cause: Cause) {
        self.wanted = self.wanted.max(Some(cause));
    }

    /// How long until it may be drawn; `None` when none is wanted.
    pub(super) fn due_in(&self, now: Instant, attended: bool) -> Option<Duration> {
        let room = self.even.checked_sub(AHEAD).unwrap_or(self.last);
        let due = match self.wanted? {
            Cause::Input => room,
            Cause::Tally if !attended => room.max(self.last + self.calm),
            Cause::Tally | Cause::News => room.max(self.last + self.rest),
        };
        Some(due.saturating_duration_since(now))
    }

    /// The same for a frame that would be missed: none that figures alone ask for.
    pub(super) fn missed_in(&self, now: Instant, attended: bool) -> Option<Duration> {
        (self.wanted? > Cause::Tally).then(|| self.due_in(now, attended))?
    }

    /// A frame of so many bytes was drawn.
    pub(super) fn drew(&mut self, now: Instant, bytes: usize) {
        let worth = |per_second| {
            let ms = bytes.saturating_mul(1000) / per_second;
            Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
        };
        self.last = now;
        self.rest = worth(BYTES_PER_SECOND).clamp(NEWS, OLDEST);
        self.calm = worth(UNATTENDED_BYTES_PER_SECOND).clamp(UNATTENDED, UNATTENDED_OLDEST);
        self.even = self.even.max(now) + FRAME;
        self.wanted = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws whenever it may, for so long; news want a frame all the time, keys every `keys`. How many frames there were, and
    /// the longest wait of a key.
    fn drawn(length: Duration, keys: Duration) -> (u32, Duration) {
        let (start, step) = (Instant::now(), Duration::from_millis(1));
        let mut pace = Pace::new(start);
        let (mut now, mut next_key, mut pressed) = (start, start + keys, None);
        let (mut frames, mut longest) = (0, Duration::ZERO);
        while now < start + length {
            now += step;
            pace.want(Cause::News);
            if now >= next_key {
                pressed.get_or_insert(now);
                next_key = now + keys;
            }
            if pressed.is_some() {
                pace.want(Cause::Input);
            }
            if pace.due_in(now, true) == Some(Duration::ZERO) {
                pace.drew(now, 100);
                frames += 1;
                if let Some(at) = pressed.take() {
                    longest = longest.max(now - at);
                }
            }
        }
        (frames, longest)
    }

    #[test]
    fn in_a_flood_keys_are_answered_at_once_and_frames_stay_few() {
        let (frames, longest) = drawn(Duration::from_secs(60), Duration::from_millis(107));
        assert!(frames <= 60 * 20 + 4, "{frames} frames in a minute");
        assert!(longest <= Duration::from_millis(10), "{longest:?}");
    }

    #[test]
    fn a_key_held_down_is_shown_twenty_times_a_second() {
        let (frames, longest) = drawn(Duration::from_secs(60), Duration::from_millis(30));
        assert!((1150..=1204).contains(&frames), "{frames}");
        assert!(longest <= FRAME, "{longest:?}");
    }

    #[test]
    fn a_frame_of_figures_alone_ends_no_rest_and_one_of_news_does() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        assert_eq!(pace.missed_in(now, false), None);
        pace.want(Cause::Tally);
        assert_eq!(pace.missed_in(now, false), None);
        pace.want(Cause::News);
        assert_eq!(pace.missed_in(now, false), Some(NEWS));
    }

    #[test]
    fn without_cause_there_is_no_frame() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        assert_eq!(pace.due_in(now, true), None);
        pace.want(Cause::News);
        assert_eq!(pace.due_in(now + NEWS, true), Some(Duration::ZERO));
        pace.drew(now + NEWS, 0);
        assert_eq!(pace.due_in(now + NEWS, true), None);
    }

    #[test]
    fn what_costs_much_comes_seldom_but_a_key_does_not_wait_for_it() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        for (bytes, rest) in [
            (100, NEWS),
            (2 << 10, Duration::from_millis(125)),
            (1 << 20, OLDEST),
        ] {
            pace.drew(now, bytes);
            pace.want(Cause::News);
            assert_eq!(pace.due_in(now, true), Some(rest), "{bytes}");
        }
        pace = Pace::new(now);
        pace.drew(now, 1 << 20);
        pace.want(Cause::Input);
        assert_eq!(pace.due_in(now, true), Some(Duration::ZERO));
    }

    #[test]
    fn unattended_figures_come_once_a_second_and_what_matters_at_once() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        for (bytes, rest) in [
            (100, UNATTENDED),
            (1536, Duration::from_millis(1500)),
            (1 << 20, UNATTENDED_OLDEST),
        ] {
            pace.drew(now, bytes);
            pace.want(Cause::Tally);
            assert_eq!(pace.due_in(now, false), Some(rest), "{bytes}");
            assert!(pace.due_in(now, true) <= Some(OLDEST), "{bytes}");
        }
        pace = Pace::new(now);
        pace.want(Cause::Tally);
        pace.want(Cause::News);
        assert_eq!(pace.due_in(now, false), Some(NEWS));
    }
}

//! The retry policy: exponential backoff with full jitter on its upper half.

use std::time::Duration;

use rand::Rng;

/// Delays that double up to a limit. The delay lies between half and the whole of the present step, so that many
/// who wait for the same thing do not come back together.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    tries: u32,
}

impl Backoff {
    /// From `first` doubling up to `most`.
    #[must_use]
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            tries: 0,
        }
    }

    /// How many delays were handed out since the last reset.
    #[must_use]
    pub const fn tries(&self) -> u32 {
        self.tries
    }

    /// The next delay.
    pub fn next_delay(&mut self) -> Duration {
        let step = self
            .first
            .saturating_mul(2_u32.saturating_pow(self.tries.min(30)))
            .min(self.most);
        self.tries = self.tries.saturating_add(1);
        let half = step / 2;
        half + rand::rng().random_range(Duration::ZERO..=(step - half))
    }

    /// Begins again with the first delay.
    pub const fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;
    use std::time::Duration;

    #[test]
    fn delays_double_within_their_bounds() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        for most in [100, 200, 400, 800, 1600, 2000, 2000] {
            let delay = backoff.next_delay();
            let most = Duration::from_millis(most);
            assert!(delay >= most / 2 && delay <= most, "{delay:?} of {most:?}");
        }
        backoff.reset();
        assert!(backoff.next_delay() <= Duration::from_millis(100));
    }
}

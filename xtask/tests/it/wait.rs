//! Waiting for a condition, with a deadline and a reason.

use std::time::{Duration, Instant};

/// Ends a run that hangs; no promise of the product.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Asks again and again until there is an answer; how long that took, and the answer.
///
/// # Panics
/// When there is none within `limit`: then with `what` was waited for and what was last seen.
pub(crate) fn until<T>(
    what: &str,
    limit: Duration,
    mut ask: impl FnMut() -> Result<T, String>,
) -> (T, Duration) {
    let start = Instant::now();
    loop {
        match ask() {
            Ok(answer) => return (answer, start.elapsed()),
            Err(seen) => assert!(
                start.elapsed() < limit,
                "waited {limit:?} for {what}; last seen: {seen}"
            ),
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// [`until`] for a plain condition.
pub(crate) fn until_true(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    until(what, limit, || {
        if holds() {
            Ok(())
        } else {
            Err("not yet".to_owned())
        }
    })
    .1
}

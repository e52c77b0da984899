//! The wall clock, as clients sign with it.

use std::time::{SystemTime, UNIX_EPOCH};

use tana_protocol::Timestamp;

/// This moment; the epoch where the machine's clock stands before it.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

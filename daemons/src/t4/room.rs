//! How much content there is and how much more may come.

use std::sync::atomic::{AtomicU64, Ordering};

use super::error::ContentError;

/// The account of bytes on the disk, unfinished uploads included.
#[derive(Debug)]
pub(super) struct Room {
    quota: Option<u64>,
    used: AtomicU64,
}

impl Room {
    /// With `used` bytes on the disk already.
    pub(super) const fn new(quota: Option<u64>, used: u64) -> Self {
        Self {
            quota,
            used: AtomicU64::new(used),
        }
    }

    pub(super) const fn quota(&self) -> Option<u64> {
        self.quota
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes room for more bytes, all of it or none.
    pub(super) fn take(&self, bytes: u64) -> Result<(), ContentError> {
        let quota = self.quota.unwrap_or(u64::MAX);
        self.used
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|used| *used <= quota)
            })
            .map(|_before| ())
            .map_err(|_| ContentError::Quota(quota))
    }

    /// Gives room back.
    pub(super) fn give(&self, bytes: u64) {
        let _always = self
            .used
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                Some(used.saturating_sub(bytes))
            });
    }
}

#[cfg(test)]
mod tests {
    use super::Room;

    #[test]
    fn the_quota_is_kept_to_the_byte_and_room_comes_back() {
        let room = Room::new(Some(10), 4);
        assert!(room.take(6).is_ok());
        assert!(room.take(1).is_err() && room.take(u64::MAX).is_err());
        room.give(1);
        assert!(room.take(1).is_ok());
        assert_eq!(room.used(), 10);
    }
}

//! How many connections are served at once, by the open files that the process may have. A stream stays open for
//! minutes or days: it has a place of its own, so that streams never keep ordinary requests out. A few places are spare, so
//! that `/health` is answered when all others are taken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Open files for all that is no connection: databases, logs, calls of other services; and for the spare places.
const RESERVED: u64 = 124 + SPARE as u64;
/// Connections that are taken when all places for requests are.
const SPARE: usize = 16;
/// Of those so many may wait for a place for requests.
const WAITING: usize = SPARE / 2;
/// And so long: connections come and go.
const PATIENCE: Duration = Duration::from_secs(1);
/// Where a place for requests came free within this time, the next is waited for: many who come at once wait for each
/// other and are not turned away. Where none did, whoever has them does not give them back.
const TURNOVER: Duration = Duration::from_millis(500);
/// Ordinary connections, where there are files for them.
const REQUESTS: u64 = 900;
/// Streams at most: each costs some memory.
const STREAMS: u64 = 20_000;
/// More open files than this are of no use here.
const FILES: u64 = RESERVED + REQUESTS + STREAMS;

/// Connections at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// On which requests come and are answered; one more is answered 503, unless it asks for the health.
    pub requests: usize,
    /// On which events are streamed; one more is answered 503.
    pub streams: usize,
}

impl Places {
    /// What fits into so many open files: two thirds for requests where there are few.
    #[must_use]
    pub fn within(files: u64) -> Self {
        let all = files.saturating_sub(RESERVED).max(3);
        let requests = (all / 3 * 2).min(REQUESTS);
        let size = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Self {
            requests: size(requests),
            streams: size((all - requests).min(STREAMS)),
        }
    }
}

impl Default for Places {
    fn default() -> Self {
        // Where the limit cannot be read, the usual one.
        Self::within(getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _hard)| soft))
    }
}

/// Raises how many files this process may open, as far as the system's limit allows: the usual 1024 are meant for
/// programs that wait with `select`.
pub(crate) fn raise_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        let wanted = hard.min(FILES);
        if soft < wanted {
            setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)?;
        }
        Ok(())
    });
    if let Err(error) = raised {
        tracing::debug!("the limit of open files stays as it is: {error}");
    }
}

/// The places of one listener. Clones share them.
#[derive(Clone)]
pub(crate) struct Taken {
    size: Places,
    requests: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    spare: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// When a place for requests was last there for the taking.
    moved: Arc<Mutex<Instant>>,
}

impl Taken {
    pub(crate) fn none(size: Places) -> Self {
        Self {
            size,
            requests: Arc::new(Semaphore::new(size.requests)),
            streams: Arc::new(Semaphore::new(size.streams)),
            spare: Arc::new(Semaphore::new(SPARE)),
            waiting: Arc::new(Semaphore::new(WAITING)),
            moved: Arc::new(Mutex::new(Instant::now())),
        }
    }

    fn moved(&self) -> MutexGuard<'_, Instant> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place for requests, or a spare one where there is none.
    pub(crate) async fn take(&self) -> Option<Place> {
        let patient = TURNOVER.saturating_sub(self.moved().elapsed());
        let spare = async {
            tokio::time::sleep(patient).await;
            self.spare.clone().acquire_owned().await
        };
        let (permit, is_spare) = tokio::select! {
            biased;
            permit = self.requests.clone().acquire_owned() => (permit, false),
            permit = spare => (permit, true),
        };
        if !is_spare {
            *self.moved() = Instant::now();
        }
        Some(Place {
            permit: Arc::new(Mutex::new(permit.ok()?)),
            is_spare: Arc::new(AtomicBool::new(is_spare)),
            of: self.clone(),
        })
    }

    /// Waits until all are free again: the last connection has ended.
    pub(crate) async fn all_free(&self) {
        for (places, count) in [
            (&self.requests, self.size.requests),
            (&self.streams, self.size.streams),
            (&self.spare, SPARE),
        ] {
            let all = u32::try_from(count).unwrap_or(u32::MAX);
            let _all_ended = places.acquire_many(all).await;
        }
    }
}

/// The place of one connection. Clones share it; the last to go gives it back.
#[derive(Clone)]
pub(crate) struct Place {
    permit: Arc<Mutex<OwnedSemaphorePermit>>,
    is_spare: Arc<AtomicBool>,
    of: Taken,
}

/// All places are taken.
#[derive(Debug)]
pub(crate) struct NoPlace;

impl Place {
    /// The connection streams from now on: its place for requests is free for another.
    pub(crate) fn streams(&self) -> Result<(), NoPlace> {
        let permit = self.of.streams.clone().try_acquire_owned();
        self.exchange(permit.map_err(|_all_taken| NoPlace)?);
        Ok(())
    }

    /// Whether the connection was taken though all places for requests were.
    pub(crate) fn is_spare(&self) -> bool {
        self.is_spare.load(Ordering::Acquire)
    }

    /// Gets a place for requests where it has a spare one, if one comes free in a moment.
    pub(crate) async fn settle(&self) -> Result<(), NoPlace> {
        if !self.is_spare() {
            return Ok(());
        }
        let waits = self.of.waiting.try_acquire();
        let _waits = waits.map_err(|_too_many_wait| NoPlace)?;
        let permit = tokio::time::timeout(PATIENCE, self.of.requests.clone().acquire_owned());
        let permit = permit.await.map_err(|_none_came_free| NoPlace)?;
        self.exchange(permit.map_err(|_closed| NoPlace)?);
        Ok(())
    }

    fn exchange(&self, permit: OwnedSemaphorePermit) {
        *self.permit.lock().unwrap_or_else(PoisonError::into_inner) = permit;
        self.is_spare.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::Places;

    #[test]
    fn requests_and_streams_share_what_files_there_are() {
        let places = |files| {
            let Places { requests, streams } = Places::within(files);
            (requests, streams)
        };
        assert_eq!(places(1_000_000), (900, 20_000));
        assert_eq!(places(20_000), (900, 18_960));
        assert_eq!(places(1024), (588, 296));
        assert_eq!(places(0), (2, 1));
    }
}

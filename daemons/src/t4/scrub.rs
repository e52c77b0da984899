//! Finds content that has rotted on the disk: reads all of it slowly, again and again, and what a reader came upon;
//! puts it in quarantine and fetches it again from other nodes.

use std::fs;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use sha2::{Digest, Sha256};
use tana_kit::{Clock, Shutdown};
use tana_protocol::api::content::ScrubInfo;
use tana_protocol::{Hash32, Timestamp};
use tokio::sync::Notify;

use super::error::ContentError;
use super::files::{Files, Found, Moved, blocking};
use super::upload;
use crate::content::{ContentPeers, Progress, download};

/// A pass reads no faster than this, so that it is not felt.
const BYTES_PER_SECOND: u32 = 64 << 20;
/// What is read and hashed at once.
const PART: usize = 1 << 20;
/// Contents that are listed at once.
const PAGE: usize = 500;
/// Between two tries to fetch again what no node had.
const AGAIN: Duration = Duration::from_secs(300);
/// Where the last pass is noted.
const NOTE: &str = "scrub.json";

/// The reading of all content against its hashes. Clones share it.
#[derive(Clone)]
pub(super) struct Scrub(Arc<Inner>);

struct Inner {
    files: Files,
    clock: Arc<dyn Clock>,
    interval: Duration,
    info: Mutex<ScrubInfo>,
    wanted: Notify,
    rotten: Notify,
}

impl Scrub {
    pub(super) async fn new(files: Files, clock: Arc<dyn Clock>, interval: Duration) -> Self {
        let note = tokio::fs::read(files.root().join(NOTE)).await;
        // A note that is missing or damaged makes the first pass come sooner, no more.
        let info: Option<ScrubInfo> = note
            .ok()
            .and_then(|note| serde_json::from_slice(&note).ok());
        Self(Arc::new(Inner {
            files,
            clock,
            interval,
            info: Mutex::new(ScrubInfo {
                running: false,
                ..info.unwrap_or_default()
            }),
            wanted: Notify::new(),
            rotten: Notify::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, ScrubInfo> {
        self.0.info.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn info(&self) -> ScrubInfo {
        self.lock().clone()
    }

    /// Begins a pass now, at full speed.
    pub(super) fn begin(&self) {
        self.0.wanted.notify_one();
    }

    /// Puts content in quarantine whose bytes no longer have its hash.
    pub(super) async fn found_rotten(
        &self,
        hash: Hash32,
        found: Found,
    ) -> Result<(), ContentError> {
        let files = self.0.files.clone();
        if blocking(move || files.quarantine(&hash, &found)).await? == Moved::Gone {
            return Ok(());
        }
        tracing::error!(%hash, "content has rotted on the disk; it is in quarantine and is fetched again from other nodes");
        self.0.rotten.notify_one();
        Ok(())
    }

    fn due(&self) -> Option<Duration> {
        if self.0.interval.is_zero() {
            return None;
        }
        let last = self.lock().finished_at.unwrap_or(Timestamp::from_ms(0));
        Some(last.plus(self.0.interval).since(self.0.clock.now()))
    }

    /// Makes passes until the shutdown.
    pub(super) async fn passes(self, shutdown: Shutdown) {
        loop {
            let wait = async {
                match self.due() {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            let speed = tokio::select! {
                () = wait => Speed::Slow,
                () = self.0.wanted.notified() => Speed::Full,
                () = shutdown.begun() => return,
            };
            let ended = tokio::select! {
                ended = self.pass(speed) => ended,
                () = shutdown.begun() => return,
            };
            if let Err(error) = ended {
                self.lock().running = false;
                tracing::warn!("content could not be read through: {error}");
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => {}
                    () = shutdown.begun() => return,
                }
            }
        }
    }

    async fn pass(&self, speed: Speed) -> Result<(), ContentError> {
        let finished_at = self.lock().finished_at;
        *self.lock() = ScrubInfo {
            running: true,
            finished_at,
            ..ScrubInfo::default()
        };
        let mut after = None;
        loop {
            let page = self.0.files.list(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.hash);
            for content in page {
                self.look(content.hash, speed).await?;
            }
        }
        let note = {
            let mut info = self.lock();
            info.running = false;
            info.finished_at = Some(self.0.clock.now());
            info.clone()
        };
        if note.rotten > 0 {
            tracing::warn!("{} of {} contents had rotted", note.rotten, note.checked);
        }
        let path = self.0.files.root().join(NOTE);
        let text = tana_protocol::json::compact(&note);
        blocking(move || {
            let beside = path.with_extension("tmp");
            fs::write(&beside, text)
                .and_then(|()| fs::rename(&beside, &path))
                .map_err(|error| ContentError::disk(path, error))
        })
        .await
    }

    /// Reads one content of a pass.
    async fn look(&self, hash: Hash32, speed: Speed) -> Result<(), ContentError> {
        let found = match self.0.files.read(hash).await {
            Ok(found) => found,
            // Deleted meanwhile.
            Err(ContentError::Missing(_)) => return Ok(()),
            Err(error) => {
                tracing::error!(%hash, "content cannot be opened: {}", whole(&error));
                return Ok(());
            }
        };
        match self.fits(hash, &found, speed).await {
            Ok(true) => self.lock().checked += 1,
            Err(error) if !error.is_rot() => {
                tracing::error!(%hash, "content cannot be read: {}", whole(&error));
            }
            rotten => {
                if let Err(error) = rotten {
                    tracing::error!(%hash, "the disk has lost content: {}", whole(&error));
                }
                {
                    let mut info = self.lock();
                    info.checked += 1;
                    info.rotten += 1;
                }
                self.found_rotten(hash, found).await?;
            }
        }
        Ok(())
    }

    /// Whether content has its hash.
    pub(super) async fn fits(
        &self,
        hash: Hash32,
        found: &Found,
        speed: Speed,
    ) -> Result<bool, ContentError> {
        let path = self.0.files.path(&hash);
        let mut reading = (found.file.clone(), Sha256::new(), vec![0; PART], 0);
        loop {
            let began = Instant::now();
            let path = path.clone();
            let (again, count) = blocking(move || {
                let (file, hasher, buffer, at) = &mut reading;
                let count = file
                    .read_at(buffer, *at)
                    .map_err(|error| ContentError::disk(path, error))?;
                hasher.update(&buffer[..count]);
                *at += count as u64;
                Ok((reading, count))
            })
            .await?;
            reading = again;
            if count == 0 {
                return Ok(Hash32(reading.1.finalize().into()) == hash);
            }
            if speed == Speed::Slow {
                let fair =
                    Duration::from_secs(1).mul_f64(count as f64 / f64::from(BYTES_PER_SECOND));
                tokio::time::sleep(fair.saturating_sub(began.elapsed())).await;
            }
        }
    }

    /// Fetches again what is in quarantine, until the shutdown.
    pub(super) async fn repairs(self, peers: ContentPeers, limit: u64, shutdown: Shutdown) {
        loop {
            let left = tokio::select! {
                left = self.repair(&peers, limit) => left,
                () = shutdown.begun() => return,
            };
            let pause = async {
                if left == 0 {
                    std::future::pending::<()>().await;
                } else {
                    tokio::time::sleep(AGAIN).await;
                }
            };
            tokio::select! {
                () = pause => {}
                () = self.0.rotten.notified() => {}
                () = shutdown.begun() => return,
            }
        }
    }

    /// Answers how many no node had.
    async fn repair(&self, peers: &ContentPeers, limit: u64) -> usize {
        let files = self.0.files.clone();
        let listing = files.clone();
        let wanted = blocking(move || listing.quarantined()).await;
        let mut left = 0;
        for hash in wanted.unwrap_or_default() {
            if !files.has(hash).await.unwrap_or(false)
                && let Err(why) = self.fetch(peers, hash, limit).await
            {
                left += 1;
                tracing::warn!(%hash, "rotten content cannot be fetched again yet: {why}");
                continue;
            }
            files.release(&hash);
        }
        left
    }

    async fn fetch(&self, peers: &ContentPeers, hash: Hash32, limit: u64) -> Result<(), String> {
        let peers = peers.list().await.map_err(|error| error.to_string())?;
        let mut why = "no other node offers content".to_owned();
        // Each alone: after wrong bytes it is known whose they were.
        for peer in peers {
            let node = peer.node.clone();
            let progress = Arc::new(Progress::default());
            let body = Body::from_stream(download(vec![peer], hash, progress.clone()));
            match upload::take(&self.0.files, hash, body, None, limit).await {
                Ok(_) => {
                    let bytes = progress.seen().received;
                    tracing::info!(%hash, from = %node, bytes, "rotten content was fetched again");
                    return Ok(());
                }
                Err(error) => why = format!("{node}: {error}"),
            }
        }
        Err(why)
    }
}

/// An error and what it came of.
fn whole(error: &ContentError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// How fast a pass reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speed {
    /// So that nobody feels it.
    Slow,
    /// As fast as the disk.
    Full,
}

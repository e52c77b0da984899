//! What the chain refers to, what of it is missing, and how the fetching goes. No IO.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tana_kit::Backoff;
use tana_protocol::Hash32;
use tana_protocol::api::content::{MissingContent, SyncStatus};

use crate::content::Progress;

/// Missing contents that are shown at most, and tried in one round.
const SHOWN: usize = 500;

#[derive(Debug, Default)]
pub(super) struct Books(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    /// Blocks were read up to here.
    height: u64,
    /// What the blocks up to here refer to was looked for in the store.
    compared: u64,
    /// What was not looked for yet.
    unchecked: BTreeSet<Hash32>,
    /// The first block that refers to it.
    referenced: HashMap<Hash32, u64>,
    missing: BTreeMap<Hash32, Missing>,
    fetched: u64,
    fetched_bytes: u64,
    collected: u64,
    trouble: Option<String>,
}

#[derive(Debug)]
struct Missing {
    progress: Arc<Progress>,
    backoff: Backoff,
    next: Instant,
    trouble: Option<String>,
}

impl Books {
    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn height(&self) -> u64 {
        self.lock().height
    }

    pub(super) fn read_up_to(&self, height: u64) {
        self.lock().height = height;
    }

    /// Notes a reference. The first to a content has it looked for.
    pub(super) fn refers(&self, height: u64, hash: Hash32) {
        let mut pages = self.lock();
        if pages.referenced.contains_key(&hash) {
            return;
        }
        pages.referenced.insert(hash, height);
        pages.unchecked.insert(hash);
    }

    /// What is to be looked for in the store.
    pub(super) fn unchecked(&self) -> BTreeSet<Hash32> {
        self.lock().unchecked.clone()
    }

    /// Notes that these were looked for, and with them all that blocks up to this height refer to.
    pub(super) fn checked(&self, hashes: &BTreeSet<Hash32>, height: u64) {
        let mut pages = self.lock();
        pages.unchecked.retain(|hash| !hashes.contains(hash));
        pages.compared = pages.compared.max(height);
    }

    pub(super) fn referenced(&self) -> usize {
        self.lock().referenced.len()
    }

    pub(super) fn is_referenced(&self, hash: &Hash32) -> bool {
        self.lock().referenced.contains_key(hash)
    }

    pub(super) fn all(&self) -> BTreeSet<Hash32> {
        self.lock().referenced.keys().copied().collect()
    }

    pub(super) fn is_missing(&self, hash: Hash32) {
        self.lock().missing.entry(hash).or_insert_with(|| Missing {
            progress: Arc::default(),
            backoff: Backoff::new(Duration::from_secs(2), Duration::from_secs(120)),
            next: Instant::now(),
            trouble: None,
        });
    }

    pub(super) fn missing_count(&self) -> usize {
        self.lock().missing.len()
    }

    /// What is to be fetched now, what the oldest blocks refer to first.
    pub(super) fn due(&self) -> Vec<(Hash32, Arc<Progress>)> {
        let mut pages = self.lock();
        let now = Instant::now();
        let mut due: Vec<(u64, Hash32)> = pages
            .missing
            .iter()
            .filter(|(_, missing)| missing.next <= now)
            .map(|(hash, _)| (pages.referenced.get(hash).copied().unwrap_or(0), *hash))
            .collect();
        due.sort_unstable();
        due.truncate(SHOWN);
        due.into_iter()
            .filter_map(|(_, hash)| {
                let missing = pages.missing.get_mut(&hash)?;
                missing.progress = Arc::default();
                Some((hash, missing.progress.clone()))
            })
            .collect()
    }

    /// What came of a try: the bytes that came from elsewhere, or why none did.
    pub(super) fn tried(&self, hash: Hash32, tried: Result<u64, String>) {
        let mut pages = self.lock();
        match tried {
            Ok(bytes) => {
                pages.missing.remove(&hash);
                if bytes > 0 {
                    pages.fetched += 1;
                    pages.fetched_bytes += bytes;
                }
            }
            Err(why) => {
                if let Some(missing) = pages.missing.get_mut(&hash) {
                    missing.next = Instant::now() + missing.backoff.next_delay();
                    missing.trouble = Some(why);
                    missing.progress = Arc::default();
                }
            }
        }
    }

    pub(super) fn collected(&self) {
        self.lock().collected += 1;
    }

    /// Notes why nothing can be compared; the same is logged once.
    pub(super) fn trouble(&self, why: Option<String>) {
        let mut pages = self.lock();
        if pages.trouble != why {
            // A store that is just starting is no trouble while nothing is referred to.
            if let Some(why) = why.as_ref().filter(|_| !pages.referenced.is_empty()) {
                tracing::warn!("content cannot be kept up with the chain: {why}");
            }
            pages.trouble = why;
        }
    }

    pub(super) fn status(&self) -> SyncStatus {
        let pages = self.lock();
        let mut missing: Vec<MissingContent> = pages
            .missing
            .iter()
            .map(|(hash, missing)| {
                let seen = missing.progress.seen();
                MissingContent {
                    hash: *hash,
                    height: pages.referenced.get(hash).copied(),
                    received: seen.received,
                    size: seen.size,
                    source: seen.source,
                    trouble: missing.trouble.clone(),
                }
            })
            .collect();
        // What moves first, then in the order in which it is fetched.
        missing.sort_by_key(|content| (content.source.is_none(), content.height, content.hash));
        missing.truncate(SHOWN);
        SyncStatus {
            height: pages.compared,
            referenced: pages.referenced.len() as u64,
            missing_count: pages.missing.len() as u64,
            missing,
            fetched: pages.fetched,
            fetched_bytes: pages.fetched_bytes,
            collected: pages.collected,
            trouble: pages.trouble.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tana_protocol::Hash32;

    use super::Books;

    #[test]
    fn the_oldest_reference_is_fetched_first_and_a_failure_waits() {
        let books = Books::default();
        let [a, b] = [Hash32::of(b"a"), Hash32::of(b"b")];
        for (height, hash) in [(7, a), (3, b), (9, a)] {
            books.refers(height, hash);
        }
        books.read_up_to(9);
        assert_eq!(books.unchecked(), [a, b].into());
        assert_eq!(
            books.status().height,
            0,
            "nothing is said of what was not looked for"
        );
        books.checked(&[a].into(), 6);
        assert_eq!((books.unchecked(), books.status().height), ([b].into(), 6));
        books.is_missing(a);
        books.is_missing(b);
        let due: Vec<Hash32> = books.due().into_iter().map(|(hash, _)| hash).collect();
        assert_eq!(due, [b, a]);
        books.tried(b, Err("no node has it".into()));
        books.tried(a, Ok(5));
        assert!(books.due().is_empty(), "not at once again");
        let status = books.status();
        assert_eq!((status.missing_count, status.fetched_bytes), (1, 5));
        assert_eq!(status.missing[0].trouble.as_deref(), Some("no node has it"));
        assert_eq!(status.missing[0].height, Some(3));
    }
}

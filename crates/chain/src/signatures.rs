//! Checks many signatures, on as many threads as it is told. Always strictly: a batch equation would accept what the
//! strict single check refuses, and then two nodes would disagree.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tana_protocol::{PublicKey, Signature};

/// One signature to check.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// By whom.
    pub key: PublicKey,
    /// The text that was signed.
    pub message: &'a str,
    /// The signature.
    pub signature: Signature,
}

/// Fewer jobs than this are not worth a thread.
const WORTH: usize = 8;

/// Checks that are under way: whoever has nothing else to do takes a part of them.
#[derive(Debug)]
pub struct Checking<'a> {
    jobs: &'a [Job<'a>],
    next: AtomicUsize,
    fits: Vec<AtomicBool>,
}

impl<'a> Checking<'a> {
    /// Nothing checked yet.
    #[must_use]
    pub fn new(jobs: &'a [Job<'a>]) -> Self {
        Self {
            jobs,
            next: AtomicUsize::new(0),
            fits: jobs.iter().map(|_| AtomicBool::new(false)).collect(),
        }
    }

    /// How many threads are worth starting beside one's own.
    #[must_use]
    pub fn helpers(&self, threads: NonZeroUsize) -> usize {
        if self.jobs.len() < WORTH {
            return 0;
        }
        (threads.get() - 1).min(self.jobs.len() / 2)
    }

    /// Checks until none is left to be begun.
    pub fn work(&self) {
        loop {
            // One by one, so that all end at the same time: of a small block, each takes a good part of the whole.
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            let (Some(job), Some(fits)) = (self.jobs.get(next), self.fits.get(next)) else {
                return;
            };
            let is_right = job.key.verify(job.message, &job.signature).is_ok();
            fits.store(is_right, Ordering::Relaxed);
        }
    }

    /// For each job whether its signature fits: to be asked when all who worked have ended. One whose check was not begun
    /// does not fit.
    #[must_use]
    pub fn into_answers(self) -> Vec<bool> {
        self.fits.into_iter().map(AtomicBool::into_inner).collect()
    }
}

/// For each job whether its signature fits.
#[must_use]
pub fn check(jobs: &[Job<'_>], threads: NonZeroUsize) -> Vec<bool> {
    let checking = Checking::new(jobs);
    std::thread::scope(|scope| {
        for _ in 0..checking.helpers(threads) {
            scope.spawn(|| checking.work());
        }
        checking.work();
    });
    checking.into_answers()
}

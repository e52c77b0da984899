//! Checks many signatures, on as many threads as it is told. Always strictly: a batch equation would accept what the
//! strict single check refuses, and then two nodes would disagree.

use std::num::NonZeroUsize;

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

/// For each job whether its signature fits.
#[must_use]
pub fn check(jobs: &[Job<'_>], threads: NonZeroUsize) -> Vec<bool> {
    let one = |job: &Job<'_>| job.key.verify(job.message, &job.signature).is_ok();
    if threads.get() == 1 || jobs.len() < WORTH {
        return jobs.iter().map(one).collect();
    }
    let size = jobs.len().div_ceil(threads.get());
    let mut answers = Vec::with_capacity(jobs.len());
    std::thread::scope(|scope| {
        let handles: Vec<_> = jobs
            .chunks(size)
            .map(|part| {
                (
                    part.len(),
                    scope.spawn(move || part.iter().map(one).collect::<Vec<_>>()),
                )
            })
            .collect();
        for (count, handle) in handles {
            // A check that panicked has not said yes.
            answers.extend(handle.join().unwrap_or_else(|_| vec![false; count]));
        }
    });
    answers
}

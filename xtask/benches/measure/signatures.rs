//! How many Ed25519 signatures this machine verifies.

use std::time::{Duration, Instant};

use anyhow::Result;
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey, verify_batch};
use tana_protocol::SecretKey;

use crate::{Row, row};

const TIME: Duration = Duration::from_secs(2);
const BATCH: usize = 64;

pub(crate) fn rows() -> Result<Vec<Row>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(vec![
        rate(
            "ed25519 verifications, one by one (strict, as the chain does)",
            1,
            single,
        )?,
        rate(
            "ed25519 verifications, one by one (strict, as the chain does)",
            cores,
            single,
        )?,
        rate(
            "ed25519 verifications, batches of 64 (not strict)",
            cores,
            batch,
        )?,
    ])
}

/// Does what it does until then; how often.
type Work = fn(Instant) -> Result<u64>;

/// Strict checks a second on all cores.
pub(crate) fn all_cores() -> Result<f64> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    #[allow(clippy::cast_precision_loss, reason = "some ten thousands are exact")]
    let done = count(cores, single)? as f64;
    Ok(done / TIME.as_secs_f64())
}

/// Runs `work` on so many threads for a while; each call answers how many verifications it did.
fn rate(what: &str, threads: usize, work: Work) -> Result<Row> {
    let done = count(threads, work)?;
    Ok(row(
        what,
        format!("{}/s", done / TIME.as_secs()),
        &format!("{threads} threads, {} s", TIME.as_secs()),
    ))
}

fn count(threads: usize, work: Work) -> Result<u64> {
    let end = Instant::now() + TIME;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(move || work(end)))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("a check never panics"))
            .sum()
    })
}

fn single(end: Instant) -> Result<u64> {
    let key = SecretKey::generate();
    let message = r#"{"type":"transfer","from":"0193f1d0-5a5a-8c4e-9b1a-3f2e4d5c6b7a","to":"0193f1d0-6b6b-8c4e-8b1a-000102030405","timestamp":1732147200000,"nonce":2,"amount":"12.34","currencyCode":"USD","chainId":"demo"}"#;
    let (public, signature) = (key.public(), key.sign(message));
    let mut done = 0;
    while Instant::now() < end {
        for _ in 0..BATCH {
            public.verify(message, &signature)?;
        }
        done += BATCH as u64;
    }
    Ok(done)
}

fn batch(end: Instant) -> Result<u64> {
    let digests: Vec<[u8; 32]> = (0..=u8::MAX).take(BATCH).map(|n| [n; 32]).collect();
    let keys: Vec<SigningKey> = digests.iter().map(SigningKey::from_bytes).collect();
    let signatures: Vec<Signature> = keys
        .iter()
        .zip(&digests)
        .map(|(key, digest)| key.sign(digest))
        .collect();
    let publics: Vec<VerifyingKey> = keys.iter().map(SigningKey::verifying_key).collect();
    publics[0].verify(&digests[0], &signatures[0])?;
    let messages: Vec<&[u8]> = digests.iter().map(<[u8; 32]>::as_slice).collect();
    let mut done = 0;
    while Instant::now() < end {
        verify_batch(&messages, &signatures, &publics)?;
        done += BATCH as u64;
    }
    Ok(done)
}

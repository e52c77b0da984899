//! What blocks cost: verifying one in memory against the bare checks of its signatures, and committing one to a database
//! with a hundred times the accounts. What a ledger needs of memory over such a database.

use std::num::NonZeroUsize;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use ed25519_dalek::{Signature, VerifyingKey, verify_batch};
use sha2::{Digest as _, Sha256};
use tana_chain::signatures::{self, Job};
use tana_chain::{Contracts, Judged, Prepared, plan, verify};
use tana_store::ledger::LedgerStore;
use tana_store::postgres::PostgresLedger;
use tana_store::sqlite::SqliteLedger;

use crate::accounts::{Chain, Made, Site};
use crate::figures::{Figure, Target, median};
use crate::node::Node;
use crate::process;
use crate::servers::{Postgres, Redis};
use crate::throughput;

/// Transfers of a full block.
const FULL: usize = 1000;
/// Transfers of an average one.
const AVERAGE: usize = 20;
const FEW: usize = 10_000;
const MANY: usize = 1_000_000;
const RUNS: usize = 21;
/// Blocks that are committed to each database.
const COMMITS: usize = 7;
/// Transfers that the ledger takes in before its memory is looked at.
const LOAD: usize = 5000;

fn milliseconds(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64() * 1000.0)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

/// Verifying blocks in memory.
pub(crate) fn verification() -> Result<Vec<Figure>> {
    let node = Node::with_chain();
    let site = Site::of(node.home())?;
    runtime()?.block_on(verified(&site))
}

/// What a million accounts cost.
pub(crate) fn accounts(postgres: &Postgres, redis: &Redis) -> Result<Vec<Figure>> {
    let node = Node::with_chain();
    let site = Site::of(node.home())?;
    let commits = runtime()?.block_on(commit(&site, postgres))?;
    Ok(vec![commits, memory(&node, postgres, redis)?])
}

async fn verified(site: &Site) -> Result<Vec<Figure>> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("chain.db");
    let store = SqliteLedger::open(&file.to_string_lossy()).await?;
    let mut chain = Chain::fill(site, store, FEW).await?;
    let average = chain.transfers(AVERAGE).await?;
    let average_ms = judge(site, &average)?.0;
    chain.keep(average).await?;
    let full = chain.transfers(FULL).await?;
    let (full_ms, checks_ms) = judge(site, &full)?;
    let batch_ms = batch(&full)?;
    println!(
        "{FULL} signatures on all cores: strictly, one by one {checks_ms:.1} ms; by a batch equation, which accepts what \
         a strict check refuses, {batch_ms:.1} ms"
    );
    chain.store.close().await;
    Ok(vec![
        Figure {
            what: "verification of a block of 1000 transfers",
            measured: full_ms,
            unit: "ms",
            against: "ms, its signatures alone, all cores",
            reference: checks_ms,
            target: Target::AtMost(1.5),
        },
        Figure::below(
            "verification of a block of 20 transfers",
            average_ms,
            "ms",
            1.0,
        ),
    ])
}

fn threads() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// All six checks of a block, replay included, and the same strict checks of its signatures alone, in turn: milliseconds.
fn judge(site: &Site, made: &Made) -> Result<(f64, f64)> {
    let prepared: Vec<Prepared> = (made.block.content.transactions.iter().cloned())
        .map(Prepared::new)
        .collect();
    let jobs: Vec<Job<'_>> = prepared
        .iter()
        .map(|prepared| {
            Some(Job {
                key: plan::signer(&prepared.signed.transaction, &made.state)?,
                message: &prepared.message,
                signature: prepared.signed.signature,
            })
        })
        .collect::<Option<_>>()
        .context("a transfer without a sender")?;
    let (mut whole, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        whole.push(milliseconds(|| {
            let judged = Judged {
                spec: &site.spec,
                parent: (&made.parent.header, made.parent.hash),
                block: &made.block,
                state: &made.state,
                nodes: &made.nodes,
                contracts: Contracts::Refused,
                threads: threads(),
            };
            let (found, _) = verify(&judged)?;
            ensure!(found.valid, "the block does not verify: {found:?}");
            Ok(())
        })?);
        alone.push(milliseconds(|| {
            let fits = signatures::check(&jobs, threads());
            ensure!(fits.iter().all(|fits| *fits), "a signature does not fit");
            Ok(())
        })?);
    }
    Ok((median(whole), median(alone)))
}

/// The same signatures by a batch equation, a part on each core: milliseconds.
fn batch(made: &Made) -> Result<f64> {
    let transactions = &made.block.content.transactions;
    let digests: Vec<[u8; 32]> = transactions
        .iter()
        .map(|signed| Sha256::digest(signed.transaction.message()).into())
        .collect();
    let messages: Vec<&[u8]> = digests.iter().map(<[u8; 32]>::as_slice).collect();
    let signatures: Vec<Signature> = transactions
        .iter()
        .map(|signed| Signature::from_bytes(&signed.signature.to_bytes()))
        .collect();
    let keys: Vec<VerifyingKey> = transactions
        .iter()
        .map(|signed| {
            let key = plan::signer(&signed.transaction, &made.state).context("no sender")?;
            Ok(VerifyingKey::from_bytes(&key.to_bytes())?)
        })
        .collect::<Result<_>>()?;
    let size = keys.len().div_ceil(threads().get());
    let once = || {
        milliseconds(|| {
            std::thread::scope(|scope| {
                let parts = messages.chunks(size).zip(signatures.chunks(size));
                let workers: Vec<_> = parts
                    .zip(keys.chunks(size))
                    .map(|((messages, signatures), keys)| {
                        scope.spawn(move || verify_batch(messages, signatures, keys))
                    })
                    .collect();
                for worker in workers {
                    worker.join().expect("a check never panics")?;
                }
                Ok(())
            })
        })
    };
    let times: Vec<f64> = (0..RUNS).map(|_| once()).collect::<Result<_>>()?;
    Ok(median(times))
}

/// Committing full blocks with many accounts and with few, in turn.
async fn commit(site: &Site, postgres: &Postgres) -> Result<Figure> {
    let started = Instant::now();
    let few = PostgresLedger::open(&postgres.database("few")?).await?;
    let mut few = Chain::fill(site, few, FEW).await?;
    let many = PostgresLedger::open(&postgres.database("many")?).await?;
    let mut many = Chain::fill(site, many, MANY).await?;
    println!(
        "{FEW} and {MANY} accounts written in {:.0} s",
        started.elapsed().as_secs_f64()
    );
    let (mut with_few, mut with_many) = (Vec::new(), Vec::new());
    for _ in 0..COMMITS {
        with_few.push(commit_one(&mut few).await?);
        with_many.push(commit_one(&mut many).await?);
    }
    println!("commits: {with_few:.0?} ms with {FEW} accounts, {with_many:.0?} ms with {MANY}");
    few.store.close().await;
    many.store.close().await;
    Ok(Figure {
        what: "commit of a block of 1000 transfers, 1 000 000 accounts",
        measured: median(with_many),
        unit: "ms",
        against: "ms, 10 000 accounts",
        reference: median(with_few),
        target: Target::AtMost(1.5),
    })
}

async fn commit_one<S: LedgerStore>(chain: &mut Chain<'_, S>) -> Result<f64> {
    let made = chain.transfers(FULL).await?;
    let start = Instant::now();
    chain.keep(made).await?;
    Ok(start.elapsed().as_secs_f64() * 1000.0)
}

/// What a ledger over the many accounts needs once it has taken in some thousand transfers.
fn memory(node: &Node, postgres: &Postgres, redis: &Redis) -> Result<Figure> {
    node.set("databaseUrl", postgres.database_url("many"));
    node.set("redisUrl", redis.url());
    node.start();
    let rate = throughput::once(node, LOAD)?;
    println!("over {MANY} accounts: {rate:.0} transfers/s");
    let ledger = node.service("ledger").map_err(anyhow::Error::msg)?;
    let pid = ledger.pid.context("the ledger does not run")?;
    Ok(Figure::below(
        "ledger memory with 1 000 000 accounts, under load",
        process::most_resident_mib(pid),
        "MiB",
        200.0,
    ))
}

//! Submissions through the queue's trait against Redis's own benchmark.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use tana_protocol::{
    SecretKey, SignedTransaction, Timestamp, Transaction, TransactionType, UserId,
};
use tana_store::StoreResult;
use tana_store::queue::TxQueue as _;
use tana_store::redis::RedisQueue;

use crate::figures::{Figure, Target, median};
use crate::load::BATCH;
use crate::servers::Redis;

const RUNS: usize = 3;
const CLIENTS: usize = 4;
const QUEUED: usize = 100_000;

/// Submissions a second through the queue's trait, and what Redis's own benchmark does with the same payload.
pub(crate) fn figure(server: &Redis) -> Result<Figure> {
    let key = SecretKey::generate();
    let transfers: Vec<SignedTransaction> = (0..QUEUED)
        .map(|nonce| -> Result<_> {
            let mut transaction = Transaction::new(
                TransactionType::Transfer,
                UserId::SYSTEM.into(),
                UserId::SYSTEM.into(),
                Timestamp::from_ms(1_800_000_000_000),
                u64::try_from(nonce)?,
            );
            transaction.amount = Some("0.01".parse()?);
            transaction.currency_code = Some("USD".parse()?);
            transaction.chain_id = Some("demo".to_owned());
            // The queue does not look at signatures, and a hundred thousand take a while.
            Ok(SignedTransaction {
                transaction,
                signature: key.sign("x"),
            })
        })
        .collect::<Result<_>>()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let adds = || redis_benchmark(server, &transfers[0]);
    let pushes = || -> Result<f64> {
        runtime.block_on(async {
            let queue = RedisQueue::at(&server.url())?;
            queue.stats().await?;
            let started = Instant::now();
            let mut clients = tokio::task::JoinSet::new();
            for part in transfers.chunks(QUEUED / CLIENTS) {
                let (queue, part) = (queue.clone(), part.to_vec());
                clients.spawn(async move {
                    for batch in part.chunks(BATCH) {
                        queue.push(batch, Timestamp::default()).await?;
                    }
                    Ok(())
                });
            }
            let ended: StoreResult<()> = clients.join_all().await.into_iter().collect();
            ended?;
            #[allow(clippy::cast_precision_loss, reason = "a hundred thousand is exact")]
            let rate = QUEUED as f64 / started.elapsed().as_secs_f64();
            Ok(rate)
        })
    };
    let flush = || -> Result<()> {
        let port = server.port.to_string();
        let done = Command::new("redis-cli")
            .args(["-p", &port, "FLUSHALL"])
            .stdout(Stdio::null())
            .status()?;
        ensure!(done.success(), "redis-cli failed");
        Ok(())
    };
    // In turn, so that what else this machine does meets both.
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        flush()?;
        theirs.push(adds()?);
        flush()?;
        ours.push(pushes()?);
    }
    println!("queue: {ours:.0?} pushes/s, {theirs:.0?} XADD/s");
    Ok(Figure {
        what: "queue submissions through the trait",
        measured: median(ours),
        unit: "/s",
        against: "redis-benchmark XADD/s",
        reference: median(theirs),
        target: Target::AtLeast(0.7),
    })
}

fn redis_benchmark(server: &Redis, signed: &SignedTransaction) -> Result<f64> {
    let mut command = Command::new("redis-benchmark");
    command.args(["-p", &server.port.to_string(), "-c", &CLIENTS.to_string()]);
    command.args(["-P", &BATCH.to_string(), "-n", &QUEUED.to_string(), "--csv"]);
    command.args(["XADD", "bench", "*", "id", &signed.id().to_string()]);
    let json = serde_json::to_value(signed)?;
    for (name, value) in json.as_object().context("a transaction is an object")? {
        command.arg(name).arg(
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned),
        );
    }
    let output = command.output().context("running redis-benchmark")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate = said
        .lines()
        .last()
        .and_then(|line| line.split("\",\"").nth(1));
    let rate = rate.with_context(|| format!("redis-benchmark said {said:?}"))?;
    Ok(rate.trim_matches('"').parse()?)
}

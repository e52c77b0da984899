//! `cargo xtask bench chain`, end to end: transfers over HTTP against PostgreSQL's own benchmark and against raw signature
//! checks, the queue against Redis's own benchmark, and how long one transfer takes at half of the load.
//!
//! Everything runs on this machine, the load too; what is sent is signed beforehand.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tana_protocol::{
    SecretKey, SignedTransaction, Timestamp, Transaction, TransactionType, UserId,
};
use tana_store::queue::TxQueue as _;
use tana_store::redis::RedisQueue;

use crate::figures::{Figure, Target, median};
use crate::load::{self, BATCH, Load};
use crate::node::Node;
use crate::servers::{Postgres, Redis};
use crate::signatures;
use crate::wait::until;

const ACCOUNTS: usize = 200;
const TRANSFERS: usize = 10_000;
const RUNS: usize = 3;
/// Connections that submit side by side.
const CLIENTS: usize = 4;
const LIMIT: Duration = Duration::from_secs(300);
const QUEUED: usize = 100_000;

pub(crate) fn figures() -> Vec<Figure> {
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let bench = pgbench(&postgres);
    let checks = signatures::all_cores();
    println!("pgbench {bench:.0} tps, {checks:.0} signature checks/s on all cores");
    let mut figures = Vec::new();

    let node = Node::with_chain();
    node.set("databaseUrl", postgres.url());
    node.set("redisUrl", redis.url());
    node.start();
    let (production, latency) = measure(&node, "PostgreSQL + Redis");
    drop(node);
    let node = Node::running();
    let (embedded, embedded_latency) = measure(&node, "embedded");
    drop(node);

    for (what, rate) in [
        ("transfers, HTTP to block, PostgreSQL + Redis", production),
        ("transfers, HTTP to block, embedded", embedded),
    ] {
        figures.push(Figure {
            what,
            measured: rate,
            unit: "/s",
            against: "pgbench tps, 8 clients",
            reference: bench,
            target: Target::AtLeast(5.0),
        });
        figures.push(Figure {
            what,
            measured: rate,
            unit: "/s",
            against: "Ed25519 checks/s, all cores",
            reference: checks,
            target: Target::AtLeast(0.2),
        });
    }
    let (pushes, adds) = queue(&redis);
    figures.push(Figure {
        what: "queue submissions through the trait",
        measured: pushes,
        unit: "/s",
        against: "redis-benchmark XADD/s",
        reference: adds,
        target: Target::AtLeast(0.7),
    });
    for (what, latency) in [
        (
            "p99 submission to receipt, half load, PostgreSQL + Redis",
            latency,
        ),
        (
            "p99 submission to receipt, half load, embedded",
            embedded_latency,
        ),
    ] {
        figures.push(Figure {
            what,
            measured: latency * 1000.0,
            unit: "ms",
            against: "ms",
            reference: 500.0,
            target: Target::AtMost(1.0),
        });
    }
    figures
}

/// Transactions a second of the built-in TPC-B-like benchmark with 8 clients.
fn pgbench(server: &Postgres) -> f64 {
    let port = server.port.to_string();
    let run = |args: &[&str]| {
        let mut command = server.program("pgbench");
        command
            .args(["-h", "127.0.0.1", "-p", &port, "-U", "tana"])
            .args(args);
        let output = command
            .arg("postgres")
            .output()
            .expect("pgbench is installed");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    run(&["-i", "-s", "10", "-q"]);
    let tps = || {
        let said = run(&["-c", "8", "-j", "2", "-T", "6"]);
        let line = said
            .lines()
            .find_map(|line| line.strip_prefix("tps = "))
            .expect("its tps");
        line.split(' ')
            .next()
            .and_then(|tps| tps.parse().ok())
            .expect("a number")
    };
    median((0..RUNS).map(|_| tps()).collect())
}

/// Transfers a second from the first submission until the last is in a block, and the p99 at half of that, in seconds.
fn measure(node: &Node, name: &str) -> (f64, f64) {
    let mut load = Load::prepare(node.home(), node.port("ledger"), ACCOUNTS);
    throughput(&mut load, TRANSFERS / 5);
    let rates: Vec<f64> = (0..RUNS)
        .map(|_| throughput(&mut load, TRANSFERS))
        .collect();
    println!("{name}: {rates:.0?} transfers/s");
    let rate = median(rates);
    let latency = latency(&mut load, rate / 2.0);
    (rate, latency)
}

/// Signed transfers of all accounts in turn, in requests.
fn signed(load: &mut Load, count: usize, at_once: usize) -> Vec<Vec<(String, String)>> {
    let all: Vec<_> = (0..count)
        .map(|n| load.transfer(1 + n % ACCOUNTS))
        .collect();
    all.chunks(at_once).map(<[_]>::to_vec).collect()
}

fn throughput(load: &mut Load, count: usize) -> f64 {
    // A sender's nonces must arrive in order: each client has senders of its own.
    let per = ACCOUNTS / CLIENTS;
    let work: Vec<Vec<String>> = (0..CLIENTS)
        .map(|client| {
            let one: Vec<_> = (0..count / CLIENTS)
                .map(|n| load.transfer(1 + client * per + n % per).1)
                .collect();
            one.chunks(BATCH)
                .map(|chunk| format!("[{}]", chunk.join(",")))
                .collect()
        })
        .collect();
    let port = load.port;
    let started = Instant::now();
    std::thread::scope(|scope| {
        for bodies in &work {
            scope.spawn(move || {
                for body in bodies {
                    let (status, answer) =
                        load::request(port, "POST", "/transactions", body).expect("an answer");
                    assert_eq!(status, 200, "{answer}");
                    let refused = answer
                        .as_array()
                        .unwrap()
                        .iter()
                        .find(|one| one["status"] != 202);
                    assert!(refused.is_none(), "{refused:?}");
                }
            });
        }
    });
    let accepted = started.elapsed().as_secs_f64();
    for account in 1..=ACCOUNTS {
        let nonce = load.accounts[account].nonce;
        until("the last transfer to be in a block", LIMIT, || {
            let seen = load.committed(account);
            if seen == nonce {
                Ok(())
            } else {
                Err(format!("nonce {seen}"))
            }
        });
    }
    let took = started.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "some thousands are exact")]
    let count = count as f64;
    println!(
        "  {count} transfers: all accepted after {accepted:.2} s, all in blocks after {took:.2} s"
    );
    count / took
}

/// The time from a submission until its receipt can be read, at this rate for some seconds: the 99th percentile. Of each
/// request the last transaction is asked for, again and again.
fn latency(load: &mut Load, rate: f64) -> f64 {
    const TICK: Duration = Duration::from_millis(25);
    const TICKS: usize = 240;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small positive number"
    )]
    let at_once = ((rate * TICK.as_secs_f64()) as usize).clamp(1, BATCH);
    let requests = signed(load, at_once * TICKS, at_once);
    let port = load.port;
    let (send, sent) = std::sync::mpsc::channel::<(String, Instant)>();
    let mut times: Vec<f64> = std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let wait = |(id, due): (String, Instant)| {
                let path = format!("/transactions/{id}");
                until("a receipt", LIMIT, || {
                    match load::request(port, "GET", &path, "") {
                        Some((200, answer)) if answer["status"] == "confirmed" => Ok(()),
                        other => Err(format!("{other:?}")),
                    }
                });
                due.elapsed().as_secs_f64()
            };
            sent.into_iter().map(wait).collect()
        });
        let started = Instant::now();
        for (n, request) in requests.iter().enumerate() {
            // When it was due, so that a submission that is held up counts as slow.
            let due = started + TICK * u32::try_from(n).unwrap();
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let texts: Vec<String> = request.iter().map(|(_, text)| text.clone()).collect();
            for (status, answer) in load::post(port, &texts).expect("an answer") {
                assert_eq!(status, 202, "{answer}");
            }
            let (last, _) = request.last().unwrap();
            send.send((last.clone(), due)).unwrap();
        }
        drop(send);
        reader.join().unwrap()
    });
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    println!(
        "  {rate:.0}/s: p50 {:.0} ms, p99 {:.0} ms of {}",
        at(50) * 1000.0,
        at(99) * 1000.0,
        times.len()
    );
    at(99)
}

/// Submissions a second through the queue's trait, and what Redis's own benchmark does with the same payload.
fn queue(server: &Redis) -> (f64, f64) {
    let key = SecretKey::generate();
    let transfers: Vec<SignedTransaction> = (0..QUEUED)
        .map(|nonce| {
            let mut transaction = Transaction::new(
                TransactionType::Transfer,
                UserId::SYSTEM.into(),
                UserId::SYSTEM.into(),
                Timestamp::from_ms(1_800_000_000_000),
                u64::try_from(nonce).unwrap(),
            );
            transaction.amount = Some("0.01".parse().unwrap());
            transaction.currency_code = Some("USD".parse().unwrap());
            transaction.chain_id = Some("demo".to_owned());
            // The queue does not look at signatures, and a hundred thousand take a while.
            SignedTransaction {
                transaction,
                signature: key.sign("x"),
            }
        })
        .collect();
    let adds = || redis_benchmark(server, &transfers[0]);
    let pushes = || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let queue = RedisQueue::at(&server.url()).unwrap();
            queue.stats().await.unwrap();
            let started = Instant::now();
            let mut clients = tokio::task::JoinSet::new();
            for part in transfers.chunks(QUEUED / CLIENTS) {
                let (queue, part) = (queue.clone(), part.to_vec());
                clients.spawn(async move {
                    for batch in part.chunks(BATCH) {
                        queue.push(batch, Timestamp::default()).await.unwrap();
                    }
                });
            }
            clients.join_all().await;
            #[allow(clippy::cast_precision_loss, reason = "a hundred thousand is exact")]
            let rate = QUEUED as f64 / started.elapsed().as_secs_f64();
            rate
        })
    };
    let flush = || {
        let port = server.port.to_string();
        let done = Command::new("redis-cli")
            .args(["-p", &port, "FLUSHALL"])
            .stdout(Stdio::null())
            .status();
        assert!(done.is_ok_and(|status| status.success()));
    };
    // In turn, so that what else this machine does meets both.
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        flush();
        theirs.push(adds());
        flush();
        ours.push(pushes());
    }
    println!("queue: {ours:.0?} pushes/s, {theirs:.0?} XADD/s");
    (median(ours), median(theirs))
}

fn redis_benchmark(server: &Redis, signed: &SignedTransaction) -> f64 {
    let mut command = Command::new("redis-benchmark");
    command.args(["-p", &server.port.to_string(), "-c", &CLIENTS.to_string()]);
    command.args(["-P", &BATCH.to_string(), "-n", &QUEUED.to_string(), "--csv"]);
    command.args(["XADD", "bench", "*", "id", &signed.id().to_string()]);
    let json = serde_json::to_value(signed).unwrap();
    for (name, value) in json.as_object().unwrap() {
        command.arg(name).arg(
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned),
        );
    }
    let output = command.output().expect("redis-benchmark is installed");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said.lines().last().expect("a line");
    let rate = line
        .split("\",\"")
        .nth(1)
        .unwrap_or_else(|| panic!("{said}"));
    rate.trim_matches('"')
        .parse()
        .unwrap_or_else(|_| panic!("{said}"))
}

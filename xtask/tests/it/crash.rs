//! Kills parts of a node under load, again and again, and then counts: every accepted transaction is in exactly one block,
//! nothing was made or lost, the chain verifies.
//!
//! `cargo xtask crash --rounds 50` runs it long; without, a few rounds of each.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::load::{self, Load};
use crate::node::Node;
use crate::servers::{self, Postgres, Redis};
use crate::wait::until;
use crate::{binary, process};

const ACCOUNTS: usize = 20;
/// Long enough for restarts with backoff on a machine that does much else.
const LIMIT: Duration = Duration::from_secs(180);

fn rounds(default: usize) -> usize {
    binary::setting("TANA_TEST_CRASH_ROUNDS").map_or(default, |rounds| {
        rounds.parse().expect("a number of rounds")
    })
}

/// What the load was told: ids that were accepted.
struct Told {
    load: Load,
    accepted: Vec<String>,
    lost: usize,
}

/// Submits without a pause until it is told to stop.
fn press(mut load: Load, stop: &AtomicBool) -> Told {
    let (mut accepted, mut lost, mut turn) = (Vec::new(), 0, 0);
    while !stop.load(Ordering::Relaxed) {
        let from = 1 + turn % ACCOUNTS;
        turn += 1;
        let batch: Vec<_> = (0..10).map(|_| load.transfer(from)).collect();
        let texts: Vec<_> = batch.iter().map(|(_, text)| text.clone()).collect();
        let answers = load::post(load.port, &texts).unwrap_or_default();
        let mut good = 0;
        for ((id, _), (status, _)) in batch.iter().zip(&answers) {
            if matches!(status, 200 | 202) {
                accepted.push(id.clone());
                good += 1;
            }
        }
        if good < batch.len() {
            lost += batch.len() - good;
            std::thread::sleep(Duration::from_millis(20));
            load.resume(from);
        }
    }
    Told {
        load,
        accepted,
        lost,
    }
}

/// Runs `harm` so many times under load, then looks whether everything adds up.
fn survive(node: &Node, count: usize, mut harm: impl FnMut(usize)) {
    let load = Load::prepare(node.home(), node.port("ledger"), ACCOUNTS);
    let stop = AtomicBool::new(false);
    let told = std::thread::scope(|scope| {
        let pressing = scope.spawn(|| press(load, &stop));
        for round in 0..count {
            // Some load before, between and after.
            std::thread::sleep(Duration::from_millis(
                300 + 137 * (u64::try_from(round).unwrap() % 5),
            ));
            harm(round);
        }
        std::thread::sleep(Duration::from_millis(500));
        stop.store(true, Ordering::Relaxed);
        pressing.join().unwrap()
    });
    settle(node, &told);
}

fn settle(node: &Node, told: &Told) {
    let port = told.load.port;
    let started = Instant::now();
    until("the queue to be empty", LIMIT, || {
        match load::request(port, "GET", "/queue", "") {
            Some((200, queue)) if queue["length"] == 0 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let mut blocks: BTreeMap<String, u64> = BTreeMap::new();
    let tip = get(port, "/blocks/latest")["height"].as_u64().unwrap();
    for height in 0..=tip {
        let block = get(port, &format!("/blocks/{height}"));
        for receipt in block["receipts"].as_array().unwrap() {
            let id = receipt["transactionId"].as_str().unwrap().to_owned();
            let before = blocks.insert(id.clone(), height);
            assert_eq!(
                before, None,
                "{id} is in two blocks, the second is {height}"
            );
        }
    }
    for id in &told.accepted {
        assert!(
            blocks.contains_key(id),
            "{id} was accepted and is in no block"
        );
    }
    let total: u64 = (1..=ACCOUNTS)
        .map(|account| {
            let path = format!("/users/{}/balances", told.load.accounts[account].id);
            let amount = get(port, &path)[0]["amount"].as_str().unwrap().to_owned();
            cents(&amount)
        })
        .sum();
    assert_eq!(
        total,
        u64::try_from(ACCOUNTS).unwrap() * 100_000,
        "money was made or lost"
    );
    node.tana(&["verify", "--all"]).ok();
    println!(
        "{} accepted, {} without an answer or refused, {tip} blocks, settled and verified in {:?}",
        told.accepted.len(),
        told.lost,
        started.elapsed()
    );
    assert!(!told.accepted.is_empty());
}

fn get(port: u16, path: &str) -> Value {
    until("an answer", LIMIT, || {
        match load::request(port, "GET", path, "") {
            Some((200, answer)) => Ok(answer),
            other => Err(format!("{path}: {other:?}")),
        }
    })
    .0
}

fn cents(amount: &str) -> u64 {
    let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
    whole.parse::<u64>().unwrap() * 100 + format!("{part:0<2}").parse::<u64>().unwrap()
}

fn kill_service(node: &Node, name: &str) {
    // It may be down from the round before, and come back by itself.
    if let Ok(Some(pid)) = node.service(name).map(|service| service.pid)
        && process::alive(pid)
    {
        process::signal(pid, Signal::SIGKILL);
    }
}

/// Waits until the service is ready, and asks the supervisor to start it at once: its own patience grows with every crash.
fn back(node: &Node, name: &str) {
    until("the service to be ready again", LIMIT, || {
        match node.service(name) {
            Ok(service) if service.state == "ready" => Ok(()),
            seen => {
                start(node, name);
                std::thread::sleep(Duration::from_millis(200));
                Err(format!("{seen:?}"))
            }
        }
    });
}

fn start(node: &Node, name: &str) {
    let asked = UnixStream::connect(node.file("node.sock")).and_then(|mut socket| {
        write!(
            socket,
            "POST /services/{name}/start HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)
    });
    asked.expect("the supervisor answers");
}

#[test]
fn killed_services_lose_nothing_on_the_embedded_stores() {
    let node = Node::running();
    survive(&node, rounds(3), |round| {
        let name = ["ledger", "producer"][round % 2];
        kill_service(&node, name);
        back(&node, name);
    });
}

#[test]
fn killed_services_and_servers_lose_nothing_on_postgresql_and_redis() {
    let (mut postgres, mut redis) = (Postgres::start(), Redis::start());
    let node = Node::with_chain();
    node.set("databaseUrl", postgres.url());
    node.set("redisUrl", redis.url());
    node.start();
    survive(&node, rounds(5), |round| {
        match round % 5 {
            0 => kill_service(&node, "ledger"),
            1 => redis.kill(),
            2 => kill_service(&node, "producer"),
            3 => postgres.kill(),
            _ => redis.cut(),
        }
        match round % 5 {
            1 => redis.again(),
            3 => postgres.again(),
            _ => {}
        }
        back(&node, "ledger");
        back(&node, "producer");
    });
}

/// A disk that what so many rounds write does not fill by itself, in MiB.
fn disk(rounds: usize) -> u32 {
    192 + 32 * u32::try_from(rounds).unwrap()
}

const FULL_FOR: Duration = Duration::from_millis(700);

#[test]
fn a_full_disk_refuses_and_loses_nothing_on_the_embedded_stores() {
    let node = Node::with_chain();
    let data = node.file("data");
    std::fs::create_dir_all(&data).unwrap();
    let rounds = rounds(2);
    let small = servers::mount_small(&data, disk(rounds)).expect(servers::NEEDS_ROOT);
    node.start();
    survive(&node, rounds, |_| {
        servers::fill(&data, FULL_FOR);
        back(&node, "ledger");
        back(&node, "producer");
    });
    node.tana(&["stop"]).ok();
    drop(small);
}

#[test]
fn a_full_disk_refuses_and_loses_nothing_on_postgresql_and_redis() {
    let rounds = rounds(2);
    let mut postgres = Postgres::start_on(Some(disk(rounds)));
    let mut redis = Redis::start_on(Some(disk(rounds)));
    let node = Node::with_chain();
    node.set("databaseUrl", postgres.url());
    node.set("redisUrl", redis.url());
    node.start();
    survive(&node, rounds, |round| {
        if round % 2 == 0 {
            postgres.fill_disk(FULL_FOR);
        } else {
            redis.fill_disk(FULL_FOR);
        }
        back(&node, "ledger");
        back(&node, "producer");
    });
    node.tana(&["stop"]).ok();
}

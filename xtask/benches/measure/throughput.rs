//! Transfers over HTTP until they are in blocks: how many a second, and how long one takes at half of that.

use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::figures::median;
use crate::load::{self, BATCH, Load};
use crate::node::Node;
use crate::wait::until;

const ACCOUNTS: usize = 200;
const TRANSFERS: usize = 10_000;
const RUNS: usize = 3;
/// Connections that submit side by side.
const CLIENTS: usize = 4;
const LIMIT: Duration = Duration::from_secs(300);

/// What a node does at its most, and at half of that.
pub(crate) struct Throughput {
    /// Transfers a second from the first submission until the last is in a block.
    pub(crate) rate: f64,
    /// From a submission to its receipt at half of the rate, in seconds: the 99th percentile.
    pub(crate) latency: f64,
}

pub(crate) fn measure(node: &Node, name: &str) -> Result<Throughput> {
    let mut load = Load::prepare(node.home(), node.port("ledger"), ACCOUNTS);
    throughput(&mut load, TRANSFERS / 5)?;
    let rates = (0..RUNS).map(|_| throughput(&mut load, TRANSFERS));
    let rates: Vec<f64> = rates.collect::<Result<_>>()?;
    println!("{name}: {rates:.0?} transfers/s");
    let rate = median(rates);
    let latency = latency(&mut load, rate / 2.0)?;
    Ok(Throughput { rate, latency })
}

/// The rate of so many transfers, once.
pub(crate) fn once(node: &Node, count: usize) -> Result<f64> {
    let mut load = Load::prepare(node.home(), node.port("ledger"), ACCOUNTS);
    throughput(&mut load, count)
}

/// Signed transfers of all accounts in turn, in requests.
fn signed(load: &mut Load, count: usize, at_once: usize) -> Vec<Vec<(String, String)>> {
    let all: Vec<_> = (0..count)
        .map(|n| load.transfer(1 + n % ACCOUNTS))
        .collect();
    all.chunks(at_once).map(<[_]>::to_vec).collect()
}

fn throughput(load: &mut Load, count: usize) -> Result<f64> {
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
        let clients: Vec<_> = work
            .iter()
            .map(|bodies| scope.spawn(move || bodies.iter().try_for_each(|body| send(port, body))))
            .collect();
        let mut ended = clients.into_iter().map(ScopedJoinHandle::join);
        ended.try_for_each(|ended| ended.expect("a client never panics"))
    })?;
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
    Ok(count / took)
}

/// Submits a batch; all of it is accepted.
fn send(port: u16, body: &str) -> Result<()> {
    let answer = load::request(port, "POST", "/transactions", body);
    let (status, answer) = answer.context("no answer to a batch")?;
    ensure!(status == 200, "a batch was answered {status}: {answer}");
    let members = answer.as_array().context("no list")?;
    let refused = members.iter().find(|one| one["status"] != 202);
    ensure!(refused.is_none(), "a transfer was refused: {refused:?}");
    Ok(())
}

/// The time from a submission until its receipt can be read, at this rate for some seconds: the 99th percentile. Of each
/// request the last transaction is asked for, again and again.
fn latency(load: &mut Load, rate: f64) -> Result<f64> {
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
            sent.into_iter()
                .map(|(id, due)| until_confirmed(port, &id, due))
                .collect()
        });
        let started = Instant::now();
        for (due, request) in (0..).map(|n| started + TICK * n).zip(&requests) {
            // When it was due, so that a submission that is held up counts as slow.
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let texts: Vec<String> = request.iter().map(|(_, text)| text.clone()).collect();
            for (status, answer) in load::post(port, &texts).context("no answer to a batch")? {
                ensure!(status == 202, "a transfer was refused: {answer}");
            }
            let (last, _) = request.last().context("an empty request")?;
            send.send((last.clone(), due))?;
        }
        drop(send);
        anyhow::Ok(reader.join().expect("the reader never panics"))
    })?;
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    println!(
        "  {rate:.0}/s: p50 {:.0} ms, p99 {:.0} ms of {}",
        at(50) * 1000.0,
        at(99) * 1000.0,
        times.len()
    );
    Ok(at(99))
}

/// Seconds from when a submission was due until its receipt could be read.
fn until_confirmed(port: u16, id: &str, due: Instant) -> f64 {
    let path = format!("/transactions/{id}");
    until("a receipt", LIMIT, || {
        match load::request(port, "GET", &path, "") {
            Some((200, answer)) if answer["status"] == "confirmed" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    due.elapsed().as_secs_f64()
}

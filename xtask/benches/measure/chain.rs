//! `cargo xtask bench chain`: the figures that the chain is held to, each against something measured in the same run.
//!
//! Everything runs on this machine, the load too; what is sent is signed beforehand.

use anyhow::{Context as _, Result, ensure};

use crate::figures::{Figure, Target, median};
use crate::node::Node;
use crate::servers::{Postgres, Redis};
use crate::{blocks, queue, signatures, throughput};

const RUNS: usize = 3;
const CLIENTS: &str = "8";
/// More branches than clients: they do not wait for each other's row all the time.
const SCALE: &str = "10";

/// All of them, or those of one part.
pub(crate) fn figures(part: Option<&str>) -> Result<Vec<Figure>> {
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let wanted = |name| part.is_none_or(|part| part == name);
    let mut figures = Vec::new();
    if wanted("transfers") {
        figures.extend(transfers(&postgres, &redis)?);
    }
    if wanted("queue") {
        figures.push(queue::figure(&redis)?);
    }
    if wanted("verification") {
        figures.extend(blocks::verification()?);
    }
    if wanted("accounts") {
        figures.extend(blocks::accounts(&postgres, &redis)?);
    }
    Ok(figures)
}

fn transfers(postgres: &Postgres, redis: &Redis) -> Result<Vec<Figure>> {
    let bench = pgbench(postgres)?;
    let checks = signatures::all_cores()?;
    println!(
        "pgbench, TPC-B-like, scale {SCALE}, {CLIENTS} clients: {bench:.0} tps; {checks:.0} signature checks/s on all cores"
    );
    let node = Node::with_chain();
    node.set("databaseUrl", postgres.url());
    node.set("redisUrl", redis.url());
    node.start();
    let production = throughput::measure(&node, "PostgreSQL + Redis")?;
    drop(node);
    let node = Node::running();
    let embedded = throughput::measure(&node, "embedded")?;
    drop(node);

    let mut figures = Vec::new();
    for (what, rate) in [
        (
            "transfers, HTTP to block, PostgreSQL + Redis",
            production.rate,
        ),
        ("transfers, HTTP to block, embedded", embedded.rate),
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
    for (what, latency) in [
        (
            "p99 submission to receipt, half load, PostgreSQL + Redis",
            production.latency,
        ),
        (
            "p99 submission to receipt, half load, embedded",
            embedded.latency,
        ),
    ] {
        figures.push(Figure::below(what, latency * 1000.0, "ms", 500.0));
    }
    Ok(figures)
}

/// Transactions a second of the built-in TPC-B-like benchmark with 8 clients.
fn pgbench(server: &Postgres) -> Result<f64> {
    let port = server.port.to_string();
    let run = |args: &[&str]| -> Result<String> {
        let mut command = server.program("pgbench");
        command
            .args(["-h", "127.0.0.1", "-p", &port, "-U", "tana"])
            .args(args);
        let output = command
            .arg("postgres")
            .output()
            .context("running pgbench")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pgbench: {said}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    run(&["-i", "-s", SCALE, "-q"])?;
    let tps = || -> Result<f64> {
        let said = run(&["-c", CLIENTS, "-j", "2", "-T", "6"])?;
        let line = said.lines().find_map(|line| line.strip_prefix("tps = "));
        let number = line.and_then(|line| line.split(' ').next());
        Ok(number.context("pgbench says no tps")?.parse()?)
    };
    Ok(median((0..RUNS).map(|_| tps()).collect::<Result<_>>()?))
}

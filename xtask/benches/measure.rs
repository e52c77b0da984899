//! Measurements of the real programs, printed as a table. Run by `cargo xtask bench`, which builds the release.
//!
//! Each row says what was done and how often; nothing is extrapolated. A number is only comparable within one run.

#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../tests/it/binary.rs"]
mod binary;
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../tests/it/node.rs"]
mod node;
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../tests/it/process.rs"]
mod process;
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../tests/it/terminal.rs"]
mod terminal;
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../tests/it/wait.rs"]
mod wait;

/// What is measured within this process is what a ledger does, so it allocates as `tanad` does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[path = "measure/accounts.rs"]
mod accounts;
#[path = "measure/blocks.rs"]
mod blocks;
#[path = "measure/chain.rs"]
mod chain;
#[allow(clippy::unwrap_used, reason = "a measurement ends where one fails")]
#[path = "measure/console.rs"]
mod console;
#[allow(clippy::unwrap_used, reason = "a measurement ends where one fails")]
#[path = "measure/content.rs"]
mod content;
#[path = "measure/contracts.rs"]
mod contracts;
#[allow(
    clippy::unwrap_used,
    reason = "where a part is missing there is nothing to measure"
)]
#[path = "measure/edge.rs"]
mod edge;
#[path = "measure/figures.rs"]
mod figures;
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../tests/it/flood.rs"]
mod flood;
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../tests/it/http.rs"]
mod http;
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../tests/it/load.rs"]
mod load;
#[allow(clippy::unwrap_used, reason = "a measurement ends where one fails")]
#[path = "measure/logins.rs"]
mod logins;
#[allow(clippy::unwrap_used, reason = "a measurement ends where one fails")]
#[path = "measure/mesh.rs"]
mod mesh;
#[path = "measure/queue.rs"]
mod queue;
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../tests/it/servers.rs"]
mod servers;
#[path = "measure/services.rs"]
mod services;
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../tests/it/edge.rs"]
mod serving;
#[path = "measure/signatures.rs"]
mod signatures;
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../tests/it/swarm.rs"]
mod swarm;
#[path = "measure/throughput.rs"]
mod throughput;
#[path = "measure/transfers.rs"]
mod transfers;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::node::Node;
use crate::terminal::Terminal;

/// One line of the table.
struct Row {
    what: String,
    value: String,
    how: String,
}

fn main() -> Result<()> {
    // `cargo test --benches` passes this to every harness; there is nothing to test here.
    if std::env::args().any(|arg| arg == "--test") {
        return Ok(());
    }
    let figures = match binary::setting("TANA_BENCH").as_deref() {
        Some("chain") => Some(chain::figures(
            binary::setting("TANA_BENCH_PART").as_deref(),
        )?),
        Some("services") => Some(services::figures(
            binary::setting("TANA_BENCH_PART").as_deref(),
        )),
        Some("edge") => Some(edge::figures()?),
        Some(edge::AXUM) => {
            edge::serve_hello();
            return Ok(());
        }
        Some("console") => {
            console::run(binary::setting("TANA_BENCH_PART").as_deref());
            return Ok(());
        }
        _ => None,
    };
    if let Some(figures) = figures {
        figures::print(&figures);
        return Ok(());
    }
    let mut rows = signatures::rows()?;
    rows.push(start());
    let node = Node::running();
    rows.push(first_frame(&node));
    rows.push(memory(&node)?);
    rows.extend(transfers::rows(&node)?);
    rows.extend(contracts::rows(&node)?);
    let cells = rows.into_iter().map(|row| [row.what, row.value, row.how]);
    figures::table(&cells.collect::<Vec<_>>());
    Ok(())
}

fn start() -> Row {
    let node = Node::with_chain();
    let time = fastest::<3>(|| {
        let start = Instant::now();
        node.start();
        let took = start.elapsed();
        node.tana(&["stop"]).ok();
        took
    });
    row(
        "node start until every service is ready",
        milliseconds(time),
        "fastest of 3",
    )
}

fn first_frame(node: &Node) -> Row {
    let time = fastest::<5>(|| Terminal::console(node.home(), 120, 36).first_frame());
    row("console, first frame", milliseconds(time), "fastest of 5")
}

/// The shortest time of so many tries.
fn fastest<const TRIES: usize>(mut once: impl FnMut() -> Duration) -> Duration {
    let times = (0..TRIES).map(|_| once());
    times.min().unwrap_or(Duration::MAX)
}

fn memory(node: &Node) -> Result<Row> {
    let services = node.services().map_err(anyhow::Error::msg)?;
    let mib: f64 = services
        .iter()
        .map(|service| Some(process::resident_mib(service.pid?)))
        .sum::<Option<f64>>()
        .context("a service does not run")?;
    Ok(row(
        "resident memory of all six services",
        format!("{mib:.0} MiB"),
        "after start",
    ))
}

fn row(what: &str, value: String, how: &str) -> Row {
    Row {
        what: what.to_owned(),
        value,
        how: how.to_owned(),
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

//! Measurements of the real programs, printed as a table. Run by `cargo xtask bench`, which builds the release.
//!
//! Each row says what was done and how often; nothing is extrapolated. A number is only comparable within one run.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../tests/it/binary.rs"]
mod binary;
#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../tests/it/node.rs"]
mod node;
#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../tests/it/process.rs"]
mod process;
#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../tests/it/terminal.rs"]
mod terminal;
#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../tests/it/wait.rs"]
mod wait;

#[path = "measure/chain.rs"]
mod chain;
#[path = "measure/content.rs"]
mod content;
#[path = "measure/contracts.rs"]
mod contracts;
#[path = "measure/figures.rs"]
mod figures;
#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../tests/it/http.rs"]
mod http;
#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../tests/it/load.rs"]
mod load;
#[path = "measure/logins.rs"]
mod logins;
#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../tests/it/servers.rs"]
mod servers;
#[path = "measure/services.rs"]
mod services;
#[path = "measure/signatures.rs"]
mod signatures;
#[path = "measure/transfers.rs"]
mod transfers;

use std::time::{Duration, Instant};

use crate::node::Node;
use crate::terminal::Terminal;

/// One line of the table.
struct Row {
    what: String,
    value: String,
    how: String,
}

fn main() {
    // `cargo test --benches` passes this to every harness; there is nothing to test here.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let figures = match binary::setting("TANA_BENCH").as_deref() {
        Some("chain") => Some(chain::figures()),
        Some("services") => Some(services::figures()),
        _ => None,
    };
    if let Some(figures) = figures {
        figures::print(&figures);
        return;
    }
    let mut rows = signatures::rows();
    rows.push(start());
    let node = Node::running();
    rows.push(first_frame(&node));
    rows.push(memory(&node));
    rows.extend(transfers::rows(&node));
    rows.extend(contracts::rows(&node));
    print(&rows);
}

fn start() -> Row {
    let node = Node::with_chain();
    let times = (0..3).map(|_| {
        let start = Instant::now();
        node.start();
        let took = start.elapsed();
        node.tana(&["stop"]).ok();
        took
    });
    row(
        "node start until every service is ready",
        milliseconds(times.min().unwrap()),
        "fastest of 3",
    )
}

fn first_frame(node: &Node) -> Row {
    let times = (0..5).map(|_| Terminal::console(node.home(), 120, 36).first_frame());
    row(
        "console, first frame",
        milliseconds(times.min().unwrap()),
        "fastest of 5",
    )
}

fn memory(node: &Node) -> Row {
    let services = node.services().unwrap();
    let mib: f64 = services
        .iter()
        .map(|service| process::resident_mib(service.pid.unwrap()))
        .sum();
    row(
        "resident memory of all six services",
        format!("{mib:.0} MiB"),
        "after start",
    )
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

fn print(rows: &[Row]) {
    let width = |of: fn(&Row) -> &str| {
        rows.iter()
            .map(|row| of(row).chars().count())
            .max()
            .unwrap_or(0)
    };
    let (what, value) = (width(|row| &row.what), width(|row| &row.value));
    for row in rows {
        println!("{:<what$}  {:>value$}  {}", row.what, row.value, row.how);
    }
}

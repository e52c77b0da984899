//! `cargo xtask bench console`: what the console costs and how soon it answers, in a real pseudo-terminal against a running
//! node, and beside other terminal programs.
//!
//! Bytes are those that the terminal gets, CPU time is the process's own as the kernel counts it (all threads, in steps of 10 ms).

#[path = "console/beside.rs"]
mod beside;
#[path = "console/load.rs"]
mod load;

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::flood;
use crate::load::Load;
use crate::node::Node;
use crate::process;
use crate::terminal::Terminal;
use crate::wait::{LONG, until, until_true};

const SCREENS: [&str; 9] = [
    "services",
    "mesh",
    "approvals",
    "blocks",
    "queue",
    "contracts",
    "login",
    "content",
    "logs",
];
/// How long an idle console is watched.
const IDLE: Duration = Duration::from_secs(60);
/// What settles after a start (memory of services, first heartbeats) is news, and is shown.
const SETTLE: Duration = Duration::from_secs(20);
const BLOCKS: u32 = 30;
/// Log lines that are kept while memory is measured.
const LINES: u64 = 100_000;

/// What was measured, and what it must not exceed.
struct Limit {
    what: String,
    measured: f64,
    most: f64,
    unit: &'static str,
    how: String,
}

impl Limit {
    fn new(what: impl Into<String>, measured: f64, most: f64, unit: &'static str) -> Self {
        Self {
            what: what.into(),
            measured,
            most,
            unit,
            how: String::new(),
        }
    }

    fn how(mut self, how: impl Into<String>) -> Self {
        self.how = how.into();
        self
    }
}

/// Which part to measure: `TANA_BENCH_PART`, all of them without.
pub(crate) fn run(part: Option<&str>) {
    let wanted = |name: &str| part.is_none_or(|part| part == name);
    let mut limits = Vec::new();
    if wanted("idle") || wanted("cost") {
        let node = Node::with_chain();
        // A heartbeat is news, and is shown. None may fall into the minute in which nothing is to change.
        node.set("heartbeatIntervalMs", 3_600_000);
        node.start();
        node.user("alice");
        if wanted("idle") {
            limits.extend(idle(&node));
        }
        if wanted("cost") {
            limits.push(first_frame(&node));
            limits.push(blocks(&node));
            limits.push(memory(&node));
            limits.extend(ends(&node));
        }
    }
    if wanted("load") {
        limits.extend(load::limits());
    }
    print(&limits);
    if wanted("beside") {
        beside::compare();
    }
}

/// Every screen at once, each in a console of its own.
fn idle(node: &Node) -> Vec<Limit> {
    let consoles: Vec<_> = SCREENS
        .iter()
        .map(|screen| {
            let console = Terminal::console(node.home(), 120, 36);
            console.until("ready", LONG);
            console.keys(&format!(":{screen}\r"));
            (*screen, console)
        })
        .collect();
    for (_, console) in &consoles {
        console.until_quiet();
    }
    pass(SETTLE);
    let before: Vec<_> = consoles
        .iter()
        .map(|(_, console)| (console.bytes(), process::cpu(console.pid())))
        .collect();
    let start = Instant::now();
    pass(IDLE);
    let passed = start.elapsed().as_secs_f64();
    let rows = consoles
        .iter()
        .zip(before)
        .flat_map(|((screen, console), (bytes, cpu))| {
            let (bytes, cpu) = (console.bytes() - bytes, process::cpu(console.pid()) - cpu);
            let how = format!("{passed:.0} s");
            [
                Limit::new(format!("idle on {screen}, bytes"), number(bytes), 0.0, "B").how(&how),
                Limit::new(
                    format!("idle on {screen}, CPU"),
                    cpu.as_secs_f64() / passed * 100.0,
                    0.1,
                    "%",
                )
                .how(how),
            ]
        });
    rows.collect()
}

fn first_frame(node: &Node) -> Limit {
    let mut times: Vec<Duration> = (0..10)
        .map(|_| Terminal::console(node.home(), 120, 36).first_frame())
        .collect();
    times.sort();
    let slowest = times.last().copied().unwrap_or_default();
    Limit::new("first frame", ms(times[times.len() / 2]), 100.0, "ms").how(format!(
        "median of {}, the slowest {:.1} ms",
        times.len(),
        ms(slowest)
    ))
}

/// A block each second, watched on Blocks.
fn blocks(node: &Node) -> Limit {
    let mut load = Load::prepare(node.home(), node.port("ledger"), 2);
    let console = Terminal::console(node.home(), 120, 36);
    console.until("ready", LONG);
    console.keys("4");
    console.until("height", LONG);
    console.until_quiet();
    let (bytes, start) = (console.bytes(), Instant::now());
    for n in 1..=BLOCKS {
        let (_, transfer) = load.transfer(1);
        let answers = crate::load::post(load.port, &[transfer]).expect("an answer");
        assert_eq!(answers[0].0, 202, "{}", answers[0].1);
        let next = Duration::from_secs(1) * n;
        until_true("the next second", LONG, || start.elapsed() >= next);
    }
    let rate = number(console.bytes() - bytes) / start.elapsed().as_secs_f64();
    Limit::new("a block each second, on Blocks", rate, 2048.0, "B/s")
        .how(format!("{BLOCKS} blocks at 120x36"))
}

/// A hundred thousand lines come while the console is open, and all of them are kept.
fn memory(node: &Node) -> Limit {
    let console = Terminal::console(node.home(), 200, 50);
    console.until("ready", LONG);
    console.keys("9");
    console.until("newest", LONG);
    flood::lines(&node.file("logs/edge.log"), LINES);
    console.until(&format!("line {}:", LINES - 1), LONG);
    // The oldest of them are there, from the first line on.
    console.keys("//line 0:\r");
    console.until(" line 0:", LONG);
    let mib = process::resident_mib(console.pid());
    Limit::new("resident with 100 000 log lines", mib, 40.0, "MiB").how("RSS at 200x50")
}

/// How soon it is gone, and that the terminal is as it was.
fn ends(node: &Node) -> Vec<Limit> {
    let open = || {
        let console = Terminal::console(node.home(), 120, 36);
        console.until("ready", LONG);
        console
    };
    let mut lost = open();
    lost.hang_up();
    let mut limits = vec![Limit::new(
        "gone after a hang-up",
        ms(lost.until_gone(LONG)),
        1000.0,
        "ms",
    )];
    for (what, signal) in [("SIGHUP", Signal::SIGHUP), ("SIGTERM", Signal::SIGTERM)] {
        let mut console = open();
        process::signal(console.pid(), signal);
        let took = console.until_gone(LONG);
        console.assert_restored();
        limits.push(
            Limit::new(format!("gone after {what}"), ms(took), 1000.0, "ms")
                .how("terminal restored"),
        );
    }
    let console = open();
    let start = Instant::now();
    // From 400x120 down to a single cell and up again, as a window is dragged.
    for step in (0..120_u16).chain((0..120).rev()) {
        console.resize(400 - step * 399 / 119, 120 - step);
    }
    console.resize(120, 36);
    console.keys("4");
    until("the screen whole after the storm", LONG, || {
        let text = console.text();
        if text.contains("height") && text.contains("Services") {
            Ok(())
        } else {
            Err(text)
        }
    });
    limits.push(
        Limit::new(
            "resize storm, then a key's answer",
            ms(start.elapsed()),
            5000.0,
            "ms",
        )
        .how("240 sizes between 400x120 and 1x1"),
    );
    limits
}

fn pass(time: Duration) {
    let start = Instant::now();
    until_true("time to pass", time * 2, || start.elapsed() >= time);
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[allow(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn number(count: usize) -> f64 {
    count as f64
}

fn print(limits: &[Limit]) {
    let widest = limits
        .iter()
        .map(|l| l.what.chars().count())
        .max()
        .unwrap_or(0);
    for limit in limits {
        let held = if limit.measured <= limit.most {
            "yes"
        } else {
            "NO"
        };
        println!(
            "{:<widest$}  {:>9.2} {:<3}  at most {:>6}  {held:<3}  {}",
            limit.what, limit.measured, limit.unit, limit.most, limit.how
        );
    }
}

//! How soon a key is answered while ten thousand nodes send heartbeats to a real mesh daemon and a service's real log grows by
//! a hundred thousand lines a second, at 200x50.

use std::time::{Duration, Instant};

use super::{Limit, ms};
use crate::flood::Flood;
use crate::node::Node;
use crate::process;
use crate::swarm::Swarm;
use crate::terminal::Terminal;
use crate::wait::{LONG, until_true};

const NODES: usize = 10_000;
const LINES: u64 = 100_000;
/// Each node's heartbeats come this far apart, as a node's do.
const ROUND: Duration = Duration::from_secs(120);
/// Keys a screen.
const KEYS: usize = 200;

pub(super) fn limits() -> Vec<Limit> {
    let node = Node::with_chain();
    node.set("rateLimit", 100_000);
    node.start();
    let start = Instant::now();
    let swarm = Swarm::join(node.home(), node.port("mesh"), NODES);
    println!(
        "{NODES} nodes registered and approved in {:.1} s",
        start.elapsed().as_secs_f64()
    );

    let console = Terminal::console(node.home(), 200, 50);
    console.until("ready", LONG);
    console.keys("2");
    console.until("swarm-00001", LONG);
    let mut limits = vec![answers("10 000 nodes, quiet: Mesh", &mesh(&console))];

    let beating = swarm.beat(ROUND);
    let mut flood = Flood::start(&node.file("logs/edge.log"), LINES);
    console.keys("9");
    console.until("line ", LONG);
    let supervisor = node.supervisor();
    let cpu = [console.pid(), supervisor].map(process::cpu);
    let (start, bytes, before, beats) = (
        Instant::now(),
        console.bytes(),
        flood.written(),
        beating.taken(),
    );
    console.keys("2");
    console.until("swarm-00001", LONG);
    let mut all = Vec::new();
    for (what, times) in [
        ("Mesh, rows", mesh(&console)),
        ("Mesh and Logs in turn", turns(&console)),
        ("Logs, typing", typing(&console)),
    ] {
        limits.push(answers(&format!("load: {what}"), &times));
        all.extend(times);
    }
    limits.push(answers("load: all keys", &all));
    let seconds = start.elapsed().as_secs_f64();
    let used = [console.pid(), supervisor].map(process::cpu);
    let share = |i: usize| (used[i] - cpu[i]).as_secs_f64() / seconds * 100.0;
    #[allow(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let (lines, beats, bytes) = (
        (flood.written() - before) as f64 / seconds,
        (beating.taken() - beats) as f64 / seconds,
        (console.bytes() - bytes) as f64 / seconds,
    );
    println!(
        "load: {lines:.0} lines/s, {beats:.0} heartbeats/s; console {:.0} % CPU, {:.0} MiB, {bytes:.0} B/s; supervisor {:.0} % CPU",
        share(0),
        process::resident_mib(console.pid()),
        share(1)
    );
    // What arrives is what was written: the newest line stands there as soon as no more come.
    let last = flood.stop();
    console.keys("9");
    let behind = console.until(&format!("line {}:", last - 1), LONG);
    limits.push(Limit::new(
        "the last line after the flood",
        ms(behind),
        1000.0,
        "ms",
    ));
    let passed_over = console.text().contains("came too fast");
    println!(
        "lines passed over: {}",
        if passed_over {
            "some"
        } else {
            "none on the screen"
        }
    );
    drop(beating);
    limits
}

fn answers(what: &str, times: &[Duration]) -> Limit {
    let mut times = times.to_vec();
    times.sort();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    Limit::new(format!("{what}, p99"), ms(at(99)), 50.0, "ms").how(format!(
        "{} keys, median {:.1} ms, the slowest {:.1} ms",
        times.len(),
        ms(at(50)),
        ms(at(100))
    ))
}

/// The next key is pressed at no fixed distance from the last, so that it falls anywhere between two frames.
fn hesitate(n: usize) {
    let pause = Duration::from_millis(60 + u64::try_from(n * 37 % 90).unwrap());
    let start = Instant::now();
    until_true("a moment", LONG, || start.elapsed() >= pause);
}

/// Whether the bar of the selection stands before this node. Its name and not its row: rows move when a strip of what is wrong
/// comes or goes, and a key that was pressed before may still be on its way.
fn selects(screen: &vt100::Screen, node: &str) -> bool {
    let (rows, columns) = screen.size();
    (0..rows.get()).any(|row| {
        let bar = |column| {
            screen
                .cell(row, column)
                .is_some_and(|c| c.contents() == "▌")
        };
        (0..2).any(bar)
            && screen
                .rows(0, columns.get())
                .nth(usize::from(row))
                .is_some_and(|text| text.contains(node))
    })
}

fn mesh(console: &Terminal) -> Vec<Duration> {
    let [first, second] = ["swarm-00000", "swarm-00001"];
    console.answer("g", "the first row", |screen| selects(screen, first));
    console.answer("j", "the second row", |screen| selects(screen, second));
    (0..KEYS)
        .map(|n| {
            hesitate(n);
            let (key, node) = if n % 2 == 0 {
                ("k", first)
            } else {
                ("j", second)
            };
            console.answer(key, "another row", |screen| selects(screen, node))
        })
        .collect()
}

fn shows(screen: &vt100::Screen, rows: std::ops::Range<usize>, word: &str) -> bool {
    let columns = screen.size().1.get();
    let mut rows = screen.rows(0, columns).skip(rows.start).take(rows.len());
    rows.any(|row| row.contains(word))
}

fn turns(console: &Terminal) -> Vec<Duration> {
    (0..KEYS)
        .map(|n| {
            hesitate(n);
            let (key, word) = if n % 2 == 0 {
                ("9", "all services")
            } else {
                ("2", "last beat")
            };
            console.answer(key, word, |screen| shows(screen, 0..30, word))
        })
        .collect()
}

/// Letters into the palette, and out again.
fn typing(console: &Terminal) -> Vec<Duration> {
    console.keys("9");
    console.until("all services", LONG);
    // A beginning that stands nowhere else on the screen.
    let mut typed = "zq".to_owned();
    console.keys(&format!(":{typed}"));
    console.until(&typed, LONG);
    let times = (0..KEYS)
        .map(|n| {
            hesitate(n);
            if n % 10 < 5 {
                let letter = char::from(b'a' + u8::try_from(n * 7 % 26).unwrap());
                typed.push(letter);
                let holds = |screen: &vt100::Screen| shows(screen, 0..50, &typed);
                return console.answer(&letter.to_string(), "the letter", holds);
            }
            let before = typed.clone();
            typed.pop();
            let holds = |screen: &vt100::Screen| !shows(screen, 0..50, &before);
            console.answer("\x7f", "one letter less", holds)
        })
        .collect();
    console.keys("\x1b");
    console.until_screen("the palette gone", LONG, |text| !text.contains("zq"));
    times
}

//! The edge under contracts that throw, leak, take too long and bring their worker down, while others go on; and generated
//! programs on a chain. A short run in the test command; as long as wanted with `cargo xtask soak`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::edge::Edge;
use crate::http::Kept;
use crate::{binary, process};

const CLIENTS: usize = 8;
/// Parts of a run, between which the memory is looked at.
const STAGES: usize = 10;
/// What the contract that brings its worker down keeps, and by which its execution is known.
const HELD_MIB: f64 = 24.0;

const GOOD: &str = "export function get(req: any) {\n  const seen = ((globalThis as any).seen ?? 0) + 1;\n  (globalThis as any).seen = seen;\n  return { number: Number(req.query.n), seen };\n}\n";
const THROWS: &str = "export function get(req: any) { throw new Error(`no ${req.query.n}`); }\n";
const LEAKS: &str = "const all: any = (globalThis as any).all = [];\nexport function get() {\n  for (let i = 0; i < 5000; i++) all.push({ i, text: 'x'.repeat(100) });\n  return all.length;\n}\n";
const ENDLESS: &str = "export function get() { for (;;) try { for (;;); } catch { continue } }\n";
const DIES: &str = "import { fetch } from 'tana/utils';\nexport async function get(req: any) {\n  const held = new Uint8Array(32 * 1024 * 1024).fill(1);\n  await fetch(`http://127.0.0.1:${req.query.port}/`);\n  return held.length;\n}\n";

/// How often what was asked for, and how each was answered.
type Answers = Mutex<BTreeMap<(&'static str, u16), usize>>;

/// An edge of these contracts, whose contracts may fetch from that port.
fn edge(dir: &Path, contracts: &[(&str, &str)], fetched: u16) -> Edge {
    for (name, source) in contracts {
        fs::write(dir.join(format!("{name}.ts")), source).unwrap();
    }
    Edge::serving(dir, &["--allow", &format!("127.0.0.1:{fetched}")])
}

/// What an edge and its workers have, when nothing runs: the least of a few looks is not the moment of a collection.
fn idle_memory(edge: &Edge) -> f64 {
    let looks = (0..10).map(|_| {
        std::thread::park_timeout(Duration::from_millis(100));
        edge.memory()
    });
    looks.fold(f64::INFINITY, f64::min)
}

/// Waits for contracts that are about to bring their worker down, and does that for them: the execution that holds most is
/// theirs, since nobody else's contract keeps so much. It is a process forked from its worker, which goes with it.
fn bring_down(listener: &TcpListener, edge: &Edge) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut seen = [0; 1024];
        if stream.read(&mut seen).unwrap_or(0) == 0 {
            // The test is over.
            return;
        }
        let mut held: Vec<(f64, u32)> = edge
            .workers()
            .into_iter()
            .flat_map(process::children)
            .filter_map(|pid| Some((process::proportional_mib(pid)?, pid)))
            .collect();
        held.sort_by(|one, other| one.0.total_cmp(&other.0));
        match held.as_slice() {
            [others @ .., (most, pid)]
                if *most > HELD_MIB && others.iter().all(|(less, _)| *less < HELD_MIB) =>
            {
                process::signal(*pid, Signal::SIGKILL);
            }
            // It cannot be told which one it is: nobody is harmed.
            _ => {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = stream.write_all(answer);
            }
        }
    }
}

/// Ends [`bring_down`] when the test is over, however it ended: a connection that says nothing.
struct Over(u16);

impl Drop for Over {
    fn drop(&mut self) {
        drop(TcpStream::connect(("127.0.0.1", self.0)));
    }
}

/// Which contract the request of this number asks for.
fn contract(number: usize) -> &'static str {
    match number % 200 {
        7 => "dies",
        29 | 129 => "endless",
        at if at % 10 == 3 => "throws",
        at if at % 10 == 6 => "leaks",
        _ => "good",
    }
}

/// One request; what is asserted of an answer is what the contract makes it.
fn ask(connection: &mut Kept, number: usize, fetched: u16, answers: &Answers) {
    let name = contract(number);
    let path = match name {
        "dies" => format!("/dies?port={fetched}"),
        name => format!("/{name}?n={number}"),
    };
    let (status, head, body) = connection
        .get(&path)
        .unwrap_or_else(|error| panic!("no answer to {path}: {error}"));
    let text = String::from_utf8_lossy(&body);
    let json: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    match name {
        "good" => {
            assert_eq!(status, 200, "{path}: {head}{text}");
            assert_eq!(json["number"], number, "{path}: {text}");
            assert_eq!(json["seen"], 1, "{path}: {text}");
        }
        "throws" => {
            assert_eq!(status, 500, "{path}: {head}{text}");
            assert_eq!(json["contractError"]["code"], "threw", "{path}: {text}");
        }
        // A busy machine may need longer than the limit for it.
        "leaks" => assert!(matches!(status, 200 | 504), "{path}: {head}{text}"),
        "endless" => {
            assert_eq!(status, 504, "{path}: {head}{text}");
            assert!(head.contains("x-tana-limit: time"), "{path}: {head}");
        }
        _ => assert!(matches!(status, 200 | 500 | 504), "{path}: {head}{text}"),
    }
    *answers.lock().unwrap().entry((name, status)).or_default() += 1;
}

#[test]
fn contracts_that_throw_leak_hang_and_die_harm_nobody_and_leave_no_memory_behind() {
    let requests: usize =
        binary::setting("TANA_TEST_EDGE_REQUESTS").map_or(4_000, |count| count.parse().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let fetched = listener.local_addr().unwrap().port();
    let contracts = [
        ("good", GOOD),
        ("throws", THROWS),
        ("leaks", LEAKS),
        ("endless", ENDLESS),
        ("dies", DIES),
    ];
    let dir = TempDir::new().unwrap();
    let edge = edge(dir.path(), &contracts, fetched);
    let answers = Answers::default();
    let mut memory = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| bring_down(&listener, &edge));
        let _over = Over(fetched);
        for stage in 0..STAGES {
            let end = requests * (stage + 1) / STAGES;
            let next = AtomicUsize::new(requests * stage / STAGES);
            std::thread::scope(|scope| {
                for _ in 0..CLIENTS {
                    scope.spawn(|| {
                        let mut connection = Kept::open(edge.port);
                        loop {
                            let number = next.fetch_add(1, Ordering::Relaxed);
                            if number >= end {
                                return;
                            }
                            ask(&mut connection, number, fetched, &answers);
                        }
                    });
                }
            });
            memory.push(idle_memory(&edge));
        }
    });
    let answers = answers.into_inner().unwrap();
    println!("{requests} requests: {answers:?}; MiB after each tenth: {memory:.1?}");
    assert_eq!(answers.values().sum::<usize>(), requests);
    let died = answers.get(&("dies", 500)).copied().unwrap_or(0);
    assert!(died > 0, "no worker was brought down: {answers:?}");
    // The first tenth is there for what is made once.
    let (first, last) = (memory[0], memory[STAGES - 1]);
    assert!(last <= first * 1.1, "{memory:?}");
}

//! `cargo xtask bench edge`: what the edge serves, against an axum "hello" and against Node making a `vm` context for each
//! request, all on this machine with the same clients; what it weighs; and what a contract call in a block costs.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::figures::{Figure, Target};
use crate::node::Node;
use crate::serving::Edge;
use crate::{contracts, http};

/// Connections of the load.
const CLIENTS: usize = 8;
const MEASURED: Duration = Duration::from_secs(6);
/// In `TANA_BENCH`: this program serves the "hello" that the edge is compared with.
pub(crate) const AXUM: &str = "axum";

const NODE: &str = "const http = require('node:http'), vm = require('node:vm');\n\
    const script = new vm.Script(\"(function () { return JSON.stringify({ hello: req.query.name ?? 'world', height: 0 }); })()\");\n\
    const server = http.createServer((request, response) => {\n\
      const url = new URL(request.url, 'http://localhost');\n\
      const context = vm.createContext({ req: { query: Object.fromEntries(url.searchParams) } });\n\
      response.setHeader('content-type', 'application/json');\n\
      response.end(script.runInContext(context));\n\
    });\n\
    server.listen(0, '127.0.0.1', () => console.log(server.address().port));\n";

pub(crate) fn figures() -> Result<Vec<Figure>> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let edge = Edge::serving(&examples.canonicalize().unwrap(), &[]);
    // Both workers have their spare isolate.
    std::thread::sleep(Duration::from_secs(2));
    let idle = edge.memory();
    let (served, slowest) = {
        let path = "/hello?name=you";
        // Compiled, and every worker has run.
        throughput(edge.port, path, Duration::from_secs(1));
        let served = throughput(edge.port, path, MEASURED);
        (served, latencies(edge.port, path, served / 2.0))
    };
    drop(edge);
    let axum = Other::axum();
    let plain = throughput(axum.port, "/hello", MEASURED);
    drop(axum);
    let node = Other::node();
    throughput(node.port, "/hello?name=you", Duration::from_secs(1));
    let contexts = throughput(node.port, "/hello?name=you", MEASURED);
    drop(node);
    println!(
        "requests/s: edge {served:.0}, axum {plain:.0}, node:http with vm contexts {contexts:.0}"
    );
    let rate = |what, against, reference, least| Figure {
        what,
        measured: served,
        unit: "/s",
        against,
        reference,
        target: Target::AtLeast(least),
    };
    let (p50, p99) = slowest;
    let call = {
        let node = Node::running();
        contracts::more_than_a_transfer(&node)?
    };
    Ok(vec![
        Figure::below("edge, get() of hello, p50, half load", p50, "ms", 3.0),
        Figure::below("edge, get() of hello, p99, half load", p99, "ms", 15.0),
        rate("edge, requests", "/s, axum hello", plain, 0.02),
        rate(
            "edge, requests",
            "/s, node:http with vm contexts",
            contexts,
            1.0,
        ),
        Figure::below(
            "contract call in a block, over a native transfer",
            call,
            "ms",
            3.0,
        ),
        Figure::below("idle edge with 2 workers, memory", idle, "MiB", 150.0),
    ])
}

/// What the edge is compared with: it prints its port.
struct Other {
    child: Child,
    port: u16,
}

impl Other {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("its port");
        Self { child, port }
    }

    fn axum() -> Self {
        let this = std::env::current_exe().unwrap();
        Self::start(Command::new(this).env("TANA_BENCH", AXUM))
    }

    fn node() -> Self {
        Self::start(Command::new("node").args(["-e", NODE]))
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The "hello" of axum, until it is killed.
pub(crate) fn serve_hello() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap().port());
        let hello = axum::Router::new().route("/hello", axum::routing::get(|| async { "hello" }));
        axum::serve(listener, hello).await.unwrap();
    });
}

/// One request, answered with 200.
fn get(connection: &mut http::Kept, path: &str) {
    let (status, head, _) = connection.get(path).unwrap();
    assert_eq!(status, 200, "{head}");
}

/// Requests a second when each client sends the next as soon as it has an answer.
fn throughput(port: u16, path: &str, time: Duration) -> f64 {
    let stop = AtomicBool::new(false);
    let started = Instant::now();
    let count: usize = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = http::Kept::open(port);
                    let mut count = 0;
                    while !stop.load(Ordering::Relaxed) {
                        get(&mut connection, path);
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .sum()
    });
    #[allow(
        clippy::cast_precision_loss,
        reason = "some hundred thousands are exact"
    )]
    let count = count as f64;
    count / started.elapsed().as_secs_f64()
}

/// The middle and the 99th percentile in milliseconds at this rate, counted from when each request was due.
fn latencies(port: u16, path: &str, rate: f64) -> (f64, f64) {
    let next = AtomicUsize::new(0);
    let started = Instant::now() + Duration::from_millis(100);
    let mut times: Vec<f64> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = http::Kept::open(port);
                    let mut times = Vec::new();
                    loop {
                        #[allow(clippy::cast_precision_loss, reason = "some thousands are exact")]
                        let number = next.fetch_add(1, Ordering::Relaxed) as f64;
                        let after = Duration::from_secs_f64(number / rate);
                        if after > MEASURED {
                            return times;
                        }
                        let due = started + after;
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
                        get(&mut connection, path);
                        times.push(due.elapsed().as_secs_f64() * 1e3);
                    }
                })
            })
            .collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    });
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    println!(
        "at {rate:.0}/s: p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms of {}",
        at(50),
        at(90),
        at(99),
        times.len()
    );
    (at(50), at(99))
}

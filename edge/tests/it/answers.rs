//! Answers in parts, limits and what is said of them, and an edge that is stopped while it works.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::Edge;

/// A server whose answer comes when the test says so.
struct Slow {
    listener: TcpListener,
}

impl Slow {
    fn new() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
        }
    }

    fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// Waits for a request; it is answered when what is given back is called.
    fn asked(&self) -> impl FnOnce() {
        let (mut stream, _) = self.listener.accept().unwrap();
        let mut seen = [0; 2048];
        assert!(stream.read(&mut seen).unwrap() > 0);
        move || {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlate")
                .unwrap();
        }
    }
}

const PIECES: &str = "import { Response } from 'tana/net';\nimport { fetch } from 'tana/utils';\nexport function get(req: any) {\n\
    async function* pieces() {\n    yield 'first ';\n    if (req.query.from) yield await (await fetch(`http://${req.query.from}/`)).text();\n\
    yield new Uint8Array([32, 0xe2, 0x82, 0xac]);\n    if (req.query.fail) throw new Error('too late');\n  }\n\
    return new Response(201, pieces(), { 'X-Kind': 'parts' });\n}\n\
    export function post() {\n  return new Response(200, (function* () { for (;;) yield 'x'.repeat(100_000); })());\n}";

#[test]
fn an_answer_in_parts_begins_before_it_is_complete() {
    let slow = Slow::new();
    let edge = Edge::start_with(&[("pieces.ts", PIECES)], &["--allow", &slow.address()], &[]);
    let mut stream = edge.open(&format!("/pieces?from={}", slow.address()));
    let mut lines = BufReader::new(&mut stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(lines.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let head = head.to_lowercase();
    assert!(
        head.starts_with("http/1.1 201") && head.contains("x-kind: parts"),
        "{head}"
    );
    // The first piece is here, and the contract waits for another server.
    let mut chunk = String::new();
    lines.read_line(&mut chunk).unwrap();
    lines.read_line(&mut chunk).unwrap();
    assert_eq!(chunk, "6\r\nfirst \r\n");
    slow.asked()();
    let mut rest = Vec::new();
    lines.read_to_end(&mut rest).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&rest),
        "4\r\nlate\r\n4\r\n \u{20ac}\r\n0\r\n\r\n"
    );
    let whole = edge.get("/pieces");
    assert_eq!(
        (
            whole.status,
            whole.body.as_str(),
            whole.header("content-type")
        ),
        (201, "first  \u{20ac}", Some("text/plain; charset=utf-8")),
        "{whole:?}"
    );
}

#[test]
fn an_answer_in_parts_that_fails_breaks_off_and_has_a_largest_size() {
    let edge = Edge::start(&[("pieces.ts", PIECES)]);
    let mut broken = Vec::new();
    let mut stream = edge.open("/pieces?fail=1");
    // A connection that is reset is as good a sign as one that is closed.
    let _ = stream.read_to_end(&mut broken);
    let broken = String::from_utf8_lossy(&broken);
    assert!(
        broken.starts_with("HTTP/1.1 201")
            && broken.contains("first ")
            && !broken.ends_with("0\r\n\r\n"),
        "{broken}"
    );
    let mut endless = Vec::new();
    let mut stream = edge.open_post("/pieces");
    let _ = stream.read_to_end(&mut endless);
    assert!(endless.starts_with(b"HTTP/1.1 200") && !endless.ends_with(b"0\r\n\r\n"));
    assert!(endless.len() < 5 << 20, "{}", endless.len());
    assert_eq!(edge.get("/pieces").status, 201);
}

#[test]
fn a_client_that_goes_away_costs_no_worker() {
    let slow = Slow::new();
    let edge = Edge::start_with(&[("pieces.ts", PIECES)], &["--allow", &slow.address()], &[]);
    let workers = edge.workers();
    for _ in 0..6 {
        let mut stream = edge.open(&format!("/pieces?from={}", slow.address()));
        // It runs, and has something to say to nobody.
        assert!(stream.read(&mut [0]).unwrap() > 0);
        drop(stream);
        slow.asked()();
    }
    edge.until("free", |edge| edge.get("/pieces").status == 201);
    assert_eq!(edge.workers(), workers);
}

#[test]
fn limits_are_named_in_the_answer_s_headers() {
    let edge = Edge::start(&[
        (
            "size.ts",
            "export const get = () => 'x'.repeat(2 ** 25);\nexport const post = () => 1;",
        ),
        ("time.ts", "export function get() { for (;;); }"),
    ]);
    let answer = edge.get("/size");
    assert_eq!(
        (answer.status, answer.header("x-tana-limit")),
        (500, Some("size")),
        "{answer:?}"
    );
    assert!(
        answer
            .header("x-tana-limit-reason")
            .is_some_and(|why| why.contains("16 MiB")),
        "{answer:?}"
    );
    let answer = edge.get("/time");
    assert_eq!(
        (answer.status, answer.header("x-tana-limit")),
        (504, Some("time")),
        "{answer:?}"
    );
    assert!(
        answer
            .header("x-tana-limit-reason")
            .is_some_and(|why| why.contains("50 ms")),
        "{answer:?}"
    );
    let answer = edge.post("/size", &"x".repeat((1 << 20) + 1));
    assert_eq!(
        (answer.status, answer.header("x-tana-limit")),
        (413, Some("body")),
        "{answer:?}"
    );
}

#[test]
fn what_is_under_way_when_it_is_stopped_is_answered() {
    let slow = Slow::new();
    let edge = Edge::start_with(&[("pieces.ts", PIECES)], &["--allow", &slow.address()], &[]);
    let mut stream = edge.open(&format!("/pieces?from={}", slow.address()));
    let answer = slow.asked();
    let address = edge.address();
    edge.signal();
    edge.until("closed to others", |_| TcpStream::connect(address).is_err());
    answer();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(
        text.starts_with("HTTP/1.1 201") && text.ends_with("0\r\n\r\n"),
        "{text}"
    );
    assert!(edge.ends_well());
}

#[test]
fn the_health_says_which_fences_are_missing() {
    let edge = Edge::start(&[]);
    let health = edge.get("/health").json();
    let engine = health["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["name"] == "engine")
        .unwrap()
        .clone();
    // What a worker of this machine itself says when it starts.
    let worker = Command::new(env!("CARGO_BIN_EXE_tana-edge"))
        .arg("worker")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let ready: Value = serde_json::from_slice(&worker.stdout).unwrap();
    let gaps = ready["gaps"].as_array().cloned().unwrap_or_default();
    assert_eq!(engine["ok"], json!(true), "{health}");
    for gap in &gaps {
        let detail = engine["detail"].as_str().unwrap();
        assert!(detail.contains(gap.as_str().unwrap()), "{health} {ready}");
    }
    assert_eq!(gaps.is_empty(), engine["detail"].is_null(), "{health}");
}

//! The identity service: how soon a browser hears of an approval while many others wait, what each of those costs, and how
//! many logins a second go from the first request to the approval.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use tana_protocol::login::LoginMessage;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::figures::{Figure, Target, median};
use crate::load::{self, Account, Load};
use crate::process;
use crate::services;
use crate::signatures;

const STREAMS: usize = 5000;
/// Of those so many are approved, one after the other.
const APPROVALS: usize = 500;
/// Between two approvals.
const PAUSE: Duration = Duration::from_millis(10);
/// Clients that log in side by side: what comes together is committed together.
const CLIENTS: usize = 128;
const LOGGING_IN: Duration = Duration::from_secs(5);
const RUNS: usize = 3;

pub(crate) fn figures() -> Vec<Figure> {
    let (_soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let node = services::node();
    let port = node.port("identity");
    let load = Load::prepare(node.home(), node.port("ledger"), 1);
    let user = User {
        account: load.accounts[1].clone(),
        name: "@load0".to_owned(),
    };
    let pid = node.service("identity").unwrap().pid.unwrap();

    let mut figures = logging_in(&node, port, &user);
    figures.extend(streams(port, pid, &user));
    figures
}

struct User {
    account: Account,
    name: String,
}

/// A session as its creator knows it.
struct Session {
    browser: String,
    public: String,
    challenge: String,
}

impl Session {
    fn of(answer: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            browser: text(&answer["sessionId"]),
            public: text(&answer["qrData"]["sessionId"]),
            challenge: text(&answer["challenge"]),
        }
    }

    /// What a phone sends.
    fn approval(&self, user: &User) -> String {
        let message = LoginMessage {
            session_id: self.public.parse().unwrap(),
            challenge: self.challenge.clone(),
            user_id: user.account.id.to_string(),
            username: user.name.clone(),
            timestamp: load::now(),
        }
        .text();
        json!({
            "userId": user.account.id, "username": user.name, "publicKey": user.account.key.public(),
            "signature": user.account.key.sign(&message), "message": message,
        })
        .to_string()
    }
}

/// A connection that stays open.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    fn to(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: vec![0; 64 << 10],
        }
    }

    fn post(&mut self, path: &str, body: &str) -> (u16, Value) {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: identity\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).unwrap();
        let mut got = 0;
        loop {
            let count = self.stream.read(&mut self.buffer[got..]).unwrap();
            assert!(count > 0, "the connection was closed");
            got += count;
            let text = std::str::from_utf8(&self.buffer[..got]).unwrap();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.parse::<usize>().unwrap())
            });
            if length == Some(body.len()) {
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                return (status, serde_json::from_str(body).unwrap());
            }
        }
    }

    fn create(&mut self) -> Session {
        let (status, answer) = self.post("/auth/session/create", r#"{"appName":"Bench"}"#);
        assert_eq!(status, 201, "{answer}");
        Session::of(&answer)
    }

    fn approve(&mut self, session: &Session, body: &str) {
        let path = format!("/auth/session/{}/approve", session.public);
        let (status, answer) = self.post(&path, body);
        assert_eq!(status, 200, "{answer}");
    }
}

/// Logins a second, against the slower of what each must cost at least: a check of a signature, a durable commit.
fn logging_in(node: &crate::node::Node, port: u16, user: &User) -> Vec<Figure> {
    let (mut ours, mut checks, mut commits) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        checks.push(signatures::all_cores().expect("a signature that was just made fits"));
        commits.push(durable_commits(node));
        let done = AtomicUsize::new(0);
        let before = Spent::now(node);
        let started = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let mut client = Client::to(port);
                    while started.elapsed() < LOGGING_IN {
                        let session = client.create();
                        client.approve(&session, &session.approval(user));
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        #[allow(clippy::cast_precision_loss, reason = "some ten thousands are exact")]
        let done = done.into_inner() as f64;
        ours.push(done / started.elapsed().as_secs_f64());
        Spent::now(node).tell(&before, done);
    }
    println!("logins {ours:.0?}/s; signature checks {checks:.0?}/s; commits {commits:.0?}/s");
    let (checks, commits) = (median(checks), median(commits));
    vec![Figure {
        what: "identity, session created and approved",
        measured: median(ours),
        unit: "/s",
        against: if commits < checks {
            "/s durable SQLite commits"
        } else {
            "/s Ed25519 checks"
        },
        reference: commits.min(checks),
        target: Target::AtLeast(1.0 / 3.0),
    }]
}

/// Processor time so far.
struct Spent(Vec<(&'static str, Duration)>);

impl Spent {
    fn now(node: &crate::node::Node) -> Self {
        let service = |name| (name, process::cpu(node.service(name).unwrap().pid.unwrap()));
        let clients = ("clients", process::cpu(std::process::id()));
        Self(vec![service("identity"), service("ledger"), clients])
    }

    /// Says what each login cost whom.
    fn tell(&self, before: &Self, logins: f64) {
        let each = self.0.iter().zip(&before.0).map(|((who, now), (_, then))| {
            let microseconds = (*now - *then).as_secs_f64() * 1e6 / logins;
            format!("{who} {microseconds:.0} µs")
        });
        let each: Vec<String> = each.collect();
        println!("processor time of a login: {}", each.join(", "));
    }
}

/// Rows written a second, each with a commit of its own that is on the disk, on the disk of the node.
fn durable_commits(node: &crate::node::Node) -> f64 {
    const TIME: Duration = Duration::from_secs(2);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let path = node.file("commits.db");
    let rate = runtime.block_on(async {
        use sqlx::ConnectOptions as _;
        use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
        let mut database = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .connect()
            .await
            .unwrap();
        sqlx::raw_sql("CREATE TABLE IF NOT EXISTS rows (text TEXT NOT NULL) STRICT")
            .execute(&mut database)
            .await
            .unwrap();
        let started = Instant::now();
        let mut done = 0.0;
        while started.elapsed() < TIME {
            sqlx::query("INSERT INTO rows VALUES ($1)")
                .bind("x".repeat(300))
                .execute(&mut database)
                .await
                .unwrap();
            done += 1.0;
        }
        done / started.elapsed().as_secs_f64()
    });
    std::fs::remove_file(path).unwrap();
    rate
}

fn streams(port: u16, pid: u32, user: &User) -> Vec<Figure> {
    let mut client = Client::to(port);
    let sessions: Vec<Session> = (0..STREAMS).map(|_| client.create()).collect();
    let before = process::resident_mib(pid);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (told, heard) = std::sync::mpsc::channel();
    let (open, opened) = std::sync::mpsc::channel();
    // The first of them are approved; all stay open.
    let waiting: Vec<_> = sessions
        .iter()
        .enumerate()
        .map(|(n, session)| {
            let (path, told, open) = (
                format!("/auth/session/{}/events", session.browser),
                told.clone(),
                open.clone(),
            );
            runtime.spawn(async move {
                let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
                    .await
                    .unwrap();
                let request = format!(
                    "GET {path} HTTP/1.1\r\nHost: identity\r\nAccept: text/event-stream\r\n\r\n"
                );
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut text = String::new();
                let mut buffer = [0; 2048];
                let mut connected = false;
                loop {
                    let count = stream.read(&mut buffer).await.unwrap();
                    let at = Instant::now();
                    if count == 0 {
                        return;
                    }
                    text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
                    if !connected && text.contains("\"connected\"") {
                        connected = true;
                        open.send(()).unwrap();
                    }
                    if text.contains("\"type\":\"approved\"") {
                        told.send((n, at)).unwrap();
                        return;
                    }
                }
            })
        })
        .collect();
    for _ in 0..STREAMS {
        opened
            .recv_timeout(Duration::from_secs(60))
            .expect("every stream opens");
    }
    let each = (process::resident_mib(pid) - before) * 1024.0 / STREAMS as f64;
    let mut times = Vec::new();
    for (n, session) in sessions.iter().enumerate().take(APPROVALS) {
        let body = session.approval(user);
        let sent = Instant::now();
        client.approve(session, &body);
        let (who, at) = heard
            .recv_timeout(Duration::from_secs(10))
            .expect("the event comes");
        assert_eq!(who, n);
        times.push(at.duration_since(sent).as_secs_f64() * 1000.0);
        std::thread::sleep(PAUSE);
    }
    let alive = waiting.iter().filter(|task| !task.is_finished()).count();
    assert!(alive >= STREAMS - APPROVALS, "{alive} streams are left");
    runtime.shutdown_background();
    times.sort_by(f64::total_cmp);
    let p99 = times[APPROVALS * 99 / 100];
    println!(
        "{STREAMS} streams: approval to event p50 {:.2} ms, p99 {p99:.2} ms; {each:.1} KiB a stream",
        times[APPROVALS / 2]
    );
    vec![
        Figure {
            what: "approval to the browser's event, 5000 streams open, p99",
            measured: p99,
            unit: "ms",
            against: "ms",
            reference: 25.0,
            target: Target::AtMost(1.0),
        },
        Figure {
            what: "resident memory of an open stream",
            measured: each,
            unit: "KiB",
            against: "KiB",
            reference: 30.0,
            target: Target::AtMost(1.0),
        },
    ]
}

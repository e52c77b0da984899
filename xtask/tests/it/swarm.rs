//! Nodes by the thousand that register with a mesh, are approved by its sovereign and send heartbeats, each with a key of its own and
//! everything signed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tana_protocol::message::{self, Decision};
use tana_protocol::{NodeId, SecretKey, Timestamp};

/// Connections that work side by side.
const TOGETHER: usize = 4;

#[derive(Clone)]
struct Member {
    id: NodeId,
    key: SecretKey,
}

/// Nodes that a mesh has approved.
pub(crate) struct Swarm {
    port: u16,
    members: Arc<Vec<Member>>,
}

/// Heartbeats that come until it is dropped.
pub(crate) struct Beating {
    stop: Arc<AtomicBool>,
    taken: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Swarm {
    /// Registers so many nodes and approves them with the sovereign key of this home.
    pub(crate) fn join(home: &Path, port: u16, count: usize) -> Self {
        let text = std::fs::read_to_string(home.join("sovereign-key.json")).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        let sovereign: SecretKey = file["secretKey"].as_str().unwrap().parse().unwrap();
        let members: Vec<Member> = (0..count)
            .map(|n| Member {
                id: format!("swarm-{n:05}").parse().unwrap(),
                key: SecretKey::generate(),
            })
            .collect();
        std::thread::scope(|scope| {
            for part in members.chunks(count.div_ceil(TOGETHER)) {
                let sovereign = &sovereign;
                scope.spawn(move || {
                    let mut mesh = Connection::open(port);
                    for member in part {
                        member.register(&mut mesh);
                        member.approve(&mut mesh, sovereign);
                    }
                });
            }
        });
        Self {
            port,
            members: Arc::new(members),
        }
    }

    /// A heartbeat of each node within every `round`, evenly spread.
    pub(crate) fn beat(&self, round: Duration) -> Beating {
        let (stop, taken) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let thread = {
            let (stop, taken, members) = (
                Arc::clone(&stop),
                Arc::clone(&taken),
                Arc::clone(&self.members),
            );
            let mut mesh = Connection::open(self.port);
            let step = round / u32::try_from(members.len()).unwrap();
            std::thread::spawn(move || {
                let mut next = Instant::now();
                for member in members.iter().cycle() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    member.beat(&mut mesh, 100);
                    taken.fetch_add(1, Ordering::Relaxed);
                    next += step;
                    std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
                }
            })
        };
        Beating {
            stop,
            taken,
            thread: Some(thread),
        }
    }
}

impl Beating {
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Drop for Beating {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It failed: the load was not there, and neither is the figure.
            if thread.join().is_err() && !std::thread::panicking() {
                panic!("heartbeats were refused");
            }
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_ms(u64::try_from(since.as_millis()).unwrap())
}

impl Member {
    fn register(&self, mesh: &mut Connection) {
        let (key, host) = (self.key.public().to_string(), format!("{}.test", self.id));
        let offers: Vec<Value> = [("ledger", 8080), ("t4", 8181), ("producer", 8070)]
            .iter()
            .map(|(kind, port)| {
                json!({"type": kind, "port": port, "publicKey": self.key.derive(kind).public()})
            })
            .collect();
        let body = json!({
            "nodeId": self.id, "publicKey": key, "tailscaleHostname": host, "services": offers,
            "signature": self.key.sign(&message::registration(self.id.as_str(), &key, &host)),
        });
        mesh.post("/register", &body, 201);
    }

    fn approve(&self, mesh: &mut Connection, sovereign: &SecretKey) {
        let at = now();
        let text = message::decision(Decision::Approve, &self.id, &self.key.public(), at);
        let body = json!({
            "approverPublicKey": sovereign.public(), "timestamp": at.ms(), "signature": sovereign.sign(&text),
        });
        mesh.post(&format!("/approve/{}", self.id), &body, 200);
    }

    fn beat(&self, mesh: &mut Connection, height: u64) {
        let at = now();
        let body = json!({
            "nodeId": self.id, "timestamp": at.ms(), "height": height, "version": "0.1.0",
            "signature": self.key.sign(&message::heartbeat(&self.id, at)),
        });
        mesh.post("/heartbeat", &body, 200);
    }
}

/// One connection that is kept.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        Self(BufReader::new(stream))
    }

    #[track_caller]
    fn post(&mut self, path: &str, body: &Value, wanted: u16) {
        // Ten thousand requests from one address are more than a daemon takes by default: it says when to come again.
        loop {
            let (status, answer) = self.send(path, &body.to_string());
            if status == 429 {
                std::thread::park_timeout(Duration::from_millis(100));
                continue;
            }
            assert_eq!(status, wanted, "{path}: {answer}");
            return;
        }
    }

    fn send(&mut self, path: &str, body: &str) -> (u16, String) {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            let line = line.trim().to_lowercase();
            if line.is_empty() {
                break;
            }
            if line.starts_with("http/") {
                status = line.split(' ').nth(1).unwrap().parse().unwrap();
            } else if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer).unwrap();
        (status, String::from_utf8_lossy(&answer).into_owned())
    }
}

//! The mesh with ten thousand nodes: how many heartbeats a second it takes, each signed, checked, replay-proof and on the disk
//! before its answer, and how long the whole topology takes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tana_protocol::api::mesh::{Node as Registered, NodeRecord, NodeService, NodeStatus};
use tana_protocol::message::{self, Decision};
use tana_protocol::node::NodeKey;
use tana_protocol::{NodeId, SecretKey, ServiceKind, Timestamp};
use tana_store::mesh::{Inserted, MeshStore as _, NodeDecision};
use tana_store::sqlite::SqliteMesh;

use crate::figures::{Figure, Target, median};
use crate::node::Node;
use crate::process;

const NODES: usize = 10_000;
/// Heartbeats of each node, within the minute in which a signed time is taken.
const ROUNDS: usize = 5;
/// Peers that each heartbeat names.
const PEERS: usize = 8;
/// Heartbeats on their way at the same time.
const CONNECTIONS: usize = 64;
const RUNS: usize = 9;

pub(crate) fn figures() -> Vec<Figure> {
    let node = Node::with_chain();
    node.set("rateLimit", 0);
    let keys: Vec<NodeKey> = (0..NODES).map(key).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(register(&node, &keys));
    node.start();
    let port = node.port("mesh");
    let pid = node.service("mesh").unwrap().pid.unwrap();

    let beats = signed(&keys);
    let (rate, topology) = load(port, &beats);
    println!(
        "mesh: {NODES} nodes, {} heartbeats over {CONNECTIONS} connections: {rate:.0}/s; a topology meanwhile {:.0} ms; {:.0} MiB resident",
        beats.len(),
        topology * 1000.0,
        process::resident_mib(pid)
    );
    let times: Vec<(f64, usize)> = (0..RUNS).map(|_| fetch(port)).collect();
    println!(
        "mesh: topology of {NODES} nodes and {} links, {} MB",
        NODES * PEERS,
        times[0].1 / 1_000_000
    );
    vec![
        Figure {
            what: "heartbeats taken, 10 000 nodes",
            measured: rate,
            unit: "/s",
            against: "/s",
            reference: 3000.0,
            target: Target::AtLeast(1.0),
        },
        Figure {
            what: "GET /topology, 10 000 nodes",
            measured: median(times.into_iter().map(|(time, _)| time).collect()) * 1000.0,
            unit: "ms",
            against: "ms",
            reference: 200.0,
            target: Target::AtMost(1.0),
        },
    ]
}

fn key(number: usize) -> NodeKey {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&(number as u64).to_le_bytes());
    NodeKey::new(SecretKey::from_seed(&seed))
}

fn id(number: usize) -> NodeId {
    format!("node-{number:05}").parse().unwrap()
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_ms(u64::try_from(since.as_millis()).unwrap())
}

/// Registers and approves all of them, straight into the database: what is measured comes afterwards.
async fn register(home: &Node, keys: &[NodeKey]) {
    let path = home.file("data/mesh.db");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let store = SqliteMesh::open(path.to_str().unwrap()).await.unwrap();
    let sovereign = SecretKey::from_seed(&[9; 32]);
    for (number, key) in keys.iter().enumerate() {
        let node = registered(number, key);
        assert_eq!(store.insert(&node, u64::MAX).await.unwrap(), Inserted::Done);
        let at = node.registered_at;
        let message = message::decision(Decision::Approve, &node.id, &node.public_key, at);
        let decision = NodeDecision {
            node_id: node.id,
            node_key: node.public_key,
            decision: Decision::Approve,
            by: sovereign.public(),
            at,
            signed_at: Some(at),
            signature: sovereign.sign(&message),
            message,
        };
        store.decide(&decision, &|_| true).await.unwrap();
    }
    store.close().await;
}

fn registered(number: usize, key: &NodeKey) -> Registered {
    let id = id(number);
    let host = format!("{id}.example.ts.net");
    let text = key.public().to_string();
    Registered {
        registration_signature: key.secret().sign(&message::registration(
            id.as_str(),
            &text,
            &host,
        )),
        public_key: key.public(),
        tailscale_hostname: host,
        tailscale_ip: Some(format!("100.64.{}.{}", number / 250, number % 250)),
        status: NodeStatus::Pending,
        registered_at: now(),
        approved_at: None,
        approved_by: None,
        last_heartbeat: None,
        services: ServiceKind::ALL
            .into_iter()
            .map(|kind| NodeService {
                service_type: kind.name().into(),
                kind: kind.name().into(),
                port: kind.default_port(),
                public_key: key.service_key(kind).public(),
                topology_key: None,
                healthy: None,
                last_check: None,
            })
            .collect(),
        registration_key_text: Some(text),
        region: None,
        version: None,
        height: None,
        record: NodeRecord::default(),
        id,
    }
}

/// Whole requests, signed just now: all nodes, one round after the other.
fn signed(keys: &[NodeKey]) -> Vec<Vec<u8>> {
    let begun = now();
    let mut requests = Vec::with_capacity(keys.len() * ROUNDS);
    for round in 0..ROUNDS {
        let at = Timestamp::from_ms(begun.ms() + 1000 * round as u64);
        for (number, key) in keys.iter().enumerate() {
            let id = id(number);
            let services = ServiceKind::ALL
                .map(|kind| json!({"type": kind.name(), "healthy": true, "lastCheck": begun.ms()}));
            let peers: Vec<_> = (1..=PEERS)
                .map(|step| json!({"nodeId": self::id((number + step * 997) % keys.len()), "latencyMs": step}))
                .collect();
            let body = json!({
                "nodeId": id,
                "timestamp": at.ms(),
                "height": 100 + round,
                "version": "0.1.0",
                "services": services,
                "peers": peers,
                "signature": key.secret().sign(&message::heartbeat(&id, at)),
            })
            .to_string();
            let head = format!(
                "POST /heartbeat HTTP/1.1\r\nhost: mesh\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            requests.push((head + &body).into_bytes());
        }
    }
    requests
}

/// Heartbeats a second from the first to the last, and how long a topology takes among them.
fn load(port: u16, requests: &[Vec<u8>]) -> (f64, f64) {
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    let topology = std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut connection = Connection::to(port);
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (status, body) = connection.ask(request);
                    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
                }
            });
        }
        std::thread::sleep(Duration::from_secs(1));
        fetch(port).0
    });
    #[allow(clippy::cast_precision_loss, reason = "some thousands are exact")]
    let count = requests.len() as f64;
    (count / began.elapsed().as_secs_f64(), topology)
}

/// The whole topology: seconds, and bytes.
fn fetch(port: u16) -> (f64, usize) {
    let mut connection = Connection::to(port);
    let began = Instant::now();
    let (status, body) = connection.ask(b"GET /topology HTTP/1.1\r\nhost: mesh\r\n\r\n");
    let took = began.elapsed().as_secs_f64();
    assert_eq!(status, 200);
    (took, body.len())
}

/// A connection that stays open.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn to(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::with_capacity(1 << 16, stream))
    }

    fn ask(&mut self, request: &[u8]) -> (u16, Vec<u8>) {
        self.0.get_mut().write_all(request).unwrap();
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest[..3].parse().unwrap();
            }
            if let Some(rest) = line.strip_prefix("content-length: ") {
                length = rest.parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (status, body)
    }
}

//! The content store: reading against nginx on the same files, writing against `sha256sum` of the same bytes plus writing
//! them with fsync.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tana_protocol::node::NodeKey;
use tana_protocol::{Hash32, ServiceKind, ServiceToken};
use tempfile::TempDir;

use crate::binary;
use crate::figures::{Figure, Target, median};
use crate::load;
use crate::node::Node;
use crate::services;
use crate::wait::{LONG, until};

/// Contents that are read in turn.
const OBJECTS: usize = 64;
const OBJECT: usize = 1 << 20;
const CONNECTIONS: usize = 16;
const READING: Duration = Duration::from_secs(4);
const RUNS: usize = 3;
/// What is written over one connection.
const LARGE: usize = 256 << 20;

pub(crate) fn figures() -> Vec<Figure> {
    let node = services::node();
    let port = node.port("t4");
    let token = token(&node);
    let large = random(LARGE, 1);
    let mut figures = writing(&node, port, &token, &large);
    drop(large);
    figures.push(reading(&node, port, &token));
    figures
}

/// A token of this node's ledger, which may store.
fn token(node: &Node) -> String {
    let text = fs::read_to_string(node.file("node-key.json")).unwrap();
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let key = NodeKey::new(file["secretKey"].as_str().unwrap().parse().unwrap());
    let info = node.json(&["status"]);
    let id = info["nodeId"].as_str().unwrap_or("validator-1");
    let kind = ServiceKind::Ledger;
    let lifetime = Duration::from_secs(3600);
    ServiceToken::issue(
        &key.service_key(kind),
        kind,
        id.parse().unwrap(),
        load::now(),
        lifetime,
    )
    .encode()
}

/// Bytes that nothing compresses: xorshift of a seed.
fn random(length: usize, seed: u64) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed);
    let words = (0..length / 8).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.collect()
}

fn put(port: u16, token: &str, hash: &Hash32, bytes: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!(
        "PUT /content/{hash} HTTP/1.1\r\nHost: t4\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n",
        bytes.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn delete(port: u16, token: &str, hash: &Hash32) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!(
        "DELETE /content/{hash} HTTP/1.1\r\nHost: t4\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// One large content, and the memory of the store at its most.
fn writing(node: &Node, port: u16, token: &str, bytes: &[u8]) -> Vec<Figure> {
    let directory = directory();
    let source = directory.path().join("source");
    fs::write(&source, bytes).unwrap();
    let hash = Hash32::of(bytes);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // In turn, so that what else this machine does meets both.
    for _ in 0..RUNS {
        theirs.push(by_hand(&source, bytes));
        let started = Instant::now();
        assert_eq!(put(port, token, &hash, bytes), 201);
        ours.push(started.elapsed().as_secs_f64());
        delete(port, token, &hash);
    }
    println!("PUT of 256 MiB: {ours:.2?} s; sha256sum and a write with fsync: {theirs:.2?} s");
    let pid = node.service("t4").unwrap().pid.unwrap();
    let peak = peak_mib(pid);
    let rate = |seconds: f64| 256.0 / seconds;
    vec![
        Figure {
            what: "t4 PUT of 256 MiB, one stream",
            measured: rate(median(ours)),
            unit: "MiB/s",
            against: "MiB/s sha256sum, then a write with fsync",
            reference: rate(median(theirs)),
            target: Target::AtLeast(0.7),
        },
        Figure {
            what: "resident memory of t4 at its most, PUT of 256 MiB",
            measured: peak,
            unit: "MiB",
            against: "MiB",
            reference: 32.0,
            target: Target::AtMost(1.0),
        },
    ]
}

/// Resident memory of a process at its most since its start.
fn peak_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// Seconds that `sha256sum` takes for the file, and writing the same bytes to a new one with fsync.
fn by_hand(source: &Path, bytes: &[u8]) -> f64 {
    let target = source.with_file_name("target");
    let started = Instant::now();
    let summed = Command::new("sha256sum")
        .arg(source)
        .stdout(Stdio::null())
        .status();
    assert!(summed.is_ok_and(|status| status.success()));
    let mut file = File::create(&target).unwrap();
    file.write_all(bytes).unwrap();
    file.sync_all().unwrap();
    let took = started.elapsed().as_secs_f64();
    fs::remove_file(target).unwrap();
    took
}

fn directory() -> TempDir {
    let made = binary::setting("TANA_TEST_DIR").map_or_else(TempDir::new, tempfile::tempdir_in);
    let made = made.unwrap();
    fs::set_permissions(made.path(), fs::Permissions::from_mode(0o755)).unwrap();
    made
}

fn reading(node: &Node, port: u16, token: &str) -> Figure {
    let hashes: Vec<Hash32> = (0..OBJECTS)
        .map(|n| {
            let bytes = random(OBJECT, 1000 + n as u64);
            let hash = Hash32::of(&bytes);
            assert_eq!(put(port, token, &hash, &bytes), 201);
            hash
        })
        .collect();
    let nginx = Nginx::start(&node.file("data/content"));
    let of_t4: Vec<String> = hashes.iter().map(|h| format!("/content/{h}")).collect();
    let of_nginx: Vec<String> = hashes
        .iter()
        .map(|h| format!("/{}/{h}", &h.to_hex()[..2]))
        .collect();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        theirs.push(rate(nginx.port, &of_nginx));
        ours.push(rate(port, &of_t4));
    }
    println!("GET of 1 MiB: {ours:.0?}/s; nginx {theirs:.0?}/s");
    Figure {
        what: "t4 GET of 1 MiB, 16 connections",
        measured: median(ours),
        unit: "/s",
        against: "/s nginx, the same files",
        reference: median(theirs),
        target: Target::AtLeast(0.8),
    }
}

/// Whole contents a second over so many connections that stay open.
fn rate(port: u16, paths: &[String]) -> f64 {
    let end = Instant::now() + READING;
    let done: usize = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..CONNECTIONS)
            .map(|n| scope.spawn(move || read(port, paths, n, end)))
            .collect();
        readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .sum()
    });
    #[allow(clippy::cast_precision_loss, reason = "some ten thousands are exact")]
    let done = done as f64;
    done / READING.as_secs_f64()
}

fn read(port: u16, paths: &[String], first: usize, end: Instant) -> usize {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut buffer = vec![0; 256 << 10];
    let mut done = 0;
    for path in paths.iter().cycle().skip(first * 4) {
        if Instant::now() >= end {
            break;
        }
        let head = format!("GET {path} HTTP/1.1\r\nHost: t4\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut got = 0;
        let body = loop {
            got += stream.read(&mut buffer[got..]).unwrap();
            let known = &buffer[..got];
            if let Some(at) = known.windows(4).position(|end| end == b"\r\n\r\n") {
                let head = std::str::from_utf8(&known[..at]).unwrap();
                assert!(head.starts_with("HTTP/1.1 200"), "{head}");
                break got - at - 4;
            }
        };
        let mut left = OBJECT - body;
        while left > 0 {
            let size = left.min(buffer.len());
            let count = stream.read(&mut buffer[..size]).unwrap();
            assert!(count > 0, "the connection was closed with {left} to come");
            left -= count;
        }
        done += 1;
    }
    done
}

/// nginx with the settings of Debian's package, on a directory.
struct Nginx {
    _home: TempDir,
    port: u16,
    child: Child,
}

impl Nginx {
    fn start(root: &Path) -> Self {
        let home = directory();
        let port = {
            let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
            free.local_addr().unwrap().port()
        };
        let path = home.path().display();
        let config = format!(
            "user root;\nworker_processes auto;\npid {path}/pid;\ndaemon off;\nerror_log {path}/error;\n\
             events {{ worker_connections 768; }}\n\
             http {{ sendfile on; tcp_nopush on; types_hash_max_size 2048; access_log off;\n\
             client_body_temp_path {path}/b; proxy_temp_path {path}/p; fastcgi_temp_path {path}/f;\n\
             uwsgi_temp_path {path}/u; scgi_temp_path {path}/s; keepalive_requests 1000000000;\n\
             server {{ listen 127.0.0.1:{port}; root {}; default_type application/octet-stream; }} }}\n",
            root.display()
        );
        let file: PathBuf = home.path().join("nginx.conf");
        fs::write(&file, config).unwrap();
        let child = Command::new("nginx")
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed");
        let nginx = Self {
            _home: home,
            port,
            child,
        };
        until("nginx to listen", LONG, || {
            TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())
        });
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        // The master ends its workers.
        let _ended = kill(pid, Signal::SIGTERM);
        let _status = self.child.wait();
    }
}

//! One of the three nodes: a home, an address, and commands that run where it is.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::net::Net;
use crate::binary::{self, Ran};
use crate::process;
use crate::wait::{LONG, until};

/// Nothing else listens in a namespace; on loopback addresses these are free as well, or the test says so.
const OFFSET: u16 = 21_000;

pub(super) struct Place {
    number: usize,
    id: String,
    address: String,
    namespace: Option<String>,
    home: TempDir,
}

impl Place {
    pub(super) fn new(net: &Net, number: usize) -> Self {
        let dir = binary::setting("TANA_TEST_DIR").map_or_else(TempDir::new, tempfile::tempdir_in);
        Self {
            number,
            id: format!("validator-{}", number + 1),
            address: net.address(number),
            namespace: net.namespace(number),
            home: dir.unwrap(),
        }
    }

    pub(super) const fn number(&self) -> usize {
        self.number
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A program where the node is.
    fn command(&self, program: &str) -> Command {
        let inner = binary::command(program, self.home());
        let Some(namespace) = &self.namespace else {
            return inner;
        };
        let mut outer = Command::new("ip");
        outer
            .args(["netns", "exec", namespace])
            .arg(inner.get_program());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => outer.env(name, value),
                None => outer.env_remove(name),
            };
        }
        outer
            .current_dir(self.home())
            .stdin(std::process::Stdio::null());
        outer
    }

    pub(super) fn tana(&self, args: &[&str]) -> Ran {
        Ran::of(self.command("tana").args(args))
    }

    /// From here against another node.
    pub(super) fn tana_at(&self, other: &Self, args: &[&str]) -> Ran {
        let node = format!("http://{}", other.address);
        Ran::of(self.command("tana").args(["--node", &node]).args(args))
    }

    /// A node of a role, whose mesh is the first one's.
    pub(super) fn configure(&self, mesh: &Self, role: &str) {
        let config = json!({
            "nodeId": self.id,
            "role": role,
            "host": self.address,
            "portOffset": OFFSET,
            "meshUrl": format!("http://{}:{}", mesh.address, 8190 + OFFSET),
            "heartbeatIntervalMs": 1500,
            "meshOfflineAfterMs": 4000,
            "hangLimitMs": 0,
        });
        let text = serde_json::to_string_pretty(&config).unwrap();
        fs::write(self.home().join("config.json"), text).unwrap();
    }

    /// The other's chain with its blocks: the file that every node has, and a copy of the database.
    pub(super) fn copy_chain(&self, other: &Self) {
        for part in ["chains", "data"] {
            fs::create_dir_all(self.home().join(part)).unwrap();
        }
        fs::copy(
            other.home().join("chains/demo.json"),
            self.home().join("chains/demo.json"),
        )
        .unwrap();
        let copy = self.home().join("data/ledger.db");
        let from = format!("sqlite://{}", other.home().join("data/ledger.db").display());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let database = sqlx::SqlitePool::connect(&from).await.unwrap();
            sqlx::query("VACUUM INTO ?")
                .bind(copy.to_str().unwrap())
                .execute(&database)
                .await
                .unwrap();
            database.close().await;
        });
        self.tana(&["new", "node", &self.id]).ok();
    }

    /// Starts it, and answers what the command said once all services are ready.
    pub(super) fn start(&self) -> String {
        let said = self.tana(&["start", "--wait"]).ok().out;
        until("the node to be ready", LONG, || {
            let not_ready = self.not_ready();
            if not_ready.is_empty() {
                Ok(())
            } else {
                Err(not_ready.join(", "))
            }
        });
        said
    }

    fn services(&self) -> Vec<Value> {
        let status = self.tana(&["status", "--json"]).json();
        status["services"].as_array().cloned().unwrap_or_default()
    }

    /// Services that are not ready, asked of the node's own supervisor.
    pub(super) fn not_ready(&self) -> Vec<String> {
        let services = self.services();
        let slow = services
            .iter()
            .filter(|service| service["state"] != "ready");
        slow.map(|service| {
            format!(
                "{} {} {}",
                service["name"], service["state"], service["why"]
            )
        })
        .collect()
    }

    /// Which process each service is, and how often it was started anew.
    pub(super) fn starts(&self) -> Vec<(String, u64, u64)> {
        let one = |service: &Value| {
            (
                service["name"].as_str().unwrap().to_owned(),
                service["pid"].as_u64().unwrap_or_default(),
                service["restarts"].as_u64().unwrap_or_default(),
            )
        };
        self.services().iter().map(one).collect()
    }

    pub(super) fn pid(&self, service: &str) -> u32 {
        let services = self.services();
        let found = services.iter().find(|one| one["name"] == service).unwrap();
        u32::try_from(found["pid"].as_u64().unwrap()).unwrap()
    }

    /// A request to one of its services.
    pub(super) fn get(&self, service: &str, path: &str) -> Value {
        self.ask(service, "GET", path, "")
            .unwrap_or_else(|| panic!("{service} does not answer"))
            .1
    }

    /// The same, with status; `None` where nothing answers.
    pub(super) fn ask(
        &self,
        service: &str,
        method: &str,
        path: &str,
        body: &str,
    ) -> Option<(u16, Value)> {
        let port = OFFSET
            + match service {
                "mesh" => 8190,
                "ledger" => 8080,
                other => panic!("{other} is not asked"),
            };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let to: SocketAddr = format!("{}:{port}", self.address).parse().unwrap();
        let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(2)).ok()?;
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .ok()?;
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if process::of_home(self.home()).is_empty() {
            return;
        }
        if !std::thread::panicking() {
            let _ended = self.tana(&["stop"]);
        }
        for pid in process::of_home(self.home()) {
            if process::alive(pid) {
                process::signal(pid, nix::sys::signal::Signal::SIGKILL);
            }
        }
    }
}

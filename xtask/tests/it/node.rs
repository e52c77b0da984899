//! One node of its own for a test: a temporary `TANA_HOME`, free ports, and no process left when the test ends.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::binary::{self, Ran};
use crate::process;
use crate::wait::{LONG, until};

pub(crate) const SERVICES: [&str; 6] = ["mesh", "ledger", "t4", "identity", "producer", "edge"];
const PORTS: [u16; 6] = [8070, 8080, 8090, 8180, 8181, 8190];

/// An offset at which all ports of a node are free, and those of a second one a hundred above.
pub(crate) fn free_offset() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let seed = u16::try_from(std::process::id() % 100).unwrap();
    for _ in 0..100 {
        // Below 32768, where the kernel takes the ports of outgoing connections from.
        let offset = 1000 + 230 * ((seed + NEXT.fetch_add(1, Ordering::Relaxed)) % 100);
        let free = |port: u16| TcpListener::bind(("127.0.0.1", port + offset)).is_ok();
        if PORTS
            .into_iter()
            .chain(PORTS.map(|port| port + 100))
            .all(free)
        {
            return offset;
        }
    }
    panic!("no free ports between 9000 and 32000");
}

pub(crate) struct Node {
    dir: TempDir,
    pub(crate) offset: u16,
}

impl Node {
    /// An empty home.
    pub(crate) fn empty() -> Self {
        let dir = binary::setting("TANA_TEST_DIR").map_or_else(TempDir::new, tempfile::tempdir_in);
        Self {
            dir: dir.unwrap(),
            offset: free_offset(),
        }
    }

    /// A home with the chain `demo`, nothing running.
    pub(crate) fn with_chain() -> Self {
        let node = Self::empty();
        node.tana(&["new", "chain", "demo"]).ok();
        node
    }

    /// A running node with the chain `demo`, every service ready.
    pub(crate) fn running() -> Self {
        let node = Self::with_chain();
        node.start();
        node
    }

    pub(crate) fn home(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn tana(&self, args: &[&str]) -> Ran {
        Ran::of(binary::command("tana", self.home()).args(args))
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        self.tana(&[args, &["--json"]].concat()).ok().json()
    }

    /// Starts the node and waits until all is ready.
    pub(crate) fn start(&self) {
        self.start_command().ok();
        self.until_ready();
    }

    pub(crate) fn start_command(&self) -> Ran {
        self.tana(&["start", "--wait", "--port-offset", &self.offset.to_string()])
    }

    pub(crate) fn until_ready(&self) -> Duration {
        until("every service to be ready", LONG, || {
            let services = self.services()?;
            let slow: Vec<_> = services
                .iter()
                .filter(|service| service.state != "ready")
                .map(|service| format!("{} {} {}", service.name, service.state, service.why))
                .collect();
            if slow.is_empty() && services.len() == SERVICES.len() {
                Ok(())
            } else {
                Err(slow.join(", "))
            }
        })
        .1
    }

    /// The services as the supervisor tells, or why it does not.
    pub(crate) fn services(&self) -> Result<Vec<Service>, String> {
        let status = self.status()?;
        let services = status["services"]
            .as_array()
            .ok_or_else(|| format!("no services in {status}"))?;
        Ok(services.iter().map(Service::of).collect())
    }

    pub(crate) fn status(&self) -> Result<Value, String> {
        let ran = self.tana(&["status", "--json"]);
        if ran.out.trim().is_empty() {
            return Err(ran.err);
        }
        Ok(ran.json())
    }

    pub(crate) fn service(&self, name: &str) -> Result<Service, String> {
        self.services()?
            .into_iter()
            .find(|service| service.name == name)
            .ok_or_else(|| format!("no service {name}"))
    }

    pub(crate) fn supervisor(&self) -> u32 {
        let status = self.status().unwrap();
        u32::try_from(
            status["pid"]
                .as_u64()
                .unwrap_or_else(|| panic!("no pid in {status}")),
        )
        .unwrap()
    }

    pub(crate) fn port(&self, service: &str) -> u16 {
        self.service(service)
            .unwrap()
            .port
            .unwrap_or_else(|| panic!("{service} has no port"))
    }

    /// A user with an account on the chain.
    pub(crate) fn user(&self, name: &str) {
        self.tana(&["new", "user", name]).ok();
        self.tana(&["deploy", "user", name, "--wait"]).ok();
    }

    /// What a user has, as text: `12.34`.
    pub(crate) fn balance(&self, user: &str, currency: &str) -> String {
        let rows = self.json(&["balance", user]);
        let rows = rows
            .as_array()
            .unwrap_or_else(|| panic!("balance prints no list: {rows}"));
        rows.iter()
            .find(|row| row["currencyCode"] == currency)
            .map_or_else(
                || "0".to_owned(),
                |row| {
                    row["amount"]
                        .as_str()
                        .unwrap_or_else(|| panic!("the amount is no text: {row}"))
                        .to_owned()
                },
            )
    }

    /// Writes a setting into the home's configuration.
    pub(crate) fn set(&self, key: &str, value: impl Into<Value>) {
        let file = self.file("config.json");
        let mut config: Value = std::fs::read_to_string(&file).map_or_else(
            |_| Value::Object(serde_json::Map::new()),
            |text| serde_json::from_str(&text).unwrap(),
        );
        config[key] = value.into();
        std::fs::write(file, serde_json::to_string_pretty(&config).unwrap()).unwrap();
    }

    /// A file of the home.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home().join(name)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if process::of_home(self.home()).is_empty() {
            return;
        }
        if !std::thread::panicking() {
            let _ = Ran::of(binary::command("tana", self.home()).arg("stop"));
        }
        for pid in process::of_home(self.home()) {
            if process::alive(pid) {
                process::signal(pid, Signal::SIGKILL);
            }
        }
    }
}

/// A service as the supervisor tells of it.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) why: String,
    pub(crate) pid: Option<u32>,
    pub(crate) port: Option<u16>,
    pub(crate) restarts: u64,
}

impl Service {
    fn of(value: &Value) -> Self {
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        Self {
            name: text("name"),
            state: text("state"),
            why: text("why"),
            pid: value["pid"].as_u64().map(|pid| u32::try_from(pid).unwrap()),
            port: value["port"]
                .as_u64()
                .map(|port| u16::try_from(port).unwrap()),
            restarts: value["restarts"].as_u64().unwrap_or_default(),
        }
    }
}

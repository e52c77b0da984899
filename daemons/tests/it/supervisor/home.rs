//! A home with a chain, and supervisors in it.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tana_client::{MeshClient, NodeClient};
use tana_home::{Home, KeyFile};
use tana_protocol::address::Network;
use tana_protocol::api::node::{ServiceState, ServiceView};
use tana_protocol::genesis::{ChainLimits, GenesisSovereign, Validator};
use tana_protocol::node::NodeKey;
use tana_protocol::{ChainSpec, ServiceKind, Timestamp};
use tempfile::TempDir;

/// Ends a test that hangs.
pub(super) const LONG: Duration = Duration::from_secs(60);

/// A home with a chain, and the supervisors that were started in it. All that runs in it is ended with it.
pub(super) struct TestNode {
    pub(super) directory: TempDir,
    pub(super) offset: u16,
    pub(super) role: &'static str,
    pub(super) supervisor: Option<Child>,
    pub(super) client: NodeClient,
}

impl TestNode {
    pub(super) fn new(role: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        home.create().unwrap();
        let sovereign = KeyFile::generate();
        let node = KeyFile::generate();
        let producer = NodeKey::new(node.secret_key.clone()).service_key(ServiceKind::Producer);
        home.write_chain(&ChainSpec {
            chain_id: "test-1".into(),
            name: "test".into(),
            network: Network::Testnet,
            genesis_time: Timestamp::from_ms(1_769_860_800_000),
            sovereigns: vec![GenesisSovereign {
                username: "@sovereign".parse().unwrap(),
                display_name: "Sovereign".into(),
                public_key: sovereign.public_key,
            }],
            validators: vec![Validator {
                node_id: "validator-1".parse().unwrap(),
                public_key: producer.public(),
                power: 1,
            }],
            currencies: ChainSpec::genesis_currencies(),
            engine: None,
            gas_schedule: None,
            limits: ChainLimits::default(),
        })
        .unwrap();
        node.create(&home.node_key_file()).unwrap();
        sovereign.create(&home.sovereign_key_file()).unwrap();
        Self {
            client: NodeClient::new(&home.socket()).unwrap(),
            directory,
            offset: free_offset(),
            role,
            supervisor: None,
        }
    }

    pub(super) fn home(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn log(&self, kind: ServiceKind) -> PathBuf {
        self.home().join("logs").join(format!("{kind}.log"))
    }

    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tanad"));
        command
            .arg("node")
            .args(["--role", self.role])
            .args(["--port-offset", &self.offset.to_string()])
            .env_clear()
            .env("TANA_HOME", self.home())
            .current_dir(self.home())
            .stdin(Stdio::null());
        command
    }

    pub(super) async fn start(&mut self) {
        let out = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.home().join("supervisor.log"))
            .unwrap();
        let child = self
            .command()
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        self.supervisor = Some(child);
        // A socket that an earlier supervisor left does not answer until this one has bound it.
        let pid = self.supervisor_pid();
        self.until("the supervisor to answer", async |node| {
            (node.client.status().await.ok()?.pid == pid).then_some(())
        })
        .await;
    }

    pub(super) fn supervisor_pid(&self) -> u32 {
        self.supervisor.as_ref().unwrap().id()
    }

    pub(super) fn kill_supervisor(&mut self) {
        let mut child = self.supervisor.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(super) async fn service(&self, kind: ServiceKind) -> ServiceView {
        let services = self.client.services().await.unwrap();
        services.into_iter().find(|s| s.name == kind).unwrap()
    }

    /// Waits until something is there.
    pub(super) async fn until<T>(
        &self,
        what: &str,
        mut look: impl AsyncFnMut(&Self) -> Option<T>,
    ) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look(self).await {
                return found;
            }
            assert!(
                began.elapsed() < LONG,
                "waited for {what}; the services: {:#?}; the supervisor: {}",
                self.client.services().await,
                fs::read_to_string(self.home().join("supervisor.log")).unwrap_or_default()
            );
            tokio::task::yield_now().await;
        }
    }

    pub(super) async fn until_state(&self, kind: ServiceKind, state: ServiceState) -> ServiceView {
        self.until(&format!("{kind} to be {state}"), async |node| {
            let service = node.service(kind).await;
            (service.state == state).then_some(service)
        })
        .await
    }

    pub(super) fn mesh(&self) -> MeshClient {
        let port = ServiceKind::Mesh.default_port() + self.offset;
        MeshClient::new(&format!("http://127.0.0.1:{port}")).unwrap()
    }

    /// All processes that have this home in their environment.
    pub(super) fn processes(&self) -> Vec<u32> {
        let wanted = format!("TANA_HOME={}", self.home().display());
        fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|entry| {
                let pid = entry.file_name().to_str()?.parse().ok()?;
                let environment = fs::read(entry.path().join("environ")).ok()?;
                let ours = environment
                    .split(|byte| *byte == 0)
                    .any(|variable| variable == wanted.as_bytes());
                // One that has ended and waits for init to collect it has an empty environment.
                ours.then_some(pid)
            })
            .collect()
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        if let Some(mut child) = self.supervisor.take() {
            let _ended = child.kill();
            let _status = child.wait();
        }
        for pid in self.processes() {
            signal(pid, Signal::SIGKILL);
        }
    }
}

pub(super) fn signal(pid: u32, signal: Signal) {
    let _gone = kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal);
}

/// An offset at which all ports of a node are free.
pub(super) fn free_offset() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let seed = u16::try_from(std::process::id() % 90).unwrap();
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        // Below 32768, from where the kernel takes ports of outgoing connections.
        let offset = 2000 + 240 * ((seed + step) % 90);
        let free = ServiceKind::ALL.iter().all(|kind| {
            let port = kind.default_port() + offset;
            TcpListener::bind(("127.0.0.1", port)).is_ok()
        });
        if free {
            return offset;
        }
    }
}

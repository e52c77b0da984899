//! This node in the mesh: registers it, says every now and then that it lives, and, on a chain whose sovereign key lies
//! in the same home, approves it.

use std::net::IpAddr;
use std::time::Duration;

use tana_client::{ClientError, LedgerClient, MeshChange, MeshClient, MeshEvent, StreamItem};
use tana_home::{KeyFile, Settings, Tailscale};
use tana_kit::{Backoff, Clock, Shutdown, SystemClock};
use tana_protocol::api::mesh::{Node, NodeStatus, Register, ServiceHealth, ServiceOffer};
use tana_protocol::api::node::{Membership as Standing, ServiceState};
use tana_protocol::message::{self, Decision};
use tana_protocol::node::NodeKey;
use tana_protocol::problem::Code;
use tana_protocol::{NodeId, ServiceKind};

use tokio::sync::watch;

use super::board::Board;
use super::peers::Peers;

/// After a change of the services' health the mesh hears of it this much later, so that a start is one heartbeat.
const SETTLE: Duration = Duration::from_secs(1);
/// A wait for a decision looks again after this long even without an event.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// This node, as it speaks to the mesh.
pub(super) struct Membership {
    id: NodeId,
    key: NodeKey,
    sovereign: Option<KeyFile>,
    offers: Vec<ServiceOffer>,
    has_mesh: bool,
    interval: Duration,
    mesh: MeshClient,
    ledger: LedgerClient,
    board: Board,
    end: Shutdown,
    told: Option<String>,
    peers: Peers,
    host: IpAddr,
    standing: watch::Sender<Option<Standing>>,
}

impl Membership {
    /// As the settings say; `None` where the home has no node key.
    pub(super) fn new(
        settings: &Settings,
        board: Board,
        standing: watch::Sender<Option<Standing>>,
        end: Shutdown,
    ) -> anyhow::Result<Option<Self>> {
        let Some(file) = KeyFile::find(&settings.home.node_key_file())? else {
            standing.send_replace(Some(Standing {
                status: None,
                why: Some("this home has no node key; make one: tana new node NAME".to_owned()),
            }));
            return Ok(None);
        };
        let key = NodeKey::new(file.secret_key);
        // Sealed, or readable by others: then a person decides, with the key in hand.
        let sovereign =
            KeyFile::find(&settings.home.sovereign_key_file()).unwrap_or_else(|error| {
                tracing::info!("this node is not approved by itself: {error}");
                None
            });
        let kinds = settings.role.services();
        Ok(Some(Self {
            id: settings.node_id.clone(),
            sovereign,
            offers: kinds
                .iter()
                .map(|kind| ServiceOffer {
                    kind: kind.name().to_owned(),
                    port: settings.port(*kind),
                    public_key: key.service_key(*kind).public(),
                })
                .collect(),
            has_mesh: kinds.contains(&ServiceKind::Mesh),
            interval: settings.heartbeat_interval,
            mesh: MeshClient::new(&settings.url(ServiceKind::Mesh))?,
            ledger: LedgerClient::new(&settings.url(ServiceKind::Ledger))?,
            key,
            board,
            end,
            told: None,
            peers: Peers::default(),
            host: settings.host,
            standing,
        }))
    }

    /// Keeps the node a member until the supervisor ends.
    pub(super) async fn run(mut self) {
        let end = self.end.clone();
        tokio::select! {
            () = self.stay_member() => {}
            () = end.begun() => {}
        }
    }

    async fn stay_member(&mut self) {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));
        loop {
            self.mesh_is_ready().await;
            match self.step().await {
                Ok(()) => {
                    backoff.reset();
                    self.told = None;
                }
                Err(error) => {
                    self.tell(format!(
                        "the mesh does not have this node's heartbeat: {error}"
                    ));
                    tokio::time::sleep(backoff.next_delay()).await;
                }
            }
        }
    }

    /// Waits for this node's own mesh; another's is simply asked.
    async fn mesh_is_ready(&self) {
        let mut changes = self.board.changes();
        while self.has_mesh
            && !self
                .board
                .get(ServiceKind::Mesh)
                .is_some_and(|view| view.state == ServiceState::Ready)
        {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Logs what is new: the same trouble is told once, however long it lasts.
    fn tell(&mut self, text: String) {
        if self.told.as_ref() != Some(&text) {
            tracing::warn!("{text}");
            self.stands(|standing| standing.why = Some(text.clone()));
            self.told = Some(text);
        }
    }

    fn stands(&self, change: impl FnOnce(&mut Standing)) {
        self.standing
            .send_modify(|standing| change(standing.get_or_insert_default()));
    }

    async fn step(&mut self) -> Result<(), ClientError> {
        let node = match self.mesh.node(&self.id).await {
            Ok(node) => node,
            Err(error) if error.code() == Some(Code::NotFound) => {
                self.register().await?;
                self.mesh.node(&self.id).await?
            }
            Err(error) => return Err(error),
        };
        if node.public_key != self.key.public() {
            self.tell(format!(
                "the mesh knows {} under another key ({}); give this node another nodeId in config.json",
                self.id,
                node.public_key.short()
            ));
            tokio::time::sleep(LOOK_AGAIN).await;
            return Ok(());
        }
        self.stands(|standing| standing.status = Some(node.status));
        match node.status {
            NodeStatus::Active | NodeStatus::Offline => self.beat_on().await,
            NodeStatus::Pending => self.become_approved(&node).await,
            NodeStatus::Denied => {
                self.tell(format!(
                    "a sovereign has put {} out; it comes back only with another key: tana mesh rekey",
                    self.id
                ));
                self.decision().await;
                Ok(())
            }
        }
    }

    /// The name and address that other nodes reach this one at: those of the address that the services bind, or, where
    /// they bind all, the private network's.
    async fn place(&self) -> (String, Option<String>) {
        if !self.host.is_unspecified() {
            return (hostname(), Some(self.host.to_string()));
        }
        let found = tokio::task::spawn_blocking(Tailscale::detect).await;
        match found.ok().flatten() {
            Some(found) => (found.hostname, Some(found.ip.to_string())),
            None => (hostname(), None),
        }
    }

    async fn register(&self) -> Result<(), ClientError> {
        let (host, address) = self.place().await;
        let key = self.key.public().to_string();
        let signature =
            self.key
                .secret()
                .sign(&message::registration(self.id.as_str(), &key, &host));
        self.mesh
            .register(&Register {
                node_id: self.id.to_string(),
                public_key: key,
                tailscale_hostname: host,
                tailscale_ip: address,
                services: self.offers.clone(),
                signature,
            })
            .await?;
        tracing::info!("registered {} at the mesh", self.id);
        Ok(())
    }

    async fn become_approved(&mut self, node: &Node) -> Result<(), ClientError> {
        if let Some(sovereign) = &self.sovereign {
            let decided = self
                .mesh
                .decide(
                    Decision::Approve,
                    &self.id,
                    &node.public_key,
                    &sovereign.secret_key,
                )
                .await;
            match decided {
                Ok(_) => {
                    tracing::info!("approved {} with the sovereign key of this home", self.id);
                    return Ok(());
                }
                Err(error) if error.code() == Some(Code::AlreadyDecided) => return Ok(()),
                Err(error) if error.code() == Some(Code::Forbidden) => self.tell(format!(
                    "the sovereign key of this home cannot approve {}: {error}",
                    self.id
                )),
                Err(error) => return Err(error),
            }
        } else {
            self.tell(format!(
                "{} waits for a sovereign's approval; where the sovereign's key is: tana mesh approve {}",
                self.id, self.id
            ));
        }
        self.decision().await;
        Ok(())
    }

    /// Waits until the mesh says something about this node.
    async fn decision(&self) {
        let mut changes = self.mesh.changes();
        let told = async {
            while let Some(item) = changes.next().await {
                match item {
                    StreamItem::Event(MeshChange(event)) => {
                        let ours = event.node().is_some_and(|node| node.id == self.id);
                        if ours && !matches!(event, MeshEvent::Registered(_)) {
                            return;
                        }
                    }
                    StreamItem::Refused(_) => break,
                    StreamItem::Connected | StreamItem::Lost { .. } => {}
                }
            }
            std::future::pending::<()>().await;
        };
        // An event that came before the stream stood is found by looking again.
        let _told_or_not = tokio::time::timeout(LOOK_AGAIN, told).await;
    }

    /// Heartbeats: now, whenever the health of the services changes, and every interval.
    async fn beat_on(&mut self) -> Result<(), ClientError> {
        loop {
            let healthy = self.healthy();
            self.beat(&healthy).await?;
            self.told = None;
            self.stands(|standing| {
                *standing = Standing {
                    status: Some(NodeStatus::Active),
                    why: None,
                };
            });
            let mut changes = self.board.changes();
            let changed = async {
                while self.healthy() == healthy {
                    if changes.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
                tokio::time::sleep(SETTLE).await;
            };
            let _changed_or_time = tokio::time::timeout(self.interval, changed).await;
            // Its own mesh may be down now, which is no trouble of the heartbeat's.
            self.mesh_is_ready().await;
        }
    }

    fn healthy(&self) -> Vec<(ServiceKind, bool)> {
        self.board
            .all()
            .into_iter()
            .map(|view| (view.name, view.state == ServiceState::Ready))
            .collect()
    }

    async fn beat(&mut self, healthy: &[(ServiceKind, bool)]) -> Result<(), ClientError> {
        let mut beat = MeshClient::sign_heartbeat(&self.id, self.key.secret());
        let last_check = SystemClock.now();
        beat.services = Some(
            healthy
                .iter()
                .map(|(kind, healthy)| ServiceHealth {
                    kind: kind.name().to_owned(),
                    healthy: *healthy,
                    last_check,
                })
                .collect(),
        );
        let ledger_is_ready = healthy.contains(&(ServiceKind::Ledger, true));
        if ledger_is_ready {
            beat.height = self
                .ledger
                .latest_block()
                .await
                .ok()
                .map(|block| block.header.height);
        }
        beat.tailscale_ip = self.place().await.1;
        // Whom it reaches is no condition of being alive.
        beat.peers = self.peers.measure(&self.mesh, &self.id).await.ok();
        beat.version = Some(crate::VERSION.to_owned());
        self.mesh.heartbeat(&beat).await.map(|_taken| ())
    }
}

/// This machine's name, as others of a private network know it.
fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}

//! `tana mesh register`: this home's node, or with `--dev` another one that is played from this terminal.

use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::Args;
use tana_client::{MeshClient, MeshEvent, StreamItem};
use tana_home::{KeyFile, Tailscale};
use tana_protocol::api::mesh::{Node, NodeStatus, Register as Registration, ServiceOffer};
use tana_protocol::node::NodeKey;
use tana_protocol::{Code, NodeId, PublicKey, ServiceKind, message};
use tokio::time::MissedTickBehavior;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, failure};
use crate::cli::new::further_node;
use crate::show::clean;

#[derive(Debug, Args)]
pub(crate) struct Register {
    /// Play another node from this home, with a key of its own in nodes/ID.json
    #[arg(long, requires = "node_id")]
    dev: bool,
    /// The node's name in the mesh; default: this home's
    #[arg(long, value_name = "ID")]
    node_id: Option<String>,
    /// What the played node's ports are moved by
    #[arg(long, value_name = "N", requires = "dev")]
    port_offset: Option<u16>,
    /// The host name that other nodes reach it by; default: Tailscale's, else this machine's
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// The address that other nodes reach it by; default: Tailscale's
    #[arg(long, value_name = "IP")]
    ip: Option<String>,
    /// Leave once it is registered
    #[arg(long, visible_alias = "no-heartbeat", conflicts_with_all = ["stay", "wait"])]
    once: bool,
    /// Stay and send the played node's heartbeats, also without a terminal
    #[arg(long, requires = "dev")]
    stay: bool,
    /// Return once a sovereign has decided
    #[arg(long)]
    wait: bool,
    /// Seconds that --wait waits at most
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
}

/// What happens after the registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Leave,
    UntilDecided,
    /// Heartbeats until the terminal's Ctrl-C.
    Live,
}

impl Register {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let id = self.id(context)?;
        let (key, offset) = self.key(context, &id)?;
        let mesh = context.mesh()?;
        let node = self.register(context, &mesh, &id, &key, offset).await?;
        context.out.line(&node, || {
            format!(
                "{id} is {} at {}\nkey  {}\n",
                node.status,
                mesh.base(),
                node.public_key.fingerprint()
            )
        })?;
        let after = if self.wait {
            After::UntilDecided
        } else if !self.dev || self.once || !(self.stay || io::stdout().is_terminal()) {
            After::Leave
        } else {
            After::Live
        };
        if node.status == NodeStatus::Pending {
            context.out.hint(&format!(
                "a sovereign admits it: tana mesh approve {id}, or the console's Approvals"
            ))?;
        }
        match after {
            After::Leave => Ok(Exit::Done),
            After::UntilDecided => {
                let limit = Duration::from_secs(self.timeout);
                match tokio::time::timeout(limit, live(context, &mesh, &id, &key, after)).await {
                    Ok(result) => result,
                    Err(_) => Err(failure(
                        Exit::TimedOut,
                        format!(
                            "nobody has decided on {id} in {} s; it stays pending",
                            self.timeout
                        ),
                    )),
                }
            }
            After::Live => live(context, &mesh, &id, &key, after).await,
        }
    }

    fn id(&self, context: &Context) -> anyhow::Result<NodeId> {
        match &self.node_id {
            None => Ok(context.settings.node_id.clone()),
            Some(text) => text
                .parse()
                .map_err(|error| failure(Exit::Misuse, format!("{:?}: {error}", clean(text)))),
        }
    }

    fn key(&self, context: &Context, id: &NodeId) -> anyhow::Result<(NodeKey, u16)> {
        if !self.dev {
            if *id != context.settings.node_id {
                return Err(failure(
                    Exit::Misuse,
                    format!(
                        "this home's node is {}; to play {id} from here add --dev",
                        context.settings.node_id
                    ),
                ));
            }
            let file = KeyFile::read(&context.home().node_key_file())?;
            return Ok((NodeKey::new(file.secret_key), context.settings.port_offset));
        }
        let (file, _) = further_node(context, id, self.port_offset.unwrap_or(0))?;
        let offset = self.port_offset.unwrap_or(file.port_offset);
        Ok((NodeKey::new(file.secret_key), offset))
    }

    async fn register(
        &self,
        context: &Context,
        mesh: &MeshClient,
        id: &NodeId,
        key: &NodeKey,
        offset: u16,
    ) -> anyhow::Result<Node> {
        // A played node lives on this machine alone.
        let found = (!self.dev && (self.hostname.is_none() || self.ip.is_none()))
            .then(Tailscale::detect)
            .flatten();
        let hostname = match (&self.hostname, &found) {
            (Some(name), _) => name.clone(),
            (None, Some(found)) => found.hostname.clone(),
            (None, None) => machine_name(),
        };
        let public_key = key.public().to_string();
        let text = message::registration(id.as_str(), &public_key, &hostname);
        let services = offers(context, key, offset)?;
        let registration = Registration {
            node_id: id.to_string(),
            public_key,
            tailscale_hostname: hostname,
            tailscale_ip: self
                .ip
                .clone()
                .or_else(|| self.dev.then(|| "127.0.0.1".to_owned()))
                .or_else(|| found.map(|found| found.ip.to_string())),
            services,
            signature: key.secret().sign(&text),
        };
        match mesh.register(&registration).await {
            Ok(_) => Ok(mesh.node(id).await?),
            Err(error) if error.code() == Some(Code::AlreadyExists) => {
                known(mesh, id, &key.public(), error).await
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The name or key is taken: by this very node, which is as good as registered, or by another.
async fn known(
    mesh: &MeshClient,
    id: &NodeId,
    key: &PublicKey,
    refusal: tana_client::ClientError,
) -> anyhow::Result<Node> {
    match mesh.node(id).await {
        Ok(node) if node.public_key == *key => Ok(node),
        Ok(node) => Err(failure(
            Exit::Refused,
            format!(
                "another node is registered as {id} (key {}); choose another name: --node-id",
                node.public_key.short()
            ),
        )),
        Err(_) => Err(refusal.into()),
    }
}

/// What a node with this key offers.
pub(super) fn offers(
    context: &Context,
    key: &NodeKey,
    offset: u16,
) -> anyhow::Result<Vec<ServiceOffer>> {
    let kinds = context.settings.role.services().iter();
    kinds
        .map(|&kind| {
            Ok(ServiceOffer {
                kind: kind.name().to_owned(),
                port: port(context, kind, offset)?,
                public_key: key.service_key(kind).public(),
            })
        })
        .collect()
}

fn port(context: &Context, kind: ServiceKind, offset: u16) -> anyhow::Result<u16> {
    // The settings' ports have this home's own offset in them already.
    let base = context.settings.port(kind) - context.settings.port_offset;
    base.checked_add(offset).ok_or_else(|| {
        failure(
            Exit::Misuse,
            format!(
                "--port-offset {offset} moves {kind}'s port beyond 65535; choose a smaller one"
            ),
        )
    })
}

fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"))
        .unwrap_or_default();
    let name = clean(name.trim());
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name
    }
}

/// Follows the node's standing, and sends its heartbeats while it is admitted.
async fn live(
    context: &Context,
    mesh: &MeshClient,
    id: &NodeId,
    key: &NodeKey,
    after: After,
) -> anyhow::Result<Exit> {
    let mut events = mesh.events();
    let mut beats = tokio::time::interval(context.settings.heartbeat_interval);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shown: Option<NodeStatus> = None;
    let mut admitted = false;
    loop {
        let status = tokio::select! {
            item = events.next() => match item {
                Some(StreamItem::Connected) => Some(mesh.node(id).await?.status),
                Some(StreamItem::Event(MeshEvent::Heartbeat(_))) => None,
                Some(StreamItem::Event(event)) => {
                    event.node().filter(|node| node.id == *id).map(|node| node.status)
                }
                Some(StreamItem::Lost { why, .. }) => {
                    context.out.progress(&format!("the mesh is gone, trying again: {why}"));
                    None
                }
                Some(StreamItem::Refused(error)) => return Err(error.into()),
                None => return Ok(Exit::Done),
            },
            _ = beats.tick(), if admitted && after == After::Live => {
                beat(context, mesh, id, key).await?;
                None
            }
        };
        let Some(status) = status else { continue };
        if shown != Some(status) {
            shown = Some(status);
            let value = serde_json::json!({"id": id, "status": status});
            context.out.line(&value, || format!("{id} is {status}\n"))?;
        }
        let was = std::mem::replace(
            &mut admitted,
            matches!(status, NodeStatus::Active | NodeStatus::Offline),
        );
        if status == NodeStatus::Denied {
            return Err(failure(
                Exit::Refused,
                format!("a sovereign has denied {id}; it stays out"),
            ));
        }
        if admitted && after == After::UntilDecided {
            return Ok(Exit::Done);
        }
        if admitted && !was {
            context.out.hint("sends heartbeats; Ctrl-C ends it")?;
            beats.reset_immediately();
        }
    }
}

async fn beat(
    context: &Context,
    mesh: &MeshClient,
    id: &NodeId,
    key: &NodeKey,
) -> anyhow::Result<()> {
    let mut heartbeat = MeshClient::sign_heartbeat(id, key.secret());
    heartbeat.version = Some(env!("CARGO_PKG_VERSION").to_owned());
    match mesh.heartbeat(&heartbeat).await {
        Ok(_) => Ok(()),
        // A mesh that restarts takes the next one.
        Err(error) if error.is_unreachable() || error.is_outcome_unknown() => {
            context
                .out
                .progress(&format!("no heartbeat was taken: {error}"));
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

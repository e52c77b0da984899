//! The keys that service tokens are checked with: this node's own, then the mesh registry's (active nodes only),
//! remembered for a short while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tana_client::{MeshChange, MeshClient, StreamItem};
use tana_home::{KeyFile, Settings};
use tana_kit::{ApiError, ApiResult, Clock, ServiceKeys, Shutdown};
use tana_protocol::api::mesh::{Node, NodeStatus};
use tana_protocol::node::NodeKey;
use tana_protocol::problem::Code;
use tana_protocol::{NodeId, PublicKey, ServiceKind, Timestamp};

/// A node that is active is looked at again after this long: so long a revoked one is still honoured.
const REMEMBER_ACTIVE: Duration = Duration::from_secs(30);
/// A node that is not is looked at again sooner: it may just have been approved.
const REMEMBER_OTHERS: Duration = Duration::from_secs(2);
/// Nodes that are remembered at most: names come from tokens that nobody has checked yet.
const REMEMBERED: usize = 1024;

/// The registry of one node.
pub struct MeshServiceKeys {
    own: Option<(NodeId, NodeKey)>,
    mesh: MeshClient,
    clock: Arc<dyn Clock>,
    remembered: Mutex<HashMap<NodeId, Remembered>>,
}

struct Remembered {
    keys: Vec<(String, PublicKey)>,
    until: Timestamp,
}

impl MeshServiceKeys {
    /// As the settings say: the node key of the home where there is one, and the mesh.
    ///
    /// # Errors
    /// When the key file is there and not right, or the mesh's address is none.
    pub fn new(settings: &Settings, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let own = KeyFile::find(&settings.home.node_key_file())?
            .map(|file| (settings.node_id.clone(), NodeKey::new(file.secret_key)));
        Ok(Self {
            own,
            mesh: MeshClient::new(&settings.url(ServiceKind::Mesh))?,
            clock,
            remembered: Mutex::default(),
        })
    }

    /// Keeps what is remembered as the mesh says it is, until the shutdown: who is denied or goes offline is out at once.
    pub async fn follow(self: Arc<Self>, shutdown: Shutdown) {
        let mut changes = self.mesh.changes();
        let told = async {
            while let Some(item) = changes.next().await {
                match item {
                    StreamItem::Event(MeshChange(event)) => {
                        if let Some(node) = event.node() {
                            self.told(node);
                        }
                    }
                    // Without events what is remembered ends by its time.
                    StreamItem::Refused(_) => return,
                    StreamItem::Connected | StreamItem::Lost { .. } => {}
                }
            }
        };
        tokio::select! {
            () = told => {}
            () = shutdown.begun() => {}
        }
    }

    /// Takes in what the mesh says of a node that was asked about before; others would only take room.
    fn told(&self, node: &Node) {
        let now = self.clock.now();
        if let Some(known) = self.lock().get_mut(&node.id) {
            (known.keys, known.until) = if node.status == NodeStatus::Active {
                (offers(node), now.plus(REMEMBER_ACTIVE))
            } else {
                (Vec::new(), now.plus(REMEMBER_OTHERS))
            };
        }
    }

    fn recall(&self, service: ServiceKind, node: &NodeId) -> Option<Option<PublicKey>> {
        let remembered = self.lock();
        let known = remembered.get(node)?;
        (known.until > self.clock.now()).then(|| key_of(&known.keys, service))
    }

    /// What was known before the mesh went away. It is not asked again for a moment, so that requests do not wait for it.
    fn last_known(&self, service: ServiceKind, node: &NodeId) -> Option<PublicKey> {
        let until = self.clock.now().plus(REMEMBER_OTHERS);
        let mut remembered = self.lock();
        let known = remembered.get_mut(node)?;
        let key = key_of(&known.keys, service)?;
        known.until = known.until.max(until);
        Some(key)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<NodeId, Remembered>> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, service: ServiceKind, node: &NodeId) -> ApiResult<Option<PublicKey>> {
        let found = match self.mesh.node(node).await {
            Ok(found) => Some(found),
            Err(error) if error.code() == Some(Code::NotFound) => None,
            Err(error) => {
                return Err(ApiError::new(
                    Code::Unavailable,
                    format!("the mesh registry cannot be asked about {node}: {error}"),
                )
                .retry_after(2));
            }
        };
        let (keys, time) = match found {
            Some(found) if found.status == NodeStatus::Active => (offers(&found), REMEMBER_ACTIVE),
            _ => (Vec::new(), REMEMBER_OTHERS),
        };
        let key = key_of(&keys, service);
        let now = self.clock.now();
        let mut remembered = self.lock();
        if remembered.len() >= REMEMBERED {
            remembered.retain(|_, known| known.until > now);
        }
        if remembered.len() < REMEMBERED {
            let until = now.plus(time);
            remembered.insert(node.clone(), Remembered { keys, until });
        }
        Ok(key)
    }
}

fn offers(node: &Node) -> Vec<(String, PublicKey)> {
    node.services
        .iter()
        .map(|service| (service.service_type.clone(), service.public_key))
        .collect()
}

fn key_of(keys: &[(String, PublicKey)], service: ServiceKind) -> Option<PublicKey> {
    keys.iter()
        .find(|(name, _)| name == service.name())
        .map(|(_, key)| *key)
}

impl ServiceKeys for MeshServiceKeys {
    fn key<'a>(
        &'a self,
        service: ServiceKind,
        node: &'a NodeId,
    ) -> BoxFuture<'a, ApiResult<Option<PublicKey>>> {
        Box::pin(async move {
            // Who has this node's key has this process's as well: nobody need be asked.
            if let Some((id, key)) = &self.own
                && id == node
            {
                return Ok(Some(key.service_key(service).public()));
            }
            if let Some(key) = self.recall(service, node) {
                return Ok(key);
            }
            let asked = self.ask(service, node).await;
            // While the mesh is away, what it said last holds.
            match asked {
                Err(error) => self.last_known(service, node).ok_or(error).map(Some),
                asked => asked,
            }
        })
    }
}

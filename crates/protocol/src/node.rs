//! A node's own identity: its key and the keys of its services, derived from it.

use crate::key::{PublicKey, SecretKey};
use crate::service::ServiceKind;

/// The key that a node registers, signs heartbeats and derives its services' keys with.
#[derive(Clone, Debug)]
pub struct NodeKey(SecretKey);

impl NodeKey {
    /// Wraps a node's private key.
    #[must_use]
    pub const fn new(key: SecretKey) -> Self {
        Self(key)
    }

    /// The node's own key.
    #[must_use]
    pub const fn secret(&self) -> &SecretKey {
        &self.0
    }

    /// What the mesh registers.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.0.public()
    }

    /// The key that a service of this node signs its tokens, and the producer its blocks, with.
    #[must_use]
    pub fn service_key(&self, service: ServiceKind) -> SecretKey {
        self.0.derive(&format!("service:{service}"))
    }
}

//! A node as the mesh sees it: its key, and what it and a sovereign sign.

use serde_json::{Value, json};
use tana_client::now;
use tana_protocol::message::{self, Decision};
use tana_protocol::node::NodeKey;
use tana_protocol::{NodeId, SecretKey, ServiceKind, Timestamp};

use crate::daemon::{Answer, Daemon};

const HOST: &str = "host.example.ts.net";

/// The sovereign whose key every mesh of these tests begins with.
pub(crate) fn sovereign() -> SecretKey {
    SecretKey::from_seed(&[42; 32])
}

pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) key: NodeKey,
}

impl Node {
    pub(crate) fn new(id: &str) -> Self {
        Self {
            id: id.parse().unwrap(),
            key: NodeKey::new(SecretKey::generate()),
        }
    }

    /// A registration with the key in a certain spelling, which is what is signed.
    pub(crate) fn registration(&self, key_text: &str) -> Value {
        let text = message::registration(self.id.as_str(), key_text, HOST);
        let services = ServiceKind::ALL.map(|kind| {
            json!({
                "type": kind.name(),
                "port": kind.default_port(),
                "publicKey": self.key.service_key(kind).public(),
            })
        });
        json!({
            "nodeId": self.id,
            "publicKey": key_text,
            "tailscaleHostname": HOST,
            "tailscaleIP": "100.64.0.7",
            "services": services,
            "signature": self.key.secret().sign(&text),
        })
    }

    pub(crate) async fn register(&self, mesh: &Daemon) -> Answer {
        let body = self.registration(&self.key.public().to_string());
        mesh.post("/register", &body).await
    }

    /// A decision in the long form.
    pub(crate) fn decision(&self, decision: Decision, by: &SecretKey, at: Timestamp) -> Value {
        let text = message::decision(decision, &self.id, &self.key.public(), at);
        json!({
            "approverPublicKey": by.public(),
            "signature": by.sign(&text),
            "timestamp": at.ms(),
        })
    }

    pub(crate) async fn approve(&self, mesh: &Daemon) -> Answer {
        let body = self.decision(Decision::Approve, &sovereign(), now());
        mesh.post(&format!("/approve/{}", self.id), &body).await
    }

    /// Registers and is approved.
    pub(crate) async fn join(&self, mesh: &Daemon) {
        self.register(mesh).await.ok(201);
        self.approve(mesh).await.ok(200);
    }

    pub(crate) fn heartbeat(&self, at: Timestamp) -> Value {
        let text = message::heartbeat(&self.id, at);
        json!({
            "nodeId": self.id,
            "timestamp": at.ms(),
            "signature": self.key.secret().sign(&text),
        })
    }

    /// Where it stands.
    pub(crate) async fn status(&self, mesh: &Daemon) -> String {
        let answer = mesh.get(&format!("/nodes/{}", self.id)).await.ok(200);
        answer["node"]["status"].as_str().unwrap().to_owned()
    }
}

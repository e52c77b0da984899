//! What a mesh does not let its members and its guests do: get away from a removal, vote twice, fill it up, make it fail.

use serde_json::json;
use tana_client::{MeshClient, now};
use tana_daemons::mesh::Config;
use tana_protocol::message::{self, Decision};
use tana_protocol::{Code, SecretKey, Timestamp};

use crate::daemon::{Answer, Daemon};
use crate::mesh::{config, start_as};
use crate::node::{Node, sovereign};

fn second() -> SecretKey {
    SecretKey::from_seed(&[43; 32])
}

/// Two sovereigns, both of whom must agree.
async fn of_two(home: &std::path::Path) -> Daemon {
    let mut config = config(home);
    let other = (second().public(), "@other".to_owned());
    config.sovereigns.push(other);
    start_as(Config {
        threshold: 2,
        ..config
    })
    .await
}

async fn vote(mesh: &Daemon, node: &Node, decision: Decision, by: &SecretKey) -> Answer {
    let body = node.decision(decision, by, now());
    mesh.post(&format!("/{}/{}", decision.verb(), node.id), &body)
        .await
}

#[tokio::test]
async fn a_node_does_not_get_away_from_its_removal_by_changing_its_key() {
    let home = tempfile::tempdir().unwrap();
    let mesh = of_two(home.path()).await;
    let client = MeshClient::new(&mesh.base).unwrap();
    let node = Node::new("node-1");
    node.register(&mesh).await.ok(201);
    for by in [sovereign(), second()] {
        vote(&mesh, &node, Decision::Approve, &by).await.ok(200);
    }
    let first = vote(&mesh, &node, Decision::Remove, &sovereign()).await;
    assert_eq!(first.ok(200)["votes"], 1);
    let next = SecretKey::generate();
    let host = "host.example.ts.net";
    let rotated = client
        .rotate_node(&node.id, host, node.key.secret(), &next, Vec::new())
        .await
        .unwrap();
    assert_eq!(rotated.public_key, next.public());
    assert_eq!(rotated.record.votes.len(), 1, "the vote stays");
    let again = client
        .rotate_node(&node.id, host, &next, &SecretKey::generate(), Vec::new())
        .await;
    assert_eq!(again.unwrap_err().code(), Some(Code::RateLimited));
    // Signed over the key that this sovereign saw.
    let out = vote(&mesh, &node, Decision::Remove, &second())
        .await
        .ok(200);
    assert_eq!(out["status"], "denied");
}

#[tokio::test]
async fn a_sovereign_whose_key_is_being_replaced_votes_once() {
    let home = tempfile::tempdir().unwrap();
    let mesh = of_two(home.path()).await;
    let client = MeshClient::new(&mesh.base).unwrap();
    let third = SecretKey::generate();
    let add = async |by: &SecretKey| {
        let at = now();
        let text = message::sovereign_add(&third.public(), at);
        let body = json!({
            "publicKey": third.public(), "addedBy": by.public(), "timestamp": at.ms(), "signature": by.sign(&text),
        });
        mesh.post("/sovereign/add", &body).await
    };
    let node = Node::new("node-1");
    node.register(&mesh).await.ok(201);
    assert_eq!(add(&sovereign()).await.ok(202)["votes"], 1);
    let next = SecretKey::generate();
    client.rotate_sovereign(&sovereign(), &next).await.unwrap();
    assert_eq!(add(&next).await.ok(202)["votes"], 1, "of one sovereign");

    vote(&mesh, &node, Decision::Approve, &next).await.ok(200);
    let changed = vote(&mesh, &node, Decision::Deny, &sovereign()).await;
    assert_eq!(changed.problem(409), "replayed", "the new key has spoken");
    let votes = mesh.get("/nodes/node-1").await.ok(200)["node"]["votes"].clone();
    assert_eq!(votes.as_array().unwrap().len(), 1, "{votes}");
    assert_eq!(
        (&votes[0]["decision"], &votes[0]["by"]),
        (&json!("approve"), &json!(next.public()))
    );
    vote(&mesh, &node, Decision::Approve, &second())
        .await
        .ok(200);
    assert_eq!(node.status(&mesh).await, "active");
    add(&second()).await.ok(201);
}

#[tokio::test]
async fn a_height_that_no_chain_has_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let mesh = start_as(config(home.path())).await;
    let node = Node::new("node-1");
    node.join(&mesh).await;
    let beat = async |height: u64, ago: u64| {
        let mut body = node.heartbeat(Timestamp::from_ms(now().ms() - ago));
        body["height"] = json!(height);
        mesh.post("/heartbeat", &body).await
    };
    for (ago, height) in [(1, (1 << 53) + 1), (2, i64::MAX as u64), (3, u64::MAX)] {
        assert_eq!(beat(height, ago).await.problem(400), "malformed");
    }
    beat(1 << 53, 4).await.ok(200);
    let shown = mesh.get("/nodes/node-1").await.ok(200);
    assert_eq!(shown["node"]["height"], json!(1_u64 << 53));
}

#[tokio::test]
async fn who_waits_or_was_denied_labels_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mesh = start_as(config(home.path())).await;
    let node = Node::new("node-1");
    node.register(&mesh).await.ok(201);
    let label = async |by: &SecretKey| {
        let (at, region) = (now(), "eu-west");
        let text = message::label(&node.id, at, region);
        let body = json!({
            "region": region, "publicKey": by.public(), "timestamp": at.ms(), "signature": by.sign(&text),
        });
        mesh.post("/label/node-1", &body).await
    };
    let count = async || mesh.get("/info").await.ok(200)["decisions"]["count"].clone();
    let before = count().await;
    assert_eq!(
        label(node.key.secret()).await.problem(403),
        "node-not-active"
    );
    assert_eq!(count().await, before, "the log is for ever");
    label(&sovereign()).await.ok(200);
    vote(&mesh, &node, Decision::Deny, &sovereign())
        .await
        .ok(200);
    assert_eq!(
        label(node.key.secret()).await.problem(403),
        "node-not-active"
    );
}

#[tokio::test]
async fn only_so_many_wait_for_a_sovereign() {
    let home = tempfile::tempdir().unwrap();
    let mesh = start_as(Config {
        waiting: 2,
        ..config(home.path())
    })
    .await;
    let nodes = [1, 2, 3].map(|number| Node::new(&format!("node-{number}")));
    for node in &nodes[..2] {
        node.register(&mesh).await.ok(201);
    }
    let body = nodes[2].registration(&nodes[2].key.public().to_string());
    let refused = mesh.http().post(mesh.url("/register")).json(&body);
    let refused = refused.send().await.unwrap();
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "60");
    nodes[0].approve(&mesh).await.ok(200);
    nodes[2].register(&mesh).await.ok(201);
}

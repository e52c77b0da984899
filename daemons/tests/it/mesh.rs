//! The mesh over HTTP: who may register, decide and be heard, and who is told.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tana_client::{MeshClient, MeshEvent, StreamItem, now};
use tana_daemons::mesh::{Config, build};
use tana_kit::http::Limits;
use tana_protocol::api::mesh::NodeStatus;
use tana_protocol::message::{self, Decision};
use tana_protocol::{SecretKey, ServiceKind, Timestamp};

use crate::daemon::{Daemon, LONG, until};
use crate::node::{Node, sovereign};

pub(crate) async fn start(directory: &Path, offline_after: Duration) -> Daemon {
    start_as(Config {
        offline_after,
        ..config(directory)
    })
    .await
}

/// One sovereign, who alone decides.
pub(crate) fn config(directory: &Path) -> Config {
    Config {
        database: directory.join("mesh.db"),
        sovereigns: vec![(sovereign().public(), "@owner".to_owned())],
        offline_after: FIVE_MINUTES,
        waiting: 1000,
        threshold: 1,
        stake: None,
    }
}

pub(crate) async fn start_as(config: Config) -> Daemon {
    Daemon::start(ServiceKind::Mesh, Limits::default(), |context| {
        build(config, context)
    })
    .await
}

const FIVE_MINUTES: Duration = Duration::from_secs(300);

/// ISO 8601 with milliseconds and `Z`.
#[track_caller]
fn is_time(value: &Value) {
    let text = value.as_str().unwrap_or_default();
    let time = text.parse::<Timestamp>();
    assert_eq!(time.map(|time| time.to_string()), Ok(text.to_owned()));
}

fn earlier(by_ms: u64) -> Timestamp {
    Timestamp::from_ms(now().ms() - by_ms)
}

#[tokio::test]
async fn a_registration_is_signed_over_the_spelling_that_was_sent() {
    let home = tempfile::tempdir().unwrap();
    let mesh = start(home.path(), FIVE_MINUTES).await;
    let node = Node::new("validator-2");
    let upper = node.key.public().to_string().to_uppercase();
    let body = node.registration(&upper);
    let mut other_spelling = body.clone();
    other_spelling["publicKey"] = json!(node.key.public());
    let refused = mesh.post("/register", &other_spelling).await;
    assert_eq!(refused.problem(401), "bad-signature");

    let answer = mesh.post("/register", &body).await.ok(201);
    assert_eq!(
        (&answer["success"], &answer["nodeId"], &answer["status"]),
        (&json!(true), &json!("validator-2"), &json!("pending"))
    );
    let shown = mesh.get("/nodes/validator-2").await.ok(200)["node"].clone();
    assert_eq!(shown["public_key"], json!(node.key.public()));
    assert_eq!(shown["tailscale_hostname"], "host.example.ts.net");
    assert_eq!(shown["tailscale_ip"], "100.64.0.7");
    assert_eq!(shown["services"][0]["service_type"], "mesh");
    assert_eq!(shown["services"][0]["type"], "mesh");
    let shown: tana_protocol::api::mesh::Node = serde_json::from_value(shown).unwrap();
    shown.verify_registration().unwrap();

    assert_eq!(
        mesh.post("/register", &body).await.problem(409),
        "already-exists"
    );
    let mut same_key = Node::new("validator-3");
    same_key.key = node.key.clone();
    assert_eq!(
        same_key.register(&mesh).await.problem(409),
        "already-exists"
    );
    let other = Node::new("validator-4");
    for (field, value) in [
        ("nodeId", json!("a:b")),
        ("nodeId", json!("")),
        ("publicKey", json!("00")),
        ("tailscaleIP", json!("not an address")),
        ("services", json!("none")),
        ("signature", json!("zz")),
        (
            "services",
            json!([{"type": "A b", "port": 1, "publicKey": other.key.public()}]),
        ),
        (
            "services",
            json!([{"type": "t4", "port": 70000, "publicKey": other.key.public()}]),
        ),
    ] {
        let mut body = other.registration(&other.key.public().to_string());
        body[field] = value;
        let refused = mesh.post("/register", &body).await;
        assert_eq!(refused.problem(400), "malformed", "{field}");
    }
    assert_eq!(
        mesh.get("/nodes/validator-4").await.problem(404),
        "not-found"
    );
}

#[tokio::test]
async fn a_sovereign_decides_once_and_nobody_else_does() {
    let home = tempfile::tempdir().unwrap();
    let mesh = start(home.path(), FIVE_MINUTES).await;
    let node = Node::new("node-1");
    assert_eq!(node.approve(&mesh).await.problem(404), "not-found");
    node.register(&mesh).await.ok(201);
    let stranger = SecretKey::from_seed(&[9; 32]);
    let by_stranger = node.decision(Decision::Approve, &stranger, now());
    assert_eq!(
        mesh.post("/approve/node-1", &by_stranger)
            .await
            .problem(403),
        "forbidden"
    );
    let denial = node.decision(Decision::Deny, &sovereign(), now());
    assert_eq!(
        mesh.post("/approve/node-1", &denial).await.problem(401),
        "bad-signature",
        "a denial is no approval"
    );
    let stale = node.decision(Decision::Approve, &sovereign(), earlier(61_000));
    assert_eq!(
        mesh.post("/approve/node-1", &stale).await.problem(400),
        "stale-timestamp"
    );
    assert_eq!(node.status(&mesh).await, "pending");

    let (one, two) = tokio::join!(node.approve(&mesh), node.approve(&mesh));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "of two at once one decides");
    assert_eq!(node.status(&mesh).await, "active");
    assert_eq!(node.approve(&mesh).await.problem(409), "already-decided");
}

#[tokio::test]
async fn the_short_form_decides_only_on_a_node_that_was_never_decided_on() {
    let home = tempfile::tempdir().unwrap();
    let mesh = start(home.path(), FIVE_MINUTES).await;
    let node = Node::new("node-1");
    node.register(&mesh).await.ok(201);
    let short = |decision| {
        let text = message::decision_short(decision, &node.id);
        json!({"approverPublicKey": sovereign().public(), "signature": sovereign().sign(&text)})
    };
    let denied = mesh
        .post("/deny/node-1", &short(Decision::Deny))
        .await
        .ok(200);
    assert_eq!(denied["status"], "denied");
    let replayed = mesh
        .post("/approve/node-1", &short(Decision::Approve))
        .await;
    assert_eq!(replayed.problem(409), "already-decided");
    let listed = mesh
        .get("/nodes?status=denied&status=pending")
        .await
        .ok(200);
    assert_eq!(listed["nodes"].as_array().unwrap().len(), 1);
    assert_eq!(mesh.get("/nodes").await.ok(200)["nodes"], json!([]));
    assert_eq!(
        mesh.get("/nodes?status=gone").await.problem(400),
        "out-of-range"
    );
}

#[tokio::test]
async fn heartbeats_cannot_be_replayed_forged_or_late() {
    let home = tempfile::tempdir().unwrap();
    let mesh = start(home.path(), FIVE_MINUTES).await;
    let node = Node::new("node-1");
    let beat = node.heartbeat(now());
    assert_eq!(
        mesh.post("/heartbeat", &beat).await.problem(404),
        "not-found"
    );
    node.register(&mesh).await.ok(201);
    assert_eq!(
        mesh.post("/heartbeat", &beat).await.problem(403),
        "node-not-active"
    );
    node.approve(&mesh).await.ok(200);
    let answer = mesh.post("/heartbeat", &beat).await.ok(200);
    assert_eq!(answer["success"], true);
    is_time(&answer["timestamp"]);
    assert_eq!(
        mesh.post("/heartbeat", &beat).await.problem(409),
        "replayed"
    );
    let mut forged = node.heartbeat(now());
    forged["timestamp"] = json!(now().ms() + 5);
    assert_eq!(
        mesh.post("/heartbeat", &forged).await.problem(401),
        "bad-signature"
    );
    for at in [earlier(61_000), now().plus(Duration::from_secs(62))] {
        let late = mesh.post("/heartbeat", &node.heartbeat(at)).await;
        assert_eq!(late.problem(400), "stale-timestamp");
    }
    let mut full = node.heartbeat(earlier(30_000));
    full["height"] = json!(12);
    full["tailscaleIP"] = json!("100.64.0.9");
    full["services"] = json!([
        {"type": "ledger", "healthy": true, "lastCheck": now()},
        {"type": "t4", "healthy": true, "lastCheck": now().ms()},
    ]);
    full["peers"] = json!([{"nodeId": "node-1", "latencyMs": 3}]);
    mesh.post("/heartbeat", &full).await.ok(200);
    let topology = mesh.get("/topology").await.ok(200);
    let shown = &topology["nodes"][0];
    assert_eq!(
        (&shown["height"], &shown["tailscale_ip"]),
        (&json!(12), &json!("100.64.0.9"))
    );
    let ledger = &shown["services"][1];
    assert_eq!(
        (&ledger["type"], &ledger["healthy"]),
        (&json!("ledger"), &json!(true))
    );
    assert_eq!(ledger["publicKey"], ledger["public_key"]);
    let checked = shown["services"].as_array().unwrap().iter();
    let checked: Vec<_> = checked
        .filter(|service| !service["last_check"].is_null())
        .collect();
    assert_eq!(checked.len(), 2, "said in either form: {shown}");
    for service in checked {
        is_time(&service["last_check"]);
    }
    assert!(shown["last_heartbeat"].is_u64() && shown["registered_at"].is_u64());
    assert_eq!(topology["links"][0]["latency_ms"], 3);
    is_time(&topology["links"][0]["at"]);
    let validators = mesh.get("/validators/active").await.ok(200);
    assert_eq!(validators["validators"][0]["id"], "node-1");
    is_time(&validators["validators"][0]["lastSeen"]);
    assert_eq!(validators["validators"][0]["wsUrl"], "ws://100.64.0.9:8070");
    let info = mesh.get("/info").await.ok(200);
    assert_eq!(
        (&info["service"], &info["nodes"]["active"]),
        (&json!("mesh"), &json!(1))
    );
}

#[tokio::test]
async fn a_silent_node_goes_offline_by_itself_and_a_heartbeat_brings_it_back() {
    let home = tempfile::tempdir().unwrap();
    let mesh = start(home.path(), Duration::from_millis(300)).await;
    let client = MeshClient::new(&mesh.base).unwrap();
    let mut events = client.events();
    assert!(matches!(events.next().await, Some(StreamItem::Connected)));
    let node = Node::new("node-1");
    node.join(&mesh).await;
    let mut next = async || {
        let item = tokio::time::timeout(LONG, events.next()).await.unwrap();
        match item {
            Some(StreamItem::Event(event)) => event,
            other => panic!("{other:?}"),
        }
    };
    let status = |event: &MeshEvent| event.node().map(|node| node.status);
    let registered = next().await;
    assert!(matches!(registered, MeshEvent::Registered(_)));
    assert_eq!(status(&registered), Some(NodeStatus::Pending));
    assert!(matches!(next().await, MeshEvent::Approved(_)));
    let gone = next().await;
    assert!(matches!(gone, MeshEvent::Status(_)), "{gone:?}");
    assert_eq!(status(&gone), Some(NodeStatus::Offline));
    assert_eq!(node.status(&mesh).await, "offline");
    mesh.post("/heartbeat", &node.heartbeat(now()))
        .await
        .ok(200);
    let back = next().await;
    assert!(matches!(back, MeshEvent::Status(_)), "{back:?}");
    assert_eq!(status(&back), Some(NodeStatus::Active));
    assert!(matches!(next().await, MeshEvent::Heartbeat(_)));
    until("it to fall silent again", async || {
        node.status(&mesh).await == "offline"
    })
    .await;
}

#[tokio::test]
async fn sovereign_keys_are_added_and_replaced_by_sovereigns_alone() {
    let home = tempfile::tempdir().unwrap();
    let mesh = start(home.path(), FIVE_MINUTES).await;
    let keys = mesh.get("/sovereign").await.ok(200);
    assert_eq!(keys["keys"][0]["publicKey"], json!(sovereign().public()));
    assert_eq!(keys["keys"][0]["description"], "@owner");
    let [second, third, stranger] = [1, 2, 3].map(|n| SecretKey::from_seed(&[n; 32]));
    let client = MeshClient::new(&mesh.base).unwrap();
    let refused = client
        .add_sovereign(second.public(), None, &stranger)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Some(tana_protocol::Code::Forbidden));
    client
        .add_sovereign(second.public(), Some("spare".into()), &sovereign())
        .await
        .unwrap();
    let twice = client
        .add_sovereign(second.public(), None, &sovereign())
        .await
        .unwrap_err();
    assert_eq!(twice.code(), Some(tana_protocol::Code::AlreadyExists));

    let half = {
        let at = now();
        let text = message::sovereign_rotate(&sovereign().public(), &third.public(), at);
        json!({
            "oldPublicKey": sovereign().public(), "newPublicKey": third.public(),
            "timestamp": at.ms(),
            "signature": sovereign().sign(&text), "newSignature": stranger.sign(&text),
        })
    };
    assert_eq!(
        mesh.post("/sovereign/rotate", &half).await.problem(401),
        "bad-signature",
        "the new key must sign as well"
    );
    let rotated = client.rotate_sovereign(&sovereign(), &third).await.unwrap();
    assert!(rotated.overlap_until > now());
    assert_eq!(client.sovereigns().await.unwrap().keys.len(), 3);
    let undo = client
        .add_sovereign(stranger.public(), None, &sovereign())
        .await
        .unwrap_err();
    assert_eq!(
        undo.code(),
        Some(tana_protocol::Code::Forbidden),
        "a key that is being replaced adds none"
    );
    // Within the overlap it still decides on nodes.
    Node::new("node-1").join(&mesh).await;

    let text = "anything";
    let verify = |key: &SecretKey, claimed: Option<&SecretKey>| json!({"message": text, "signature": key.sign(text), "publicKey": claimed.map(SecretKey::public)});
    let good = mesh
        .post("/sovereign/verify", &verify(&third, None))
        .await
        .ok(200);
    assert_eq!(
        (&good["valid"], &good["publicKey"]),
        (&json!(true), &json!(third.public()))
    );
    let cases = [
        (verify(&stranger, None), 401),
        (verify(&stranger, Some(&stranger)), 403),
        (verify(&stranger, Some(&second)), 401),
    ];
    for (body, status) in cases {
        mesh.post("/sovereign/verify", &body).await.problem(status);
    }
}

#[tokio::test]
async fn what_was_decided_survives_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let node = Node::new("node-1");
    {
        let mesh = start(home.path(), FIVE_MINUTES).await;
        node.join(&mesh).await;
    }
    let mesh = start(home.path(), FIVE_MINUTES).await;
    assert_eq!(node.status(&mesh).await, "active");
    let health = mesh.get("/health").await.ok(200);
    let names: Vec<_> = health["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| (check["name"].as_str().unwrap(), check["ok"] == true))
        .collect();
    assert!(names.contains(&("log of decisions", true)), "{health}");
}

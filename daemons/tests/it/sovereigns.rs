//! Several sovereigns, removal, other keys, stakes, and the log of decisions: with a client that shares no code with us
//! (`tests/peer/sovereigns.py`), and against a real chain.

use std::path::Path;

use tana_home::{Home, KeyFile};
use tana_protocol::api::ledger::TransactionStatus;
use tana_protocol::{SignedTransaction, TransactionType, UserId};

use crate::chain_site::{Chain, creation};
use crate::daemon::until;
use crate::mesh::{config, start_as};
use crate::node::{Node, sovereign};
use crate::peer::python;
use crate::t4;

#[tokio::test]
async fn sovereigns_with_none_of_our_code_find_everything_as_agreed() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    Home::at(directory).create().unwrap();
    KeyFile::from(sovereign())
        .create(&Home::at(directory).sovereign_key_file())
        .unwrap();
    let mesh = start_as(config(directory)).await;
    let other = tempfile::tempdir().unwrap();
    let of_two = start_as(tana_daemons::mesh::Config {
        threshold: 2,
        ..config(other.path())
    })
    .await;
    let content = t4::open(directory, &mesh).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer/sovereigns.py");
    let ran = tokio::process::Command::new(python().await)
        .arg(script)
        .arg("--home")
        .arg(directory)
        .args(["--mesh", &mesh.base, "--mesh-of-two", &of_two.base])
        .args(["--t4", &content.base])
        .output()
        .await
        .expect("it was just run");
    let shown = String::from_utf8_lossy(&ran.stdout);
    let failures = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{shown}\n{failures}");
    assert!(shown.contains("checks hold"), "{shown}");
}

#[tokio::test]
async fn a_node_without_its_stake_is_not_approved() {
    let chain = Chain::start().await;
    let _producer = chain.produce().await;
    let home = tempfile::tempdir().unwrap();
    let mesh = start_as(tana_daemons::mesh::Config {
        stake: Some(("100 USD".parse().unwrap(), chain.ledger.base.clone())),
        ..config(home.path())
    })
    .await;
    let node = Node::new("validator-2");
    node.register(&mesh).await.ok(201);
    let refused = node.approve(&mesh).await;
    assert_eq!(refused.problem(422), "insufficient-balance");
    let said = refused.body["detail"].as_str().unwrap();
    assert!(said.contains("no account there has the key"), "{said}");

    let ledger = chain.client();
    let confirmed = async |signed: SignedTransaction| {
        let id = ledger.submit(&signed).await.unwrap().id;
        until("the transaction to be in a block", || async {
            let view = ledger.transaction(&id).await.unwrap();
            view.status == TransactionStatus::Confirmed
        })
        .await;
        id
    };
    let created = confirmed(creation("operator", node.key.secret())).await;
    let operator = UserId::created_by(&created);
    let pay = async |amount: &str| {
        let signed = chain
            .money(TransactionType::Deposit, &chain.sovereign, operator, amount)
            .await;
        confirmed(signed).await;
    };
    pay("99.99").await;
    let refused = node.approve(&mesh).await;
    assert_eq!(refused.problem(422), "insufficient-balance");
    let said = refused.body["detail"].as_str().unwrap();
    assert!(said.contains("has 99.99 USD"), "{said}");
    assert_eq!(node.status(&mesh).await, "pending", "nothing was changed");
    pay("0.01").await;
    node.approve(&mesh).await.ok(200);

    // Where the ledger does not answer nobody knows, and nothing is decided.
    let another = Node::new("validator-3");
    another.register(&mesh).await.ok(201);
    chain.ledger.stop().await;
    let unknown = another.approve(&mesh).await;
    assert_eq!(unknown.problem(503), "unavailable");
    assert_eq!(another.status(&mesh).await, "pending");
}

#[tokio::test]
async fn a_log_whose_end_was_cut_off_is_noticed() {
    let home = tempfile::tempdir().unwrap();
    let node = Node::new("node-1");
    {
        let mesh = start_as(config(home.path())).await;
        node.join(&mesh).await;
        mesh.stop().await;
    }
    let file = home.path().join("mesh.db");
    let database = sqlx::SqlitePool::connect(&format!("sqlite://{}", file.display()))
        .await
        .unwrap();
    for step in [
        "DROP TRIGGER decisions_are_not_deleted",
        "DELETE FROM decisions WHERE number = (SELECT max(number) FROM decisions)",
    ] {
        sqlx::query(step).execute(&database).await.unwrap();
    }
    database.close().await;
    let mesh = start_as(config(home.path())).await;
    let health = mesh.get("/health").await.body;
    let check = health["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["name"] == "log of decisions")
        .unwrap();
    assert_eq!(check["ok"], false, "{health}");
    let why = check.to_string();
    assert!(why.contains("the approval of node-1"), "{why}");
}

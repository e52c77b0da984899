//! Which key a login is checked with while the chain goes on: the one that the ledger has, however often the user came before.

use serde_json::json;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use tana_daemons::identity::{Config, build};
use tana_kit::http::Limits;
use tana_protocol::{SecretKey, ServiceKind};

use crate::chain_site::{Chain, Person, serve_at, settings};
use crate::daemon::{Answer, Daemon, until};
use crate::identity::Phone;

async fn identity(chain: &Chain) -> Daemon {
    let settings = settings(
        &chain.directory,
        &[
            ("TANA_LEDGER_URL", &chain.ledger.base),
            ("SESSION_RATE", "0"),
            ("FAILURE_RATE", "0"),
        ],
    );
    let config = Config::of(&settings).unwrap();
    Daemon::start(ServiceKind::Identity, Limits::default(), |context| {
        build(config, context)
    })
    .await
}

/// A login from the code to the approval, with this key.
async fn log_in(identity: &Daemon, phone: &Phone) -> Answer {
    let created = identity.post("/auth/session/create", &json!({})).await;
    let created = created.ok(201);
    let public = created["qrData"]["sessionId"].as_str().unwrap();
    let challenge = created["challenge"].as_str().unwrap();
    let path = format!("/auth/session/{public}/approve");
    let body = phone.approval_of(public, challenge);
    identity.post(&path, &body).await
}

fn phone(person: &Person, name: &str) -> Phone {
    Phone {
        id: person.id,
        name: name.parse().unwrap(),
        key: person.key.clone(),
    }
}

/// No transaction changes a key: the ledger's own database is changed.
async fn change_key(chain: &Chain, person: &Person, key: &SecretKey) {
    let mut database = SqliteConnection::connect(&chain.settings.database_url)
        .await
        .unwrap();
    let changed = sqlx::query("UPDATE users SET public_key = $2 WHERE id = $1")
        .bind(person.id.to_string())
        .bind(key.public().to_string())
        .execute(&mut database)
        .await
        .unwrap();
    assert_eq!(changed.rows_affected(), 1);
}

#[tokio::test]
async fn a_key_that_a_block_replaced_logs_nobody_in() {
    let chain = Chain::start().await;
    let [alice, bob, carol] = chain.people(["alice", "bob", "carol"]).await;
    let identity = identity(&chain).await;
    let (old, new) = (phone(&alice, "@alice"), SecretKey::generate());
    // Again and again, so that the identity service knows her.
    for _ in 0..5 {
        log_in(&identity, &old).await.ok(200);
        log_in(&identity, &phone(&bob, "@bob")).await.ok(200);
    }
    change_key(&chain, &alice, &new).await;
    let seen = chain.client().user(&alice.id).await.unwrap();
    assert_eq!(seen.public_key, new.public(), "the ledger has the new one");
    let transfer = chain.transfer(&bob, &carol, "1").await;
    chain.client().submit(&transfer).await.unwrap();
    chain.seal().await;
    until("the old key to be refused", async || {
        log_in(&identity, &old).await.status == 403
    })
    .await;
    let new = Phone {
        key: new,
        ..phone(&alice, "@alice")
    };
    for _ in 0..3 {
        log_in(&identity, &new).await.ok(200);
        assert_eq!(log_in(&identity, &old).await.problem(403), "wrong-key");
        log_in(&identity, &phone(&bob, "@bob")).await.ok(200);
    }
}

#[tokio::test]
async fn without_the_chains_events_nobody_is_known_from_before() {
    let mut chain = Chain::start().await;
    let [alice] = chain.people(["alice"]).await;
    let identity = identity(&chain).await;
    let (old, new) = (phone(&alice, "@alice"), SecretKey::generate());
    for _ in 0..5 {
        log_in(&identity, &old).await.ok(200);
    }
    chain.ledger.stop().await;
    until("logins to wait for the ledger", async || {
        log_in(&identity, &old).await.status == 503
    })
    .await;
    // Nobody announces what happens meanwhile.
    let base = chain.ledger.base.clone();
    change_key(&chain, &alice, &new).await;
    chain.ledger = serve_at(&chain.settings, &base).await;
    until("logins to go on", async || {
        log_in(&identity, &old).await.status == 403
    })
    .await;
    let new = Phone {
        key: new,
        ..phone(&alice, "@alice")
    };
    log_in(&identity, &new).await.ok(200);
}

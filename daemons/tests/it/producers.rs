//! Who may hand a block over, and who goes on when a producer dies.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tana_client::now;
use tana_home::KeyFile;
use tana_protocol::api::ledger::TransactionStatus;
use tana_protocol::node::NodeKey;
use tana_protocol::token::{AUDIENCE, SCOPE};
use tana_protocol::{NodeId, SecretKey, ServiceKind, ServiceToken};
use tana_store::queue::TxQueue as _;
use tana_store::redis::RedisQueue;

use crate::chain_site::{Chain, creation};
use crate::daemon::{answer, until};
use crate::queue::included;
use crate::redis::Redis;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_block_is_taken_with_no_token_but_a_validators_producers() {
    let chain = Chain::start().await;
    let user = SecretKey::generate();
    chain
        .client()
        .submit(&creation("alice", &user))
        .await
        .unwrap();
    let transactions = chain.take().await.into_iter().map(|e| e.transaction);
    let built = chain.build(transactions.collect()).await;
    let block = built.block.unwrap().sign(&chain.producer_key);

    let node = NodeKey::new(
        KeyFile::read(&chain.settings.home.node_key_file())
            .unwrap()
            .secret_key,
    );
    let at = |name: &str| -> NodeId { name.parse().unwrap() };
    let (own, other) = (at("validator-1"), at("validator-2"));
    let issue = |key: &SecretKey, node: &NodeId, since| {
        ServiceToken::issue(key, ServiceKind::Producer, node.clone(), since, MINUTE).encode()
    };
    let of_service = |kind| {
        let key = node.service_key(kind);
        ServiceToken::issue(&key, kind, own.clone(), now(), MINUTE).encode()
    };
    let bound = |name: &str, value: Value| {
        let payload = Map::from_iter([(name.to_owned(), value)]);
        let kind = ServiceKind::Producer;
        ServiceToken::issue_for(
            &chain.producer_key,
            kind,
            own.clone(),
            now(),
            MINUTE,
            payload,
        )
        .encode()
    };
    let mut changed = chain.token();
    changed.claims.expires_at = now().plus(10 * MINUTE);
    let long_ago = tana_protocol::Timestamp::from_ms(now().ms() - 600_000);
    let tokens = [
        ("none", None),
        ("no token at all", Some("x".to_owned())),
        ("a browser's session", Some("5f".repeat(32))),
        ("a user's own key", Some(issue(&user, &own, now()))),
        (
            "another node's",
            Some(issue(&SecretKey::generate(), &other, now())),
        ),
        (
            "this producer's for another node",
            Some(issue(&chain.producer_key, &other, now())),
        ),
        (
            "an expired one",
            Some(issue(&chain.producer_key, &own, long_ago)),
        ),
        (
            "one of the future",
            Some(issue(&chain.producer_key, &own, now().plus(10 * MINUTE))),
        ),
        ("one made longer", Some(changed.encode())),
        ("the ledger's", Some(of_service(ServiceKind::Ledger))),
        ("t4's", Some(of_service(ServiceKind::T4))),
        (
            "for another service",
            Some(bound(AUDIENCE, json!(ServiceKind::T4.name()))),
        ),
        (
            "for other requests",
            Some(bound(SCOPE, json!(["PUT /content/"]))),
        ),
    ];
    for (what, token) in tokens {
        let mut request = chain.ledger.http().post(chain.ledger.url("/blocks"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let refused = answer(request.json(&block)).await;
        assert_eq!(refused.problem(401), "bad-token", "{what}");
        assert_eq!(chain.client().info().await.unwrap().height, 0, "{what}");
    }
    assert_eq!(chain.commit(&block).await.height, 1);
}

/// A ledger's address where nobody answers.
fn nowhere() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", free.local_addr().unwrap())
}

#[tokio::test]
async fn another_nodes_producer_takes_over_what_a_dead_one_had_taken() {
    let redis = Redis::running().await;
    let url = redis.url();
    let living = [("REDIS_URL", url.as_str()), ("TANA_NODE_ID", "node-2")];
    let chain = Chain::with(&living).await;
    let queue = RedisQueue::at(&url).unwrap();
    let taken: Vec<_> = (0..20)
        .map(|n| creation(&format!("user{n}"), &SecretKey::generate()))
        .collect();
    chain.client().submit_batch(&taken).await.unwrap();

    // It takes them, finds no ledger that would execute them, and dies.
    let no_ledger = nowhere();
    let dead = chain
        .produce_with(&[
            ("REDIS_URL", &url),
            ("TANA_NODE_ID", "node-1"),
            ("TANA_LEDGER_URL", &no_ledger),
        ])
        .await;
    until("the first producer to take them", || async {
        queue.stats().await.unwrap().pending == 20
    })
    .await;
    dead.stop().await;

    let _producer = chain
        .produce_with(&[
            living[0],
            living[1],
            ("TANA_LEDGER_URL", &chain.ledger.base),
        ])
        .await;
    let newer = creation("newer", &SecretKey::generate());
    chain.client().submit(&newer).await.unwrap();
    assert_eq!(chain.outcome(&newer).await, TransactionStatus::Confirmed);
    until("only the dead producer's to be left", || async {
        queue.stats().await.unwrap().length == 20
    })
    .await;
    let stats = queue.stats().await.unwrap();
    assert_eq!(stats.consumers, ["producer@node-1"], "it may still live");
    let client = chain.client();
    for signed in &taken {
        let view = client.transaction(&signed.id()).await.unwrap();
        assert_eq!(view.status, TransactionStatus::Queued);
    }

    // The server's clock says how long they lie: they are aged instead of waited for.
    let entries = queue.entries(None, 100).await.unwrap();
    let places: Vec<String> = entries.iter().map(|e| e.stream_id.to_string()).collect();
    redis
        .run(&format!(
            "XCLAIM tx:pending validators producer@node-1 0 {} IDLE 60000 JUSTID",
            places.join(" ")
        ))
        .await;
    let newest = creation("newest", &SecretKey::generate());
    client.submit(&newest).await.unwrap();
    for signed in taken.iter().chain([&newest]) {
        assert_eq!(chain.outcome(signed).await, TransactionStatus::Confirmed);
    }
    until("all to be acknowledged", || async {
        queue.stats().await.unwrap().length == 0
    })
    .await;
    let there = included(&chain).await;
    let distinct: BTreeSet<_> = there.iter().collect();
    assert_eq!(
        (there.len(), distinct.len()),
        (22, 22),
        "each is there once"
    );
    for height in 1..=client.info().await.unwrap().height {
        assert!(client.verify_block(height).await.unwrap().valid);
    }
}

//! The queue between ledger and producer: dead letters, Redis that goes and comes, two nodes on one Redis.

use std::collections::BTreeSet;

use serde_json::json;
use tana_client::now;
use tana_protocol::api::ledger::TransactionStatus;
use tana_protocol::problem::Code;
use tana_protocol::{SecretKey, SignedTransaction, TransactionType};
use tana_store::queue::TxQueue as _;

use crate::chain_site::{Chain, creation, money, serve_at};
use crate::daemon::{Daemon, until};
use crate::redis::Redis;

use TransactionType::Transfer;

/// A transaction whose signature does not fit, queued behind the ledger's back.
async fn bury_first(chain: &Chain, broken: &SignedTransaction) {
    chain
        .queue()
        .await
        .push(std::slice::from_ref(broken), now())
        .await
        .unwrap();
}

#[tokio::test]
async fn what_no_block_can_take_is_answered_and_leaves_no_gap() {
    let mut chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let mut broken = money(Transfer, &alice, bob.id, "1", 1);
    broken.signature = money(Transfer, &alice, bob.id, "2", 1).signature;
    bury_first(&chain, &broken).await;
    chain.restart().await;
    assert_eq!(
        chain.next_nonce(alice.id).await,
        2,
        "it waits like any other"
    );
    let after = money(Transfer, &alice, bob.id, "3", 2);
    chain.client().submit(&after).await.unwrap();

    let _producer = chain.produce().await;
    assert_eq!(chain.outcome(&after).await, TransactionStatus::Failed);
    let client = chain.client();
    let receipt = client
        .transaction(&after.id())
        .await
        .unwrap()
        .receipt
        .unwrap();
    assert_eq!(receipt.code, "bad-nonce", "{receipt:?}");

    until("the dead letter", || async {
        client.dead_letter(&broken.id()).await.is_ok()
    })
    .await;
    let view = client.transaction(&broken.id()).await.unwrap();
    assert_eq!(
        (view.status, view.block_height),
        (TransactionStatus::Failed, None)
    );
    assert_eq!(view.receipt.unwrap().code, "bad-signature");

    assert_eq!(chain.next_nonce(alice.id).await, 1, "the gap is open again");
    let again = money(Transfer, &alice, bob.id, "4", 1);
    client.submit(&again).await.unwrap();
    assert_eq!(chain.outcome(&again).await, TransactionStatus::Confirmed);
    assert_eq!(chain.usd(&bob).await, "104");

    let letters = client.dead_letters(10).await.unwrap();
    assert_eq!((letters.len(), letters[0].code), (1, Code::BadSignature));
    let refused = client.retry_dead_letter(&broken.id(), &chain.token()).await;
    assert_eq!(refused.unwrap_err().code(), Some(Code::BadSignature));
    let path = format!("/queue/dead/{}", broken.id());
    let unsigned = chain.ledger.http().delete(chain.ledger.url(&path));
    assert_eq!(crate::daemon::answer(unsigned).await.status, 401);
    assert!(
        client
            .drop_dead_letter(&broken.id(), &chain.token())
            .await
            .unwrap()
            .dropped
    );
    assert_eq!(chain.ledger.get(&path).await.problem(404), "not-found");
    assert_eq!(
        client.transaction(&broken.id()).await.unwrap_err().code(),
        Some(Code::NotFound)
    );
}

#[tokio::test]
async fn a_dead_letter_whose_cause_is_gone_is_queued_again() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let good = money(Transfer, &alice, bob.id, "1", 1);
    let queue = chain.queue().await;
    queue
        .push(std::slice::from_ref(&good), now())
        .await
        .unwrap();
    let burial = tana_store::queue::Burial {
        id: good.id(),
        code: Code::UnknownSender,
        reason: "there was no such user".into(),
    };
    queue.bury(&[burial], now()).await.unwrap();
    let submitted = chain
        .client()
        .retry_dead_letter(&good.id(), &chain.token())
        .await
        .unwrap();
    assert_eq!(submitted.status, TransactionStatus::Queued);
    assert!(chain.client().dead_letters(10).await.unwrap().is_empty());
    chain.seal().await;
    assert_eq!(chain.usd(&bob).await, "101");
}

#[tokio::test]
async fn a_redis_that_goes_loses_nothing_and_is_found_again() {
    let mut redis = Redis::running().await;
    let url = redis.url();
    let mut chain = Chain::with(&[("REDIS_URL", &url)]).await;
    let client = chain.client();
    let signed: Vec<_> = ["a", "b", "c"]
        .map(|name| creation(name, &SecretKey::generate()))
        .into();
    client.submit(&signed[0]).await.unwrap();

    redis.kill();
    let refused = chain.ledger.post("/transactions", &json!(signed[1])).await;
    assert_eq!(refused.problem(503), "unavailable");
    let health = chain.ledger.get("/health").await;
    let said = health.body.to_string();
    assert!(health.status == 503 && said.contains("Redis at"), "{said}");

    // The ledger comes back before Redis does, and waits for it.
    let base = chain.ledger.base.clone();
    chain.ledger.stop().await;
    let settings = chain.settings.clone();
    let (ledger, producer) = tokio::join!(serve_at(&settings, &base), async {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        until("the ledger to say what it waits for", || async {
            let health = http.get(format!("{base}/health")).send().await;
            match health {
                Ok(answer) => answer
                    .text()
                    .await
                    .is_ok_and(|text| text.contains("Redis at")),
                Err(_) => false,
            }
        })
        .await;
        let producer = chain
            .produce_with(&[("REDIS_URL", &url), ("TANA_LEDGER_URL", &base)])
            .await;
        redis.start().await;
        producer
    });
    chain.ledger = ledger;
    for signed in &signed {
        chain.client().submit(signed).await.unwrap();
    }
    for signed in &signed {
        assert_eq!(chain.outcome(signed).await, TransactionStatus::Confirmed);
    }
    drop(producer);
}

/// Ids in the blocks of a chain.
async fn included(chain: &Chain) -> Vec<String> {
    let client = chain.client();
    let mut ids = Vec::new();
    for height in 1..=client.info().await.unwrap().height {
        let block = chain.ledger.get(&format!("/blocks/{height}")).await.ok(200);
        for receipt in block["receipts"].as_array().unwrap() {
            ids.push(receipt["transactionId"].as_str().unwrap().to_owned());
        }
    }
    ids
}

#[tokio::test]
async fn two_nodes_on_one_redis_apply_no_id_twice() {
    let redis = Redis::running().await;
    let url = redis.url();
    let [first, second] =
        ["node-1", "node-2"].map(|node| [("REDIS_URL", url.as_str()), ("TANA_NODE_ID", node)]);
    let (one, two) = (Chain::with(&first).await, Chain::with(&second).await);
    let producers = (produce(&one, first).await, produce(&two, second).await);
    let signed: Vec<_> = (0..300)
        .map(|n| creation(&format!("user{n}"), &SecretKey::generate()))
        .collect();
    // Both ledgers are given all of them, as a client does that has lost an answer.
    for batch in signed.chunks(60) {
        let (first, second) = (one.client(), two.client());
        let answers = tokio::join!(first.submit_batch(batch), second.submit_batch(batch));
        answers.0.unwrap();
        answers.1.unwrap();
    }
    let all: BTreeSet<String> = signed
        .iter()
        .map(|signed| signed.id().to_string())
        .collect();
    let queue = tana_store::redis::RedisQueue::at(&url).unwrap();
    until("every id to be in a block", || async {
        let there: BTreeSet<String> = included(&one)
            .await
            .into_iter()
            .chain(included(&two).await)
            .collect();
        there == all && queue.stats().await.unwrap().length == 0
    })
    .await;
    let both: Vec<String> = included(&one)
        .await
        .into_iter()
        .chain(included(&two).await)
        .collect();
    assert_eq!(both.len(), all.len(), "an id is in two blocks");
    drop(producers);
}

async fn produce(chain: &Chain, [redis, node]: [(&str, &str); 2]) -> Daemon {
    chain
        .produce_with(&[redis, node, ("TANA_LEDGER_URL", &chain.ledger.base)])
        .await
}

//! The queue between ledger and producer: dead letters, Redis that goes and comes, two nodes on one Redis.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tana_client::now;
use tana_protocol::api::ledger::TransactionStatus;
use tana_protocol::problem::Code;
use tana_protocol::{Block, Receipt, SecretKey, SignedTransaction, TransactionType};
use tana_store::queue::{Consumer, Take, TxQueue as _};
use tana_store::redis::RedisQueue;

use crate::chain_site::{Chain, creation, money, serve_at};
use crate::daemon::{Daemon, until};
use crate::postgres::Site;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_next_nonce_never_goes_back_while_blocks_are_made() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let _producer = chain.produce().await;
    let done = Cell::new(false);
    let ask = |_| async {
        let mut last = 0;
        while !done.get() {
            let next = chain.next_nonce(alice.id).await;
            assert!(next >= last, "{next} is next, and {last} was");
            last = next;
        }
    };
    let sending = async {
        for nonce in 1..150 {
            let sent = money(Transfer, &alice, bob.id, "0.01", nonce);
            chain.client().submit(&sent).await.unwrap();
        }
        let last = money(Transfer, &alice, bob.id, "0.01", 150);
        chain.client().submit(&last).await.unwrap();
        assert_eq!(chain.outcome(&last).await, TransactionStatus::Confirmed);
        done.set(true);
    };
    tokio::join!(join_all((0..8).map(ask)), sending);
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
async fn a_dead_letter_that_another_ledger_still_remembers_is_queued_again_and_not_lost() {
    let redis = Redis::running().await;
    let url = redis.url();
    let variables = [("REDIS_URL", url.as_str())];
    let one = Chain::with(&variables).await;
    let two = one.beside(&variables).await;
    let queue = RedisQueue::at(&url).unwrap();
    let root = one.sovereign.clone();
    let signed = money(TransactionType::Deposit, &root, root.id, "1", 1);
    let after = money(TransactionType::Deposit, &root, root.id, "2", 2);
    for signed in [&signed, &after] {
        two.client().submit(signed).await.unwrap();
    }
    // The first ledger's producer buries one; the second has not looked since.
    let burial = tana_store::queue::Burial {
        id: signed.id(),
        code: Code::UnknownSender,
        reason: "there was no such user".into(),
    };
    queue.bury(&[burial], now()).await.unwrap();
    let path = format!("/queue/dead/{}/retry", signed.id());
    let retry = || {
        let request = two.ledger.http().post(two.ledger.url(&path));
        crate::daemon::answer(request.bearer_auth(two.token().encode()))
    };
    assert_eq!(retry().await.ok(202)["status"], "queued");
    assert!(queue.find(&signed.id()).await.unwrap().is_some());
    assert!(queue.dead(None, 10).await.unwrap().is_empty());
    assert_eq!(retry().await.problem(404), "not-found");
    // What was behind it fails, as it came before it.
    let block = seal_on_both(&one, &two, &queue).await;
    let receipts = &block.content.receipts;
    let codes: Vec<_> = receipts.iter().map(|one| one.code.as_str()).collect();
    assert_eq!(codes, ["bad-nonce", "ok"]);
    assert_eq!(two.usd(&root).await, "1");
}

#[tokio::test]
async fn a_dead_letter_that_waits_or_is_in_a_block_is_dropped_by_its_retry() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let signed = money(Transfer, &alice, bob.id, "1", 1);
    let queue = chain.queue().await;
    let push = std::slice::from_ref(&signed);
    queue.push(push, now()).await.unwrap();
    let burial = tana_store::queue::Burial {
        id: signed.id(),
        code: Code::UnknownSender,
        reason: "there was no such user".into(),
    };
    queue.bury(&[burial], now()).await.unwrap();
    // A producer had it all the while.
    let built = chain.build(vec![signed.clone()]).await;
    chain
        .commit(&built.block.unwrap().sign(&chain.producer_key))
        .await;
    let client = chain.client();
    let submitted = client.retry_dead_letter(&signed.id(), &chain.token()).await;
    assert_eq!(submitted.unwrap().status, TransactionStatus::Confirmed);
    assert!(queue.dead(None, 10).await.unwrap().is_empty());
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
    let twice = json!([signed[1], signed[1]]);
    let refused = chain.ledger.post("/transactions", &twice).await.body;
    let statuses = [&refused[0]["status"], &refused[1]["status"]];
    assert_eq!(statuses, [503, 503], "neither is queued: {refused}");
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
pub(crate) async fn included(chain: &Chain) -> Vec<String> {
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
    let queue = RedisQueue::at(&url).unwrap();
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

/// Seals what is queued on a Redis, as the validators will once they agree on blocks: both ledgers commit the same.
async fn seal_on_both(one: &Chain, two: &Chain, queue: &RedisQueue) -> Block {
    let take = Take {
        most: 1000,
        idle: Duration::from_secs(10),
    };
    let taken = queue.take(&Consumer::new("both"), take, now()).await;
    let taken = taken.unwrap().into_iter();
    let built = one
        .build(taken.map(|entry| entry.transaction).collect())
        .await;
    let block = built.block.unwrap().sign(&one.producer_key);
    one.commit(&block).await;
    two.commit(&block).await;
    let receipts = block.content.receipts.iter();
    let ids: Vec<_> = receipts.map(|receipt| receipt.transaction_id).collect();
    queue.ack(&ids).await.unwrap();
    block
}

#[tokio::test]
async fn ledgers_on_one_redis_count_what_the_other_has_queued() {
    let redis = Redis::running().await;
    let url = redis.url();
    let variables = [("REDIS_URL", url.as_str())];
    let one = Chain::with(&variables).await;
    let two = one.beside(&variables).await;
    let queue = RedisQueue::at(&url).unwrap();
    let root = one.sovereign.clone();
    let deposit =
        |amount: &str, nonce: u64| money(TransactionType::Deposit, &root, root.id, amount, nonce);
    let (first, second, third) = (deposit("1", 1), deposit("10", 2), deposit("100", 3));
    // Answered by one: the other counts it at once.
    one.client().submit(&first).await.unwrap();
    two.client().submit(&second).await.unwrap();
    one.client().submit(&third).await.unwrap();
    assert_eq!(one.next_nonce(root.id).await, 4);
    until("the other to have heard of it", || async {
        two.next_nonce(root.id).await == 4
    })
    .await;
    for (chain, taken) in [(&one, 2), (&two, 1), (&two, 3)] {
        let again = deposit("1000", taken);
        let refused = chain.ledger.post("/transactions", &json!(again)).await;
        assert_eq!(refused.problem(422), "bad-nonce");
    }
    let block = seal_on_both(&one, &two, &queue).await;
    assert_eq!(block.content.receipts.len(), 3);
    assert!(block.content.receipts.iter().all(Receipt::is_ok));
    // What is in a block is known to the one that never queued it.
    let known = two.client().submit(&first).await.unwrap();
    assert_eq!(known.status, TransactionStatus::Confirmed);

    // One nonce, two transactions, at the same moment: at most one of them does anything.
    let left = deposit("1000", 4);
    let mut right = left.transaction.clone();
    right.metadata = Some(json!({"note": "the other one"}));
    let right = right.sign(&root.key);
    let (to_one, to_two) = (one.client(), two.client());
    let answers = tokio::join!(to_one.submit(&left), to_two.submit(&right));
    let accepted = usize::from(answers.0.is_ok()) + usize::from(answers.1.is_ok());
    assert!(accepted >= 1, "{answers:?}");
    let block = seal_on_both(&one, &two, &queue).await;
    let receipts = &block.content.receipts;
    assert_eq!(receipts.len(), accepted, "what was accepted has a receipt");
    assert_eq!(receipts.iter().filter(|receipt| receipt.is_ok()).count(), 1);
    for chain in [&one, &two] {
        assert_eq!(chain.usd(&root).await, "1111");
        assert_eq!(chain.next_nonce(root.id).await, 5);
        let all = included(chain).await;
        let distinct: BTreeSet<&String> = all.iter().collect();
        assert_eq!((all.len(), distinct.len()), (3 + accepted, 3 + accepted));
    }
    assert_eq!(queue.stats().await.unwrap().length, 0);
}

async fn produce(chain: &Chain, [redis, node]: [(&str, &str); 2]) -> Daemon {
    chain
        .produce_with(&[redis, node, ("TANA_LEDGER_URL", &chain.ledger.base)])
        .await
}

#[tokio::test]
async fn a_redis_behind_tls_is_used_and_one_that_nobody_vouches_for_is_not() {
    let redis = Redis::running_with_tls().await;
    let trusting = Site::with(vec![
        ("REDIS_URL", redis.url()),
        ("SSL_CERT_FILE", redis.authority()),
    ]);
    let running = (trusting.ledger(), trusting.producer());
    trusting.until_ready().await;
    trusting.user("alice").await;
    drop(running);

    let strange = Site::with(vec![("REDIS_URL", redis.url())]);
    let running = strange.ledger();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    until("the ledger to say why it does not use it", || async {
        let url = format!("http://127.0.0.1:{}/health", strange.port);
        match http.get(url).send().await {
            Ok(answer) => answer
                .text()
                .await
                .is_ok_and(|text| text.contains("rediss://") && text.contains("certificate")),
            Err(_) => false,
        }
    })
    .await;
    drop(running);
}

/// A value of so many lists in each other.
fn nested(levels: usize) -> serde_json::Value {
    (0..levels).fold(json!(1), |inner, _| json!([inner]))
}

#[tokio::test]
async fn what_nobody_could_read_in_a_block_is_not_queued() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let with = |levels| {
        let mut transaction = money(Transfer, &alice, bob.id, "1", 1).transaction;
        transaction.metadata = Some(nested(levels));
        transaction.sign(&alice.key)
    };
    for levels in [65, 120, 126] {
        let refused = chain.client().submit(&with(levels)).await.unwrap_err();
        assert_eq!(refused.code(), Some(Code::BadTransaction), "{refused}");
        assert!(refused.to_string().contains("64 levels"), "{refused}");
    }
    let deepest = with(64);
    chain.client().submit(&deepest).await.unwrap();
    let _producer = chain.produce().await;
    assert_eq!(chain.outcome(&deepest).await, TransactionStatus::Confirmed);
}

#[tokio::test]
async fn a_queued_transaction_that_spoils_every_block_is_found_and_buried() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    // Queued behind the ledger's back, as another program could.
    let mut spoiling = money(Transfer, &alice, bob.id, "1", 1).transaction;
    spoiling.metadata = Some(nested(126));
    let spoiling = spoiling.sign(&alice.key);
    let good: Vec<_> = (1..=5)
        .map(|nonce| money(Transfer, &bob, alice.id, "1", nonce))
        .collect();
    let queue = chain.queue().await;
    queue.push(&good[..3], now()).await.unwrap();
    bury_first(&chain, &spoiling).await;
    queue.push(&good[3..], now()).await.unwrap();
    let _producer = chain.produce().await;
    for one in &good {
        assert_eq!(chain.outcome(one).await, TransactionStatus::Confirmed);
    }
    until("the dead letter", || async {
        chain.client().dead_letter(&spoiling.id()).await.is_ok()
    })
    .await;
}

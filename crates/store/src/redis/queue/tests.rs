#![allow(clippy::unwrap_used)]

use std::time::Duration;

use ::redis::{Client, cmd};
use futures::StreamExt as _;
use tana_protocol::{SecretKey, Timestamp, Transaction, TransactionType, UserId};

use super::{GROUP, RedisQueue, STREAM};
use crate::error::StoreError;
use crate::queue::{Consumer, Take, TxQueue as _, conformance};

/// A database of its own on the server that `TANA_TEST_REDIS_URL` names.
async fn scratch() -> String {
    // A test is told where the server is by `cargo xtask test`, which brings it.
    #[allow(clippy::disallowed_methods)]
    let server = std::env::var("TANA_TEST_REDIS_URL")
        .expect("this test needs a Redis: run cargo xtask test, or set TANA_TEST_REDIS_URL");
    let client = Client::open(server.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let number: u64 = cmd("INCR")
        .arg("tests")
        .query_async(&mut connection)
        .await
        .unwrap();
    format!("{}/{number}", server.trim_end_matches('/'))
}

const TAKE: Take = Take {
    most: 10,
    idle: Duration::from_secs(60),
};

fn now() -> Timestamp {
    Timestamp::from_ms(1_800_000_000_000)
}

fn transfer(nonce: u64) -> tana_protocol::SignedTransaction {
    Transaction::new(
        TransactionType::Transfer,
        UserId::SYSTEM.into(),
        "@bob".parse().unwrap(),
        now(),
        nonce,
    )
    .sign(&SecretKey::from_seed(&[3; 32]))
}

#[tokio::test]
async fn the_redis_queue_conforms() {
    let queue = RedisQueue::at(&scratch().await).unwrap();
    conformance::check(&queue).await.unwrap();
    let stats = queue.stats().await.unwrap();
    assert_eq!(stats.warning, None, "the tests' server syncs always");
}

#[tokio::test]
async fn entries_carry_the_fields_as_strings_and_listeners_get_them() {
    let address = scratch().await;
    let queue = RedisQueue::at(&address).unwrap();
    let client = Client::open(address.as_str()).unwrap();
    let mut listener = client.get_async_pubsub().await.unwrap();
    listener.subscribe("tx:new").await.unwrap();
    let mut arrivals = queue.arrivals();
    arrivals.next().await.unwrap();

    let signed = transfer(7);
    queue
        .push(std::slice::from_ref(&signed), now())
        .await
        .unwrap();
    // Other tests' databases share the channel.
    let id = signed.id().to_string();
    let mut messages = listener.on_message();
    let told: serde_json::Value = loop {
        let payload: String = messages.next().await.unwrap().get_payload().unwrap();
        let told: serde_json::Value = serde_json::from_str(&payload).unwrap();
        if told["id"] == id.as_str() {
            break told;
        }
    };
    assert_eq!(
        (&told["nonce"], &told["type"], &told["to"]),
        (&"7".into(), &"transfer".into(), &"@bob".into())
    );
    assert_eq!(told["signature"], signed.signature.to_string());
    arrivals.next().await.unwrap();
}

#[tokio::test]
async fn one_hears_of_what_others_queue_and_not_of_ones_own() {
    let address = scratch().await;
    let (one, two) = (
        RedisQueue::at(&address).unwrap(),
        RedisQueue::at(&address).unwrap(),
    );
    let (mut wakes, mut others) = (one.wakes(), one.strangers());
    assert_eq!(wakes.next().await.unwrap(), None, "connected");
    others.next().await.unwrap();
    one.push(&[transfer(1)], now()).await.unwrap();
    two.push(&[transfer(2)], now()).await.unwrap();
    // Other tests' databases share the channel; of these two, in this order, one is of others.
    let (mut all, mut of_others) = (0, 0);
    loop {
        let who = wakes.next().await.unwrap().unwrap();
        all += 1;
        of_others += usize::from(*who != *one.own);
        if *who == *two.own {
            break;
        }
    }
    assert!(all > of_others, "one's own was heard");
    for _ in 0..of_others {
        others.next().await.unwrap();
    }
}

#[tokio::test]
async fn what_others_write_is_taken_and_what_is_nothing_is_set_aside() {
    let address = scratch().await;
    let queue = RedisQueue::at(&address).unwrap();
    let consumer = Consumer::new("a");
    let signed = transfer(1);
    queue
        .push(std::slice::from_ref(&signed), now())
        .await
        .unwrap();
    let client = Client::open(address.as_str()).unwrap();
    let mut raw = client.get_multiplexed_async_connection().await.unwrap();
    let add = |fields: &[(&str, String)]| {
        let mut add = cmd("XADD");
        add.arg(STREAM).arg("*");
        for (name, value) in fields {
            add.arg(name).arg(value);
        }
        add
    };
    let written = |signed: &tana_protocol::SignedTransaction| {
        let transaction = &signed.transaction;
        vec![
            ("type", transaction.kind.to_string()),
            ("from", transaction.from.to_string()),
            ("to", transaction.to.to_string()),
            ("timestamp", transaction.timestamp.ms().to_string()),
            ("nonce", transaction.nonce.to_string()),
            ("signature", signed.signature.to_string()),
        ]
    };
    let other = transfer(2);
    for fields in [
        written(&other),
        vec![("type", "nonsense".to_owned())],
        written(&signed),
    ] {
        add(&fields).query_async::<String>(&mut raw).await.unwrap();
    }
    let taken = queue.take(&consumer, TAKE, now()).await.unwrap();
    let ids: Vec<_> = taken.iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [signed.id(), other.id()]);
    queue.ack(&ids).await.unwrap();
    assert_eq!(queue.stats().await.unwrap().length, 0);
    let kept: u64 = cmd("XLEN")
        .arg("tx:malformed")
        .query_async(&mut raw)
        .await
        .unwrap();
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn a_server_that_was_emptied_is_set_up_again() {
    let address = scratch().await;
    let queue = RedisQueue::at(&address).unwrap();
    queue.push(&[transfer(1)], now()).await.unwrap();
    let client = Client::open(address.as_str()).unwrap();
    let mut raw = client.get_multiplexed_async_connection().await.unwrap();
    cmd("XGROUP")
        .arg("DESTROY")
        .arg(STREAM)
        .arg(GROUP)
        .query_async::<u64>(&mut raw)
        .await
        .unwrap();
    let consumer = Consumer::new("a");
    assert!(queue.take(&consumer, TAKE, now()).await.is_err());
    assert_eq!(queue.take(&consumer, TAKE, now()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_its_password() {
    let queue = RedisQueue::at("redis://user:secret@127.0.0.1:1/").unwrap();
    let error = queue.push(&[transfer(1)], now()).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Unanswered { .. }) && error.is_transient(),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "Redis at redis://127.0.0.1:1 cannot be reached"
    );
}

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use ::redis::{Client, cmd};
use futures::StreamExt as _;
use tana_protocol::{
    SecretKey, SignedTransaction, Timestamp, Transaction, TransactionType, UserId,
};

use super::{GROUP, RedisQueue, STREAM, Value, raw_list};
use crate::error::StoreError;
use crate::queue::{Consumer, Take, TxQueue as _, conformance};

/// A database of its own on the server that `TANA_TEST_REDIS_URL` names.
pub(super) async fn scratch() -> String {
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

pub(super) fn transfer(nonce: u64) -> tana_protocol::SignedTransaction {
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
async fn what_is_nothing_hides_no_entry_behind_it() {
    let address = scratch().await;
    let queue = RedisQueue::at(&address).unwrap();
    let client = Client::open(address.as_str()).unwrap();
    let mut raw = client.get_multiplexed_async_connection().await.unwrap();
    let (first, last) = (transfer(1), transfer(2));
    let push = |signed| std::slice::from_ref(signed);
    queue.push(push(&first), now()).await.unwrap();
    for _ in 0..5 {
        let mut add = cmd("XADD");
        add.arg(STREAM).arg("*").arg("type").arg("nonsense");
        add.query_async::<String>(&mut raw).await.unwrap();
    }
    queue.push(push(&last), now()).await.unwrap();
    let ids = |entries: Vec<crate::queue::QueueEntry>| -> Vec<_> {
        entries.into_iter().map(|entry| entry.id).collect()
    };
    // The nonsense alone fills more than one read.
    for most in [2, 3, 10] {
        let forwards = queue.entries(None, most).await.unwrap();
        let behind = Some(forwards[0].stream_id);
        assert_eq!(ids(forwards), [first.id(), last.id()], "{most}");
        let backwards = queue.newest(None, most).await.unwrap();
        assert_eq!(ids(backwards), [last.id(), first.id()], "{most}");
        let rest = queue.entries(behind, most).await.unwrap();
        assert_eq!(ids(rest), [last.id()], "{most}");
    }
    let one = queue.entries(None, 1).await.unwrap();
    let next = queue.entries(Some(one[0].stream_id), 1).await.unwrap();
    assert_eq!((ids(one), ids(next)), (vec![first.id()], vec![last.id()]));
}

#[tokio::test]
async fn entries_that_were_deleted_after_they_were_taken_stop_nobody() {
    let address = scratch().await;
    let queue = RedisQueue::at(&address).unwrap();
    let client = Client::open(address.as_str()).unwrap();
    let mut raw = client.get_multiplexed_async_connection().await.unwrap();
    let all = [transfer(1), transfer(2), transfer(3)];
    let pushed = queue.push(&all, now()).await.unwrap();
    let (dead, living) = (Consumer::new("dead"), Consumer::new("living"));
    assert_eq!(queue.take(&dead, TAKE, now()).await.unwrap().len(), 3);
    let at_once = Take {
        idle: Duration::ZERO,
        ..TAKE
    };
    // One reads again what is its own, the other claims it.
    for (at, consumer) in [&dead, &living].into_iter().enumerate() {
        let mut delete = cmd("XDEL");
        delete.arg(STREAM).arg(pushed[at].stream_id().to_string());
        delete.query_async::<u64>(&mut raw).await.unwrap();
        let taken = queue.take(consumer, at_once, now()).await.unwrap();
        let ids: Vec<_> = taken.iter().map(|entry| entry.id).collect();
        let left: Vec<_> = all[at + 1..].iter().map(SignedTransaction::id).collect();
        assert_eq!(ids, left);
    }
    queue.ack(&[all[2].id()]).await.unwrap();
    assert_eq!(queue.stats().await.unwrap().pending, 0);
}

#[test]
fn nothing_in_the_place_of_a_claimed_entry_is_passed_over() {
    // As Redis 6.2 answers, which keeps such entries among the pending ones.
    let entry = Value::Array(vec![
        Value::BulkString(b"1800000000000-7".to_vec()),
        Value::Array(Vec::new()),
    ]);
    let answer = Value::Array(vec![Value::Nil, entry, Value::Nil]);
    let read = raw_list("claiming", answer).unwrap();
    let places: Vec<_> = read.iter().map(|raw| raw.place.to_string()).collect();
    assert_eq!(places, ["1800000000000-7"]);
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

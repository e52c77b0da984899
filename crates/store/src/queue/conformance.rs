//! What every backend of [`TxQueue`] must do. Run by each backend's tests on an empty queue.

use std::time::Duration;

use serde_json::json;
use tana_protocol::problem::Code;
use tana_protocol::{
    SecretKey, SignedTransaction, Timestamp, Transaction, TransactionId, TransactionType, UserId,
};

use super::{Burial, Consumer, Pushed, QueueEntry, Take, TxQueue};
use crate::error::StoreResult;

const START: u64 = 1_800_000_000_000;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(START + ms)
}

pub(crate) fn transaction(nonce: u64) -> SignedTransaction {
    let transaction = Transaction {
        contract_input: Some(json!({"z": 1.5, "a": "ü 🌍 \u{0}", "n": null})),
        ..Transaction::new(
            TransactionType::Transfer,
            UserId::SYSTEM.into(),
            "@Bob".parse().expect("a valid name"),
            at(nonce),
            nonce,
        )
    };
    transaction.sign(&SecretKey::from_seed(&[7; 32]))
}

fn batch(nonces: std::ops::Range<u64>) -> Vec<SignedTransaction> {
    nonces.map(transaction).collect()
}

fn nonces(entries: &[QueueEntry]) -> Vec<u64> {
    entries
        .iter()
        .map(|entry| entry.transaction.transaction.nonce)
        .collect()
}

fn ids(entries: &[QueueEntry]) -> Vec<TransactionId> {
    entries.iter().map(|entry| entry.id).collect()
}

const ALL: Take = Take {
    most: 100,
    idle: Duration::from_secs(5),
};

/// Runs all of it.
///
/// # Errors
/// What the backend itself answers.
///
/// # Panics
/// Where the backend does something else than it must.
pub async fn check<Q: TxQueue>(queue: &Q) -> StoreResult<()> {
    pushes_once_and_in_order(queue).await?;
    takes_own_then_abandoned_then_new(queue).await?;
    acknowledged_entries_are_gone(queue).await?;
    dead_letters_are_kept(queue).await?;
    two_consumers_never_share_an_entry(queue).await?;
    the_clock_may_go_backwards(queue).await
}

async fn pushes_once_and_in_order<Q: TxQueue>(queue: &Q) -> StoreResult<()> {
    let (one, two) = (transaction(1), transaction(2));
    let first = queue.push(&[one.clone(), two.clone()], at(0)).await?;
    assert!(
        matches!(first[..], [Pushed::Queued(a), Pushed::Queued(b)] if a < b),
        "{first:?}"
    );
    let again = queue
        .push(&[two.clone(), transaction(3), two.clone()], at(1))
        .await?;
    assert_eq!(again[0], Pushed::Known(first[1].stream_id()));
    assert_eq!(again[2], Pushed::Known(first[1].stream_id()));
    assert!(
        matches!(again[1], Pushed::Queued(id) if id > first[1].stream_id()),
        "{again:?}"
    );
    assert!(queue.push(&[], at(1)).await?.is_empty());

    let found = queue.find(&one.id()).await?.expect("it was queued");
    assert_eq!(
        (found.transaction, found.stream_id),
        (one.clone(), first[0].stream_id())
    );
    assert_eq!(queue.find(&transaction(99).id()).await?, None);
    let absent = queue.absent(&[one.id(), transaction(99).id()]).await?;
    assert_eq!(absent, [transaction(99).id()]);
    assert!(queue.absent(&[]).await?.is_empty());
    assert_eq!(nonces(&queue.entries(None, 10).await?), [1, 2, 3]);
    assert_eq!(
        nonces(&queue.entries(Some(first[0].stream_id()), 1).await?),
        [2]
    );
    assert_eq!(nonces(&queue.newest(None, 2).await?), [3, 2]);
    assert_eq!(
        nonces(&queue.newest(Some(first[1].stream_id()), 10).await?),
        [1]
    );
    let before_all = queue.newest(Some(first[0].stream_id()), 10).await?;
    assert!(before_all.is_empty(), "{before_all:?}");
    let stats = queue.stats().await?;
    assert_eq!((stats.length, stats.pending, stats.dead), (3, 0, 0));
    assert!(stats.oldest.is_some() && stats.consumers.is_empty());
    Ok(())
}

async fn takes_own_then_abandoned_then_new<Q: TxQueue>(queue: &Q) -> StoreResult<()> {
    let (a, b) = (Consumer::new("a"), Consumer::new("b"));
    let two = Take { most: 2, ..ALL };
    assert_eq!(nonces(&queue.take(&a, two, at(10)).await?), [1, 2]);
    assert_eq!(
        nonces(&queue.take(&b, ALL, at(11)).await?),
        [3],
        "what another has taken is its own"
    );
    assert_eq!(
        nonces(&queue.take(&a, two, at(12)).await?),
        [1, 2],
        "after a crash it is there again"
    );
    let stats = queue.stats().await?;
    assert_eq!((stats.length, stats.pending), (3, 3));
    assert_eq!(stats.consumers, ["a", "b"]);
    Ok(())
}

async fn acknowledged_entries_are_gone<Q: TxQueue>(queue: &Q) -> StoreResult<()> {
    let acknowledged = [transaction(1).id(), transaction(99).id()];
    queue.ack(&acknowledged).await?;
    queue.ack(&acknowledged).await?;
    queue.ack(&[]).await?;
    assert_eq!(nonces(&queue.entries(None, 10).await?), [2, 3]);
    assert_eq!(queue.find(&transaction(1).id()).await?, None);
    queue
        .ack(&[transaction(2).id(), transaction(3).id()])
        .await?;
    assert_eq!(queue.stats().await?.length, 0);
    // An id that has left the queue may come again: only the chain knows that it is in a block.
    assert!(matches!(
        queue.push(&[transaction(1)], at(20)).await?[..],
        [Pushed::Queued(_)]
    ));
    queue.ack(&[transaction(1).id()]).await
}

async fn dead_letters_are_kept<Q: TxQueue>(queue: &Q) -> StoreResult<()> {
    let a = Consumer::new("a");
    queue.push(&batch(10..13), at(30)).await?;
    queue.take(&a, ALL, at(30)).await?;
    let reason = "the signature does not fit".to_owned();
    let (bad, other) = (transaction(11).id(), transaction(12).id());
    let burial = |id, code, reason: &str| Burial {
        id,
        code,
        reason: reason.to_owned(),
    };
    queue
        .bury(
            &[
                burial(bad, Code::BadSignature, &reason),
                burial(transaction(99).id(), Code::Internal, ""),
            ],
            at(31),
        )
        .await?;
    let another = [burial(other, Code::UnknownSender, "another")];
    queue.bury(&another, at(32)).await?;
    queue.bury(&another, at(32)).await?;
    assert_eq!(nonces(&queue.entries(None, 10).await?), [10]);
    let dead = queue.dead(None, 10).await?;
    assert_eq!(
        dead.iter().map(|letter| letter.id).collect::<Vec<_>>(),
        [other, bad]
    );
    assert_eq!(
        (&dead[1].reason, &dead[1].transaction, dead[1].code),
        (&reason, &transaction(11), Code::BadSignature)
    );
    assert_eq!(dead[1].buried_at, at(31));
    assert_eq!(queue.dead(None, 1).await?, dead[..1]);
    assert_eq!(queue.dead(Some(dead[0].grave), 10).await?, dead[1..]);
    assert!(queue.dead(Some(dead[1].grave), 10).await?.is_empty());
    assert_eq!(queue.find_dead(&bad).await?.as_ref(), Some(&dead[1]));
    assert_eq!(queue.find_dead(&transaction(10).id()).await?, None);
    let stats = queue.stats().await?;
    assert_eq!((stats.dead, stats.length, stats.pending), (2, 1, 1));

    let again = queue.push(&[transaction(11)], at(33)).await?;
    assert!(matches!(again[..], [Pushed::Queued(_)]), "{again:?}");
    assert_eq!(queue.find_dead(&bad).await?, None, "it waits again");
    assert!(queue.drop_dead(&other).await?);
    assert!(!queue.drop_dead(&other).await?);
    assert_eq!(nonces(&queue.entries(None, 10).await?), [10, 11]);
    assert_eq!(nonces(&queue.take(&a, ALL, at(34)).await?), [10, 11]);
    queue.ack(&[transaction(10).id(), bad]).await?;
    assert!(queue.dead(None, 10).await?.is_empty());
    assert_eq!(queue.stats().await?.dead, 0);
    Ok(())
}

async fn two_consumers_never_share_an_entry<Q: TxQueue>(queue: &Q) -> StoreResult<()> {
    let (a, b) = (Consumer::new("a"), Consumer::new("b"));
    queue.push(&batch(100..160), at(40)).await?;
    let ten = Take { most: 10, ..ALL };
    let (first, second) = futures::join!(queue.take(&a, ten, at(41)), queue.take(&b, ten, at(41)));
    let (first, second) = (first?, second?);
    assert_eq!((first.len(), second.len()), (10, 10));
    assert!(
        first.iter().all(|entry| !second.contains(entry)),
        "an entry was taken twice"
    );
    queue.ack(&ids(&first)).await?;

    // b dies. What it took is taken over once it has lain idle, and before what is new.
    assert_eq!(
        queue.take(&a, Take { most: 5, ..ALL }, at(42)).await?.len(),
        5,
        "its own new ones"
    );
    let mine = queue.take(&a, Take { most: 5, ..ALL }, at(43)).await?;
    queue.ack(&ids(&mine)).await?;
    let late = wait_idle(
        queue,
        &a,
        Take {
            most: 10,
            idle: Duration::from_millis(50),
        },
    )
    .await?;
    assert_eq!(
        ids(&late),
        ids(&second),
        "the abandoned ones come before new ones"
    );
    queue.ack(&ids(&late)).await?;
    let rest = queue.take(&a, ALL, at(60_002)).await?;
    assert_eq!(rest.len(), 60 - 10 - 5 - 10);
    assert!(rest.is_sorted_by_key(|entry| entry.stream_id));
    queue.ack(&ids(&rest)).await?;
    assert_eq!(queue.stats().await?.length, 0);
    Ok(())
}

/// Takes at a time at which what others took has lain idle: by the clock that is handed in, or by the server's own,
/// which needs real time to pass.
async fn wait_idle<Q: TxQueue>(
    queue: &Q,
    consumer: &Consumer,
    take: Take,
) -> StoreResult<Vec<QueueEntry>> {
    if queue.backend() == "redis" {
        tokio::time::sleep(take.idle * 2).await;
    }
    queue.take(consumer, take, at(60_000)).await
}

async fn the_clock_may_go_backwards<Q: TxQueue>(queue: &Q) -> StoreResult<()> {
    let first = queue.push(&[transaction(200)], at(90_000)).await?;
    let second = queue.push(&[transaction(201)], at(50_000)).await?;
    assert!(
        first[0].stream_id() < second[0].stream_id(),
        "{first:?} {second:?}"
    );
    queue
        .ack(&[transaction(200).id(), transaction(201).id()])
        .await
}

//! What survives: restarts, a producer that dies at the wrong moment, a database that somebody changed.

use std::time::{Duration, Instant};

use tana_daemons::ledger;
use tana_home::Home;
use tana_kit::service::{ServiceSpec, serve};
use tana_kit::{Shutdown, Tasks};
use tana_protocol::api::ledger::{BatchAnswer, TransactionStatus};
use tana_protocol::problem::Code;
use tana_protocol::{SecretKey, ServiceKind, TransactionType};
use tana_scratch::Scratch;
use tana_store::queue::TxQueue as _;

use crate::chain_site::{Chain, creation, money, spec};
use crate::daemon::until;

use TransactionType::Transfer;

#[tokio::test]
async fn what_was_accepted_survives_a_restart_and_still_counts() {
    let mut chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let first = money(Transfer, &alice, bob.id, "60", 1);
    chain.client().submit(&first).await.unwrap();
    chain.restart().await;
    assert_eq!(chain.next_nonce(alice.id).await, 2);
    let waiting = chain.client().transaction(&first.id()).await.unwrap();
    assert_eq!(waiting.status, TransactionStatus::Queued);
    let refused = chain
        .client()
        .submit(&money(Transfer, &alice, bob.id, "60", 2))
        .await;
    assert!(refused.is_err(), "60 of 100 are spoken for");
    chain.seal().await;
    assert_eq!(chain.usd(&bob).await, "160");
}

#[tokio::test]
async fn the_real_producer_confirms_a_transfer_well_within_half_a_second() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let _producer = chain.produce().await;
    let warm = chain.transfer(&alice, &bob, "1").await;
    chain.client().submit(&warm).await.unwrap();
    assert_eq!(chain.outcome(&warm).await, TransactionStatus::Confirmed);
    let transfer = chain.transfer(&alice, &bob, "2").await;
    let started = Instant::now();
    chain.client().submit(&transfer).await.unwrap();
    assert_eq!(chain.outcome(&transfer).await, TransactionStatus::Confirmed);
    let took = started.elapsed();
    assert!(took < Duration::from_millis(500), "{took:?}");
    assert_eq!(chain.usd(&bob).await, "103");
}

#[tokio::test]
async fn two_thousand_transfers_fill_blocks_and_add_up() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let _producer = chain.produce().await;
    let client = chain.client();
    let started = Instant::now();
    let mut last = None;
    for batch in 0..4 {
        let first = batch * 500 + 1;
        let transfers: Vec<_> = (first..first + 500)
            .map(|nonce| money(Transfer, &alice, bob.id, "0.01", nonce))
            .collect();
        for answer in client.submit_batch(&transfers).await.unwrap() {
            assert!(matches!(answer, BatchAnswer::Accepted(_)), "{answer:?}");
        }
        last = transfers.into_iter().last();
    }
    assert_eq!(
        chain.outcome(&last.unwrap()).await,
        TransactionStatus::Confirmed
    );
    println!("2000 transfers, signing included: {:?}", started.elapsed());
    assert_eq!(chain.usd(&alice).await, "80");
    assert_eq!(chain.usd(&bob).await, "120");
    let tip = client.info().await.unwrap().height;
    for height in 3..=tip {
        let verification = client.verify_block(height).await.unwrap();
        assert!(verification.valid, "{verification:?}");
    }
}

#[tokio::test]
async fn a_producer_that_died_after_the_commit_applies_nothing_twice() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    chain
        .client()
        .submit(&money(Transfer, &alice, bob.id, "5", 1))
        .await
        .unwrap();
    chain.seal_without_ack().await;
    // And one that it had taken and not built yet.
    let taken = money(Transfer, &alice, bob.id, "7", 2);
    chain.client().submit(&taken).await.unwrap();
    assert_eq!(chain.take().await.len(), 2);
    let _producer = chain.produce().await;
    assert_eq!(chain.outcome(&taken).await, TransactionStatus::Confirmed);
    let queue = chain.queue().await;
    until("the queue to be empty", || async {
        queue.stats().await.unwrap().length == 0
    })
    .await;
    assert_eq!(chain.usd(&bob).await, "112");
    assert_eq!(chain.client().info().await.unwrap().height, 4);
}

/// What a lost answer to a commit leaves behind: a tip in the database that the ledger does not know of. Here another
/// ledger on the same database puts it there.
#[tokio::test]
async fn a_block_that_the_ledger_does_not_know_of_is_noticed_at_the_next_commit() {
    let scratch = Scratch::create().await;
    let database = [("DATABASE_URL", scratch.address.as_str())];
    let one = Chain::with(&database).await;
    let two = one.beside(&database).await;
    let [alice, bob] = one.people(["alice", "bob"]).await;
    assert_eq!(two.client().info().await.unwrap().height, 0);

    // The root's, who is known to both.
    let note = |nonce| {
        let sovereign = &one.sovereign;
        money(
            TransactionType::Deposit,
            sovereign,
            sovereign.id,
            "1",
            nonce,
        )
    };
    let built = two.build(vec![note(3)]).await;
    assert!(built.block.is_some(), "{built:?}");
    let block = built.block.unwrap().sign(&two.producer_key);
    let refused = two.client().commit_block(&block, &two.token()).await;
    assert_eq!(refused.unwrap_err().code(), Some(Code::WrongHeight));

    let transfer = two.transfer(&alice, &bob, "2").await;
    two.client().submit(&transfer).await.unwrap();
    let block = two.seal().await;
    assert_eq!(block.height(), 3, "it follows what is in the database");
    assert_eq!(two.client().info().await.unwrap().height, 3);
    assert_eq!(two.usd(&bob).await, "102");
    drop((one, two));
    scratch.remove().await;
}

#[tokio::test]
async fn a_producer_waits_for_a_ledger_that_is_away() {
    let mut chain = Chain::start().await;
    let signed = creation("alice", &SecretKey::generate());
    chain.client().submit(&signed).await.unwrap();
    let base = chain.ledger.base.clone();
    chain.ledger.stop().await;
    let producer = {
        let overrides = tana_home::Overrides {
            home: Some(chain.directory.path().to_owned()),
            ..tana_home::Overrides::default()
        };
        let environment = tana_home::Environment::from_iter([("TANA_LEDGER_URL", base.as_str())]);
        let settings = tana_home::Settings::from_environment(&overrides, &environment).unwrap();
        crate::daemon::Daemon::start(
            ServiceKind::Producer,
            tana_kit::http::Limits::default(),
            |context| tana_daemons::producer::build(settings, context),
        )
        .await
    };
    chain.ledger = crate::chain_site::serve_at(&chain.settings, &base).await;
    assert_eq!(chain.outcome(&signed).await, TransactionStatus::Confirmed);
    drop(producer);
}

/// Starts a ledger that must refuse, and answers what it says.
async fn refusal(settings: &tana_home::Settings) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let spec = ServiceSpec {
        kind: ServiceKind::Ledger,
        version: "test",
        listen: listener.local_addr().unwrap(),
        limits: tana_kit::http::Limits::default(),
    };
    let config = ledger::Config::of(settings).unwrap();
    let tasks = Tasks::new(Shutdown::new());
    let ended = serve(spec, listener, tasks, |context| {
        ledger::build(config, context)
    })
    .await;
    format!("{:#}", ended.unwrap_err())
}

#[tokio::test]
async fn the_database_of_another_chain_is_refused() {
    let chain = Chain::start().await;
    chain.ledger.stop().await;
    let home = Home::at(chain.directory.path());
    std::fs::remove_file(home.chain_file("test")).unwrap();
    let other = spec("test-2", &SecretKey::generate(), &chain.producer_key);
    home.write_chain(&other).unwrap();
    let said = refusal(&chain.settings).await;
    assert!(
        said.contains("another chain") && said.contains("test-2"),
        "{said}"
    );
}

#[tokio::test]
async fn a_tip_that_somebody_changed_is_refused_by_height_and_check() {
    let mut chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    chain
        .client()
        .submit(&money(Transfer, &alice, bob.id, "5", 1))
        .await
        .unwrap();
    chain.seal().await;
    chain.ledger.stop().await;
    let path = chain.settings.database_url.clone();
    for (change, undo, check) in [
        (
            "UPDATE blocks SET gas_used = gas_used + 1 WHERE height = 3",
            "UPDATE blocks SET gas_used = gas_used - 1 WHERE height = 3",
            "check hash",
        ),
        (
            "UPDATE transactions SET receipt = replace(receipt, 'done', 'gone') WHERE block_height = 3",
            "UPDATE transactions SET receipt = replace(receipt, 'gone', 'done') WHERE block_height = 3",
            "check txRoot",
        ),
        (
            "UPDATE state_changes SET after = replace(after, '9500', '9501') WHERE height = 3",
            "UPDATE state_changes SET after = replace(after, '9501', '9500') WHERE height = 3",
            "check stateChanges",
        ),
    ] {
        run(&path, change).await;
        let said = refusal(&chain.settings).await;
        assert!(
            said.contains("block 3") && said.contains(check),
            "{change}: {said}"
        );
        run(&path, undo).await;
    }
    chain.restart().await;
    assert_eq!(chain.usd(&bob).await, "105");
}

#[tokio::test]
async fn a_validator_set_that_somebody_changed_is_refused_at_start() {
    let mut chain = Chain::start().await;
    chain.people(["alice"]).await;
    chain.ledger.stop().await;
    let path = chain.settings.database_url.clone();
    for (change, undo) in [
        (
            "UPDATE state_values SET value = replace(value, '\"power\":1', '\"power\":2') WHERE key = 'validators'",
            "UPDATE state_values SET value = replace(value, '\"power\":2', '\"power\":1') WHERE key = 'validators'",
        ),
        (
            "UPDATE state_values SET value = replace(value, 'validator-1', 'validator-9') WHERE key = 'validators'",
            "UPDATE state_values SET value = replace(value, 'validator-9', 'validator-1') WHERE key = 'validators'",
        ),
    ] {
        run(&path, change).await;
        let said = refusal(&chain.settings).await;
        let what = "the stored validator set is not what the state root says";
        assert!(said.contains(what), "{change}: {said}");
        run(&path, undo).await;
    }
    run(
        &path,
        "UPDATE state_values SET key = 'validators?' WHERE key = 'validators'",
    )
    .await;
    let said = refusal(&chain.settings).await;
    assert!(said.contains("no validator set"), "{said}");
    run(
        &path,
        "UPDATE state_values SET key = 'validators' WHERE key = 'validators?'",
    )
    .await;
    chain.restart().await;
    assert_eq!(chain.client().info().await.unwrap().height, 2);
}

async fn run(address: &str, sql: &'static str) {
    use sqlx::Connection as _;
    let mut connection = sqlx::SqliteConnection::connect(address).await.unwrap();
    let done = sqlx::query(sql).execute(&mut connection).await.unwrap();
    assert!(done.rows_affected() > 0, "{sql}");
    connection.close().await.unwrap();
}

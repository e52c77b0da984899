//! How large things may be, to the byte: the last that fits is taken, the first that does not is refused.

use serde_json::json;
use tana_client::now;
use tana_protocol::api::ledger::BatchAnswer;
use tana_protocol::contract::MAX_SOURCE_BYTES;
use tana_protocol::{Receipt, Transaction, TransactionType};

use crate::chain_site::{Chain, creation, money};
use crate::daemon::{Answer, answer};

use TransactionType::{ContractCall, ContractDeployment, Transfer, UserCreation};

const KIB: usize = 1024;

/// The transaction with so much metadata that its signed message has this length.
fn padded(mut transaction: Transaction, bytes: usize) -> Transaction {
    transaction.metadata = Some(json!({"note": ""}));
    let missing = bytes - transaction.message().len();
    // Bytes are counted, not characters.
    let note = "ü".repeat(missing / 2) + &"u".repeat(missing % 2);
    transaction.metadata = Some(json!({ "note": note }));
    assert_eq!(transaction.message().len(), bytes);
    transaction
}

#[tokio::test]
async fn a_message_may_have_its_types_length_and_no_byte_more() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let key = tana_protocol::SecretKey::generate();
    let transfer = money(Transfer, &alice, bob.id, "1", 1).transaction;
    let contract = |kind| {
        let (from, to) = (bob.id.into(), alice.id.into());
        Transaction::new(kind, from, to, now(), 1)
    };
    // This chain runs no contracts: what is not too long for a type is refused for the type.
    for (transaction, key, most, taken) in [
        (transfer, &alice.key, 16 * KIB, None),
        (creation("carol", &key).transaction, &key, 16 * KIB, None),
        (
            contract(ContractCall),
            &bob.key,
            64 * KIB,
            Some("unsupported-type"),
        ),
        (
            contract(ContractDeployment),
            &bob.key,
            2 * MAX_SOURCE_BYTES + 16 * KIB,
            Some("unsupported-type"),
        ),
    ] {
        let long = padded(transaction.clone(), most + 1).sign(key);
        let refused = chain.ledger.post("/transactions", &json!(long)).await;
        assert_eq!(refused.problem(413), "too-large", "{}", transaction.kind);
        let fits = padded(transaction, most).sign(key);
        let answered = chain.ledger.post("/transactions", &json!(fits)).await;
        match taken {
            None => drop(answered.ok(202)),
            Some(code) => assert_eq!(answered.problem(422), code),
        }
    }
    let block = chain.seal().await;
    assert_eq!(block.content.transactions.len(), 2);
    assert!(block.content.receipts.iter().all(Receipt::is_ok));
    let verified = chain.client().verify_block(block.height()).await.unwrap();
    assert!(verified.valid, "{verified:?}");
    assert_eq!(UserCreation, block.content.transactions[1].transaction.kind);
}

#[tokio::test]
async fn a_batch_of_five_hundred_is_taken_and_one_of_one_more_is_not() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let transfers: Vec<_> = (1..=501)
        .map(|nonce| money(Transfer, &alice, bob.id, "0.01", nonce))
        .collect();
    let refused = chain.ledger.post("/transactions", &json!(transfers)).await;
    assert_eq!(refused.problem(400), "out-of-range");
    assert_eq!(chain.client().pending().await.unwrap().count, 0);
    let answers = chain.client().submit_batch(&transfers[..500]).await;
    let answers = answers.unwrap();
    assert_eq!(answers.len(), 500);
    for answer in answers {
        assert!(matches!(answer, BatchAnswer::Accepted(_)), "{answer:?}");
    }
    assert_eq!(chain.seal().await.content.transactions.len(), 500);
}

/// Sends this text, with blanks before its last byte so that the body has this length.
async fn post(chain: &Chain, path: &str, text: &str, bytes: usize, token: &str) -> Answer {
    let (start, end) = text.split_at(text.len() - 1);
    let mut body = start.to_owned();
    body.extend(std::iter::repeat_n(' ', bytes - text.len()));
    body.push_str(end);
    assert_eq!(body.len(), bytes);
    let request = chain.ledger.http().post(chain.ledger.url(path));
    let request = request.header("content-type", "application/json");
    answer(request.bearer_auth(token).body(body)).await
}

#[tokio::test]
async fn a_body_may_have_ten_mebibytes_and_a_block_sixty_four() {
    let chain = Chain::start().await;
    let token = chain.token().encode();
    let (submission, block) = (10 * KIB * KIB, 64 * KIB * KIB);
    for (path, most) in [
        ("/transactions", submission),
        ("/users", submission),
        ("/balances", submission),
        ("/contracts", submission),
        ("/blocks", block),
        ("/blocks/build", block),
    ] {
        // Read to its end, and found to be nothing.
        let read = post(&chain, path, "{}", most, &token).await;
        assert_eq!(read.problem(400), "malformed", "{path}");
        let refused = post(&chain, path, "{}", most + 1, &token).await;
        assert_eq!(refused.problem(413), "too-large", "{path}");
    }
    let empty = post(&chain, "/transactions", "[]", submission, &token).await;
    assert_eq!(empty.ok(200), json!([]));
    let good = creation("alice", &tana_protocol::SecretKey::generate());
    let text = serde_json::to_string(&good).unwrap();
    let taken = post(&chain, "/transactions", &text, submission, &token).await;
    assert_eq!(taken.ok(202)["status"], "queued");
}

#[tokio::test]
async fn a_page_has_one_to_five_hundred_entries_and_skips_ten_thousand_at_most() {
    let chain = Chain::start().await;
    for list in [
        "/transactions",
        "/transactions?status=queued",
        "/blocks",
        "/users",
        "/balances",
    ] {
        let mark = if list.contains('?') { '&' } else { '?' };
        for good in ["limit=1", "limit=500", "offset=10000"] {
            chain
                .ledger
                .get(&format!("{list}{mark}{good}"))
                .await
                .ok(200);
        }
        for bad in ["limit=0", "limit=501", "offset=10001"] {
            let refused = chain.ledger.get(&format!("{list}{mark}{bad}")).await;
            assert_eq!(refused.problem(400), "out-of-range", "{list} {bad}");
        }
        let long = format!("{list}{mark}cursor={}", "1".repeat(513));
        assert_eq!(chain.ledger.get(&long).await.problem(400), "malformed");
    }
}

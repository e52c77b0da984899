//! The ledger over HTTP: what it takes, what it refuses, what it answers.

use serde_json::json;
use tana_chain::block::is_included;
use tana_client::{LedgerEvent, PageQuery, StreamItem, TransactionFilter, now};
use tana_protocol::api::ledger::TransactionStatus;
use tana_protocol::problem::Code;
use tana_protocol::{Hash32, SecretKey, StateKey, Transaction, TransactionType, UserId};

use crate::chain_site::{Chain, creation, money, new_user};
use crate::daemon::answer;

use TransactionType::{Deposit, Transfer};

#[tokio::test]
async fn a_transfer_goes_from_submission_through_the_queue_into_a_block() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let client = chain.client();
    let transfer = chain.transfer(&alice, &bob, "12.34").await;
    let queued = client.submit(&transfer).await.unwrap();
    assert_eq!(queued.status, TransactionStatus::Queued);
    assert!(queued.stream_id.is_some());
    let waiting = client.transaction(&transfer.id()).await.unwrap();
    assert_eq!(waiting.status, TransactionStatus::Queued);
    assert_eq!(waiting.signed, transfer);
    assert_eq!(client.pending().await.unwrap().count, 1);
    assert_eq!(chain.next_nonce(alice.id).await, 2, "what is queued counts");
    assert_eq!(chain.usd(&bob).await, "100", "nothing is applied yet");

    let block = chain.seal().await;
    let done = client.transaction(&transfer.id()).await.unwrap();
    assert_eq!(done.status, TransactionStatus::Confirmed);
    assert_eq!(done.block_height, Some(block.height()));
    assert_eq!(done.receipt.unwrap().code, "ok");
    assert_eq!(chain.usd(&alice).await, "87.66");
    assert_eq!(chain.usd(&bob).await, "112.34");
    for height in 0..=block.height() {
        let verification = client.verify_block(height).await.unwrap();
        assert!(verification.valid, "{verification:?}");
        assert_eq!(verification.checks.len(), 6);
    }
    let info = client.info().await.unwrap();
    assert_eq!((info.chain_id.as_str(), info.height), ("test-1", 3));
}

#[tokio::test]
async fn the_same_submission_again_is_answered_with_its_present_status() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let transfer = serde_json::to_value(chain.transfer(&alice, &bob, "1").await).unwrap();
    let first = chain.ledger.post("/transactions", &transfer).await.ok(202);
    let again = chain.ledger.post("/transactions", &transfer).await.ok(200);
    assert_eq!(first, again);
    chain.seal().await;
    let later = chain.ledger.post("/transactions", &transfer).await.ok(200);
    assert_eq!(later["status"], "confirmed");
    assert_eq!(chain.usd(&bob).await, "101", "applied once");
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_with_its_code_and_changes_nothing() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let nobody = UserId::of_genesis("test-1", "@nobody");
    let ok = || money(Transfer, &alice, bob.id, "1", 1);
    let mut forged = ok();
    forged.signature = bob.key.sign("something else");
    let mut other_chain = ok().transaction;
    other_chain.chain_id = Some("test-2".into());
    let mut old = ok().transaction;
    old.timestamp = tana_protocol::Timestamp::from_ms(now().ms() - 3_600_000);
    let mut call = Transaction::new(
        TransactionType::ContractCall,
        alice.id.into(),
        bob.id.into(),
        now(),
        1,
    );
    call.contract_input = Some(json!({}));
    let mut ghost = ok().transaction;
    ghost.from = nobody.into();
    for (signed, status, code) in [
        (
            money(Transfer, &alice, bob.id, "100.01", 1),
            422,
            "insufficient-balance",
        ),
        (money(Transfer, &alice, bob.id, "1", 2), 422, "bad-nonce"),
        (money(Transfer, &alice, bob.id, "1", 0), 422, "bad-nonce"),
        (
            money(Transfer, &alice, nobody, "1", 1),
            422,
            "unknown-recipient",
        ),
        (
            money(Transfer, &alice, alice.id, "1", 1),
            422,
            "bad-transaction",
        ),
        (money(Transfer, &alice, bob.id, "0", 1), 422, "bad-amount"),
        (
            money(Transfer, &alice, bob.id, "0.001", 1),
            422,
            "bad-amount",
        ),
        (money(Deposit, &alice, bob.id, "1", 1), 422, "role-forbids"),
        (forged, 401, "bad-signature"),
        (other_chain.sign(&alice.key), 422, "wrong-chain"),
        (old.sign(&alice.key), 422, "outside-window"),
        (call.sign(&alice.key), 422, "unsupported-type"),
        (ghost.sign(&alice.key), 422, "unknown-sender"),
        (
            creation("alice", &SecretKey::generate()),
            422,
            "username-taken",
        ),
        (creation("carol", &alice.key), 422, "key-taken"),
    ] {
        let body = serde_json::to_value(&signed).unwrap();
        let refused = chain.ledger.post("/transactions", &body).await;
        assert_eq!(refused.problem(status), code, "{body}");
    }
    for bad in [json!({}), json!({"type": "theft"}), json!("x"), json!(null)] {
        let refused = chain.ledger.post("/transactions", &bad).await;
        assert_eq!(refused.problem(400), "malformed");
    }
    assert_eq!(chain.client().pending().await.unwrap().count, 0);
    assert_eq!(chain.next_nonce(alice.id).await, 1);
}

#[tokio::test]
async fn what_is_queued_is_spoken_for() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let client = chain.client();
    client
        .submit(&money(Transfer, &alice, bob.id, "60", 1))
        .await
        .unwrap();
    let refused = client
        .submit(&money(Transfer, &alice, bob.id, "60", 2))
        .await;
    assert_eq!(refused.unwrap_err().code(), Some(Code::InsufficientBalance));
    client
        .submit(&money(Transfer, &alice, bob.id, "40", 2))
        .await
        .unwrap();
    client
        .submit(&creation("carol", &SecretKey::generate()))
        .await
        .unwrap();
    let refused = client
        .submit(&creation("Carol", &SecretKey::generate()))
        .await;
    assert_eq!(refused.unwrap_err().code(), Some(Code::UsernameTaken));
    let block = chain.seal().await;
    assert!(
        block
            .content
            .receipts
            .iter()
            .all(tana_protocol::Receipt::is_ok)
    );
    assert_eq!(chain.usd(&alice).await, "0");
}

#[tokio::test]
async fn a_batch_is_answered_in_order_and_its_good_members_are_queued() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let body = json!([
        money(Transfer, &alice, bob.id, "1", 1),
        {"type": "transfer"},
        money(Transfer, &alice, bob.id, "1", 2),
        money(Transfer, &alice, bob.id, "1", 9),
        money(Transfer, &bob, alice.id, "2", 1),
    ]);
    let answers = chain.ledger.post("/transactions", &body).await.ok(200);
    let statuses: Vec<_> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["status"].clone())
        .collect();
    assert_eq!(statuses, [202, 400, 202, 422, 202]);
    assert_eq!(answers[3]["code"], "bad-nonce");
    let time = answers[0]["timestamp"].as_str().unwrap();
    assert!(time.ends_with('Z'), "times in bodies are ISO 8601: {time}");
    let many: Vec<_> = (0..501).map(|_| json!({})).collect();
    let refused = chain.ledger.post("/transactions", &json!(many)).await;
    assert_eq!(refused.problem(400), "out-of-range");
    assert_eq!(chain.seal().await.content.transactions.len(), 3);
    assert_eq!(chain.usd(&alice).await, "100");
}

#[tokio::test]
async fn a_user_is_created_by_the_flat_form_too() {
    let chain = Chain::start().await;
    let key = SecretKey::generate();
    let mut transaction = creation("@Dora", &key).transaction;
    transaction.contract_input = Some(new_user("@Dora", &key));
    let signed = transaction.sign(&key);
    let body = json!({
        "publicKey": key.public().to_string(), "username": "@Dora", "displayName": "@Dora",
        "signature": signed.signature, "timestamp": signed.transaction.timestamp.ms(), "nonce": 0, "unknown": 1,
    });
    let queued = chain.ledger.post("/users", &body).await.ok(202);
    assert_eq!(queued["transactionId"], json!(signed.id()));
    chain.seal().await;
    let user = chain.ledger.get("/users/username/dora").await.ok(200);
    assert_eq!(user["username"], "@dora");
    assert_eq!(user["id"], queued["userId"]);
    let by_key = chain.client().user_with_key(&key.public()).await.unwrap();
    assert_eq!(json!(by_key.id), queued["userId"]);
    assert_eq!(
        chain.ledger.get("/users/username/eve").await.problem(404),
        "not-found"
    );
    assert_eq!(
        chain.ledger.get("/users/not-an-id").await.problem(404),
        "not-found"
    );
}

#[tokio::test]
async fn a_full_queue_asks_to_come_back() {
    let chain = Chain::with(&[("QUEUE_LIMIT", "2")]).await;
    let client = chain.client();
    for number in 0..2 {
        let name = format!("user-{number}");
        client
            .submit(&creation(&name, &SecretKey::generate()))
            .await
            .unwrap();
    }
    let third = creation("user-3", &SecretKey::generate());
    let request = chain.ledger.http().post(chain.ledger.url("/transactions"));
    let response = request.json(&third).send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert!(response.headers().contains_key("retry-after"));
    chain.seal().await;
    client.submit(&third).await.unwrap();
}

#[tokio::test]
async fn blocks_come_only_from_a_validators_producer_and_hold_what_execution_gives() {
    let chain = Chain::start().await;
    let client = chain.client();
    client
        .submit(&creation("alice", &SecretKey::generate()))
        .await
        .unwrap();
    let transactions: Vec<_> = chain
        .take()
        .await
        .into_iter()
        .map(|e| e.transaction)
        .collect();
    let body = json!({"transactions": transactions});
    assert_eq!(
        chain.ledger.post("/blocks/build", &body).await.problem(401),
        "bad-token"
    );
    let stranger = chain.token_by(&SecretKey::generate());
    let request = chain.ledger.http().post(chain.ledger.url("/blocks/build"));
    let refused = answer(request.bearer_auth(stranger.encode()).json(&body)).await;
    assert_eq!(refused.problem(401), "bad-token");

    let built = chain.build(transactions.clone()).await.block.unwrap();
    let token = chain.token();
    let refused = client
        .commit_block(&built.clone().sign(&SecretKey::generate()), &token)
        .await;
    assert_eq!(refused.unwrap_err().code(), Some(Code::BadBlock));
    let mut greedy = built.clone();
    greedy.header.state_root = Hash32::of(b"mine");
    greedy.hash = greedy.header.hash();
    let refused = client
        .commit_block(&greedy.sign(&chain.producer_key), &token)
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Some(Code::BadBlock));
    assert!(refused.to_string().contains("stateRoot"), "{refused}");

    // Nothing built is remembered any more: this one is executed again from the beginning.
    let block = built.sign(&chain.producer_key);
    chain.commit(&block).await;
    chain.commit(&block).await;
    assert_eq!(
        client.latest_block().await.unwrap().hash,
        block.content.hash
    );
    let again = chain.build(transactions).await;
    assert!(again.block.is_none());
    assert_eq!(again.known.len(), 1);
    let mut high = block.clone();
    high.content.header.height = 7;
    let request = chain.ledger.http().post(chain.ledger.url("/blocks"));
    let refused = answer(request.bearer_auth(token.encode()).json(&high)).await;
    assert_eq!(refused.problem(409), "wrong-height");
    assert_eq!(refused.body["expectedHeight"], 2);
}

#[tokio::test]
async fn a_proof_holds_against_a_blocks_state_root_now_and_later() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let then = chain.client().latest_block().await.unwrap().header;
    chain
        .client()
        .submit(&money(Transfer, &alice, bob.id, "1", 1))
        .await
        .unwrap();
    chain.seal().await;
    let key = StateKey::Balance(alice.id, "USD".parse().unwrap());
    let check = |body: &serde_json::Value, root| {
        tana_chain::tree::check_proof(root, &key, body.get("value"), &body["proof"]).unwrap();
    };
    let now = chain.ledger.get(&format!("/proof/{key}")).await.ok(200);
    let tip = chain.client().latest_block().await.unwrap().header;
    check(&now, tip.state_root);
    assert_eq!(now["value"]["amount"], "9900");
    let path = format!("/proof/{key}?height={}", then.height);
    let before = chain.ledger.get(&path).await.ok(200);
    check(&before, then.state_root);
    assert_eq!(before["value"]["amount"], "10000");
    let early = chain
        .ledger
        .get(&format!("/proof/{key}?height=0"))
        .await
        .ok(200);
    assert!(early.get("value").is_none());
    check(
        &early,
        chain.client().block(0).await.unwrap().header.state_root,
    );
    let tip = chain.client().latest_block().await.unwrap();
    let spec = chain.settings.chain().unwrap();
    let signature = tip.signature.as_ref();
    tana_chain::light::check_header(&spec, &tip.header, tip.hash, signature).unwrap();
    let asked = chain.client().proof(&key, tip.header.height).await.unwrap();
    assert_eq!(asked.value.as_ref(), now.get("value"));
    let prove = |value, proof| {
        tana_chain::tree::check_proof(tip.header.state_root, &key, value, proof).is_ok()
    };
    assert!(prove(asked.value.as_ref(), &asked.proof));
    assert!(!prove(None, &asked.proof), "it is not absent");
    let richer = serde_json::json!({"amount": "9901", "ownerType": "user", "updatedAt": 1});
    assert!(!prove(Some(&richer), &asked.proof));
    // A header that somebody changed, and one that nobody has signed.
    let mut other = tip.header.clone();
    other.state_root = then.state_root;
    for (header, hash, signature) in [
        (&other, tip.hash, signature),
        (&other, other.hash(), signature),
        (&tip.header, tip.hash, None),
    ] {
        assert!(tana_chain::light::check_header(&spec, header, hash, signature).is_err());
    }
    assert_eq!(
        chain.ledger.get("/proof/nonsense").await.problem(400),
        "malformed"
    );
    assert_eq!(
        chain
            .ledger
            .get(&format!("/proof/{key}?height=99"))
            .await
            .problem(404),
        "not-found"
    );
}

#[tokio::test]
async fn lists_are_paged_newest_first() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let client = chain.client();
    for nonce in 1..=5 {
        client
            .submit(&money(Transfer, &alice, bob.id, "1", nonce))
            .await
            .unwrap();
    }
    chain.seal().await;
    let filter = TransactionFilter {
        account: Some(alice.id),
        kind: Some(Transfer),
        ..TransactionFilter::default()
    };
    let mut page = PageQuery::first(2);
    let mut nonces = Vec::new();
    loop {
        let found = client.transactions(&filter, &page).await.unwrap();
        nonces.extend(found.items.iter().map(|view| view.signed.transaction.nonce));
        let Some(next) = found.next else { break };
        page.cursor = Some(next);
    }
    assert_eq!(nonces, [5, 4, 3, 2, 1]);
    let blocks = client.blocks(&PageQuery::first(2)).await.unwrap();
    assert_eq!(blocks.items[0].header.height, 3);
    assert!(blocks.items[0].transactions.is_none());
    let path = format!(
        "/balances?ownerId={}&ownerType=user&currencyCode=BTC",
        bob.id
    );
    let none = chain.ledger.get(&path).await.ok(200);
    assert_eq!(none[0]["amount"], "0");
    assert_eq!(
        chain
            .ledger
            .get("/users?limit=1")
            .await
            .ok(200)
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        chain.ledger.get("/users?limit=0").await.problem(400),
        "out-of-range"
    );
    assert_eq!(
        chain.ledger.get("/blocks?cursor=x").await.problem(400),
        "malformed"
    );
    assert_eq!(chain.ledger.get("/contracts").await.ok(200), json!([]));
    assert_eq!(
        chain.ledger.get("/contracts/x").await.problem(404),
        "not-found"
    );
}

#[tokio::test]
async fn blocks_and_the_queue_are_told_to_who_listens() {
    let chain = Chain::start().await;
    let client = chain.client();
    let mut events = client.events();
    assert!(matches!(events.next().await, Some(StreamItem::Connected)));
    let signed = creation("alice", &SecretKey::generate());
    client.submit(&signed).await.unwrap();
    let mut seen = Vec::new();
    let mut sealed = false;
    while let Some(item) = events.next().await {
        match item {
            StreamItem::Event(LedgerEvent::Queue(queue)) => {
                seen.push(format!("queue {}", queue.length));
                if sealed {
                    break;
                }
                chain.seal().await;
                sealed = true;
            }
            StreamItem::Event(LedgerEvent::Block(block)) => {
                seen.push(format!(
                    "block {} with {:?}",
                    block.header.height, block.failed_count
                ));
            }
            StreamItem::Event(LedgerEvent::Transaction(told)) => {
                assert_eq!(told.id, signed.id());
                seen.push(format!("transaction {}", told.status.as_str()));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        seen,
        [
            "queue 1",
            "block 1 with Some(0)",
            "transaction confirmed",
            "queue 0"
        ]
    );
}

#[tokio::test]
async fn a_transaction_is_proved_to_be_in_its_block() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let client = chain.client();
    let mut sent = Vec::new();
    for nonce in 1..=5 {
        let transfer = money(Transfer, &alice, bob.id, "1", nonce);
        client.submit(&transfer).await.unwrap();
        sent.push(transfer.id());
    }
    let block = chain.seal().await;
    let root = block.content.header.tx_root;
    for id in &sent {
        let proof = client.inclusion(id).await.unwrap();
        assert_eq!(
            (proof.height, proof.block_hash),
            (block.height(), block.content.hash)
        );
        assert_eq!((proof.tx_root, proof.count), (root, sent.len()));
        let place = (proof.index, proof.count);
        assert!(is_included(root, id, place, &proof.path));
        assert!(!is_included(
            root,
            &sent[(proof.index + 1) % 5],
            place,
            &proof.path
        ));
    }
    let waiting = money(Transfer, &alice, bob.id, "1", 6);
    client.submit(&waiting).await.unwrap();
    let path = format!("/transactions/{}/proof", waiting.id());
    assert_eq!(chain.ledger.get(&path).await.problem(404), "not-found");
}

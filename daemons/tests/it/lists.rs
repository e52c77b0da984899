//! Lists hold what they say, whatever the state of what is listed, and answers are right while things move.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures::future::join_all;
use serde_json::{Value, json};
use tana_client::now;
use tana_protocol::problem::Code;
use tana_protocol::transaction::Party;
use tana_protocol::{
    SecretKey, SignedTransaction, Transaction, TransactionId, TransactionType, UserId,
};
use tana_store::queue::{Burial, TxQueue as _};

use crate::chain_site::{Chain, Person, creation, money};
use crate::daemon::until;

use TransactionType::{CurrencyCreation, Deposit, Transfer};

/// One page, and the path of the next.
async fn page(chain: &Chain, path: &str) -> (Vec<Value>, Option<String>) {
    let request = chain.ledger.http().get(chain.ledger.url(path));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let link = response.headers().get("link").map(|link| {
        let (target, relation) = link.to_str().unwrap().split_once('>').unwrap();
        assert_eq!(relation, "; rel=\"next\"");
        target.trim_start_matches('<').to_owned()
    });
    (response.json().await.unwrap(), link)
}

fn ids(items: &[Value]) -> Vec<String> {
    let id = |item: &Value| item["id"].as_str().unwrap().to_owned();
    items.iter().map(id).collect()
}

/// Ids of a list, page by page as the links lead.
async fn pages(chain: &Chain, path: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let (items, link) = page(chain, &path).await;
        pages.push(ids(&items));
        assert!(pages.len() < 50, "the links go round: {pages:?}");
        next = link;
    }
    pages
}

fn named(all: &[&SignedTransaction]) -> Vec<String> {
    all.iter().map(|signed| signed.id().to_string()).collect()
}

#[tokio::test]
async fn what_waits_is_listed_by_account_type_and_page() {
    let chain = Chain::start().await;
    let [alice, bob, carl] = chain.people(["alice", "bob", "carl"]).await;
    let first = money(Transfer, &alice, bob.id, "1", 1);
    let second = money(Transfer, &alice, bob.id, "2", 2);
    let mut to_alice = money(Transfer, &bob, alice.id, "3", 1).transaction;
    to_alice.to = "@Alice".parse().unwrap();
    let to_alice = to_alice.sign(&bob.key);
    let of_carl = money(Transfer, &carl, bob.id, "4", 1);
    let dora = creation("dora", &SecretKey::generate());
    let all = [&first, &second, &to_alice, &of_carl, &dora];
    for signed in all {
        chain.client().submit(signed).await.unwrap();
    }
    let alices = named(&[&to_alice, &second, &first]);
    let dora_id = UserId::created_by(&dora.id());
    for (path, expected) in [
        (
            "/transactions?status=queued".to_owned(),
            named(&[&dora, &of_carl, &to_alice, &second, &first]),
        ),
        (
            "/transactions?status=queued&account=@alice".to_owned(),
            alices.clone(),
        ),
        (
            "/transactions?status=queued&account=alice".to_owned(),
            alices.clone(),
        ),
        (
            format!("/transactions?status=queued&account={}", alice.id),
            alices.clone(),
        ),
        (
            "/transactions?status=queued&account=@bob".to_owned(),
            named(&[&of_carl, &to_alice, &second, &first]),
        ),
        (
            "/transactions?status=queued&account=@carl&type=transfer".to_owned(),
            named(&[&of_carl]),
        ),
        (
            "/transactions?status=queued&type=user_creation".to_owned(),
            named(&[&dora]),
        ),
        (
            "/transactions?status=queued&account=@dora".to_owned(),
            named(&[&dora]),
        ),
        (
            format!("/transactions?status=queued&account={dora_id}"),
            named(&[&dora]),
        ),
        (
            "/transactions?status=queued&account=@nobody".to_owned(),
            Vec::new(),
        ),
        (
            format!("/transactions/account/{}?status=queued", alice.id),
            alices.clone(),
        ),
        (
            "/transactions/account/@alice?status=queued&type=transfer".to_owned(),
            alices.clone(),
        ),
        (
            format!("/users/{}/transactions?status=queued", alice.id),
            alices.clone(),
        ),
        (
            format!(
                "/users/{}/transactions?status=queued&type=deposit",
                alice.id
            ),
            Vec::new(),
        ),
        (
            "/transactions?status=queued&limit=2&offset=1".to_owned(),
            named(&[&of_carl, &to_alice, &second, &first]),
        ),
    ] {
        assert_eq!(pages(&chain, &path).await.concat(), expected, "{path}");
    }
    let path = "/transactions?status=queued&limit=2";
    let sizes: Vec<usize> = pages(&chain, path).await.iter().map(Vec::len).collect();
    assert_eq!(sizes, [2, 2, 1]);
    let bad = chain.ledger.get("/transactions?status=queued&cursor=1");
    assert_eq!(bad.await.problem(400), "malformed");
    let (waiting, _) = page(&chain, path).await;
    assert!(waiting.iter().all(|item| item["status"] == "queued"));
    assert!(!ids(&page(&chain, "/transactions").await.0).contains(&alices[0]));

    // In a block, and not acknowledged yet.
    chain.seal_without_ack().await;
    assert!(page(&chain, path).await.0.is_empty());
    let (confirmed, _) = page(&chain, "/transactions?account=@alice&limit=3").await;
    assert_eq!(ids(&confirmed), alices);
}

#[tokio::test]
async fn what_is_rare_in_a_long_queue_is_found_where_the_link_leads() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let rare = money(Transfer, &alice, bob.id, "1", 1);
    let nonces = 1..=10_100;
    let many = nonces.map(|nonce| money(Transfer, &bob, chain.sovereign.id, "1", nonce));
    let all: Vec<_> = std::iter::once(rare.clone()).chain(many).collect();
    let queue = chain.queue().await;
    queue.push(&all, now()).await.unwrap();
    // One request looks through ten thousand.
    let path = "/transactions?status=queued&account=@alice";
    let found = pages(&chain, path).await;
    assert_eq!(found, [Vec::new(), named(&[&rare])]);
}

/// Brings transactions into a block that the ledger would not queue.
async fn into_a_block(chain: &Chain, transactions: Vec<SignedTransaction>) {
    let built = chain.build(transactions).await;
    let block = built.block.unwrap().sign(&chain.producer_key);
    chain.commit(&block).await;
}

async fn bury(chain: &Chain, signed: &SignedTransaction) {
    let queue = chain.queue().await;
    let push = std::slice::from_ref(signed);
    queue.push(push, now()).await.unwrap();
    let burial = Burial {
        id: signed.id(),
        code: Code::UnknownSender,
        reason: "there is no such user".into(),
    };
    queue.bury(&[burial], now()).await.unwrap();
}

/// What comes next is of a later moment.
async fn moment() {
    let then = now();
    until("the clock to move on", || async { now() > then }).await;
}

#[tokio::test]
async fn what_failed_is_listed_with_the_dead_letters_in_the_order_in_which_it_failed() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let too_much = |nonce| money(Transfer, &alice, bob.id, "1000", nonce);
    let (oldest, later, latest) = (too_much(1), too_much(2), too_much(3));
    let letter = money(Transfer, &bob, alice.id, "1", 1);
    let last_letter = money(Transfer, &bob, chain.sovereign.id, "1", 2);
    into_a_block(&chain, vec![oldest.clone()]).await;
    moment().await;
    bury(&chain, &letter).await;
    moment().await;
    into_a_block(&chain, vec![later.clone()]).await;
    moment().await;
    bury(&chain, &last_letter).await;

    let alices = named(&[&later, &letter, &oldest]);
    for (path, expected) in [
        (
            "/transactions?status=failed".to_owned(),
            named(&[&last_letter, &later, &letter, &oldest]),
        ),
        (
            "/transactions?status=failed&limit=1".to_owned(),
            named(&[&last_letter, &later, &letter, &oldest]),
        ),
        (
            "/transactions?status=failed&limit=3&offset=1&type=transfer".to_owned(),
            alices.clone(),
        ),
        (
            "/transactions?status=failed&account=@alice".to_owned(),
            alices.clone(),
        ),
        (
            format!("/users/{}/transactions?status=failed", alice.id),
            alices.clone(),
        ),
        (
            "/transactions/account/@root?status=failed&limit=1".to_owned(),
            named(&[&last_letter]),
        ),
        (
            "/transactions?status=failed&type=deposit".to_owned(),
            Vec::new(),
        ),
    ] {
        assert_eq!(pages(&chain, &path).await.concat(), expected, "{path}");
    }
    let (listed, _) = page(&chain, "/transactions?status=failed").await;
    for item in listed {
        let id = item["id"].as_str().unwrap();
        let alone = chain.ledger.get(&format!("/transactions/{id}")).await;
        assert_eq!(alone.ok(200), item);
        assert_eq!(item["status"], "failed");
    }

    // What fails between two pages is newer than both, and no part of the second.
    let (first, link) = page(&chain, "/transactions?status=failed&limit=1").await;
    assert_eq!(ids(&first), named(&[&last_letter]));
    into_a_block(&chain, vec![latest.clone()]).await;
    let rest = pages(&chain, &link.unwrap()).await.concat();
    assert_eq!(rest, alices);

    // A letter that is in a block after all is listed once, and as what became of it there.
    let good = money(Transfer, &bob, alice.id, "1", 1);
    bury(&chain, &good).await;
    into_a_block(&chain, vec![good.clone()]).await;
    let failed = pages(&chain, "/transactions?status=failed").await.concat();
    assert!(!failed.contains(&good.id().to_string()), "{failed:?}");
}

#[tokio::test]
async fn one_balance_is_one_page() {
    let chain = Chain::start().await;
    let [alice] = chain.people(["alice"]).await;
    let one = |currency| {
        let owner = alice.id;
        format!("/balances?ownerId={owner}&ownerType=user&currencyCode={currency}")
    };
    for (currency, amount) in [("USD", "100"), ("BTC", "0")] {
        for limit in ["", "&limit=1", "&offset=0"] {
            let (found, link) = page(&chain, &format!("{}{limit}", one(currency))).await;
            assert_eq!((found.len(), link), (1, None), "{currency}{limit}");
            assert_eq!(found[0]["amount"], amount);
        }
        for behind in ["offset=1".to_owned(), format!("cursor={}.USD", alice.id)] {
            let (found, link) = page(&chain, &format!("{}&{behind}", one(currency))).await;
            let none = currency == "USD" || found.is_empty();
            assert!(none && link.is_none(), "{currency} {behind}: {found:?}");
        }
    }
    // The list of all goes on, and ends.
    let (all, link) = page(&chain, "/balances?limit=1").await;
    assert_eq!(all[0]["amount"], "100");
    let (rest, link) = page(&chain, &link.unwrap()).await;
    assert_eq!((rest.len(), link), (0, None));
}

/// A currency of this code, by the sovereign.
fn currency(by: &Person, code: &str, nonce: u64) -> SignedTransaction {
    let system = Party::system();
    let mut created = Transaction::new(CurrencyCreation, by.id.into(), system, now(), nonce);
    created.contract_input = Some(json!({"code": code, "type": "fiat", "decimals": 2}));
    created.sign(&by.key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_balance_in_a_new_currency_is_there_as_soon_as_its_block_is() {
    let chain = Chain::start().await;
    let [bob] = chain.people(["bob"]).await;
    let root = chain.sovereign.clone();
    let client = chain.client();
    let asked = AtomicBool::new(true);
    let askers = join_all((0..4).map(|_| async {
        while asked.load(Ordering::Relaxed) {
            // Each block brings a dollar and a currency: the dollars say how many there must be.
            let balances = client.balances(&bob.id).await.unwrap();
            let mut of_usd = balances.iter();
            let usd = of_usd.find(|one| one.currency_code.as_str() == "USD");
            let blocks: usize = usd.unwrap().amount.to_string().parse().unwrap();
            assert_eq!(balances.len() - 1, blocks - 100, "{balances:?}");
        }
    }));
    let first = chain.next_nonce(root.id).await;
    let blocks = async {
        for round in 0..40 {
            let code = format!("NEW{round}");
            let nonce = first + 3 * round;
            let mut deposit = money(Deposit, &root, bob.id, "1", nonce + 1).transaction;
            deposit.currency_code = Some(code.parse().unwrap());
            let brought = vec![
                currency(&root, &code, nonce),
                deposit.sign(&root.key),
                money(Deposit, &root, bob.id, "1", nonce + 2),
            ];
            into_a_block(&chain, brought).await;
        }
        asked.store(false, Ordering::Relaxed);
    };
    tokio::join!(askers, blocks);
    assert_eq!(chain.client().balances(&bob.id).await.unwrap().len(), 41);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_transaction_is_found_wherever_it_moves() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let signed = money(Transfer, &alice, bob.id, "1", 1);
    let id: TransactionId = signed.id();
    bury(&chain, &signed).await;
    let client = chain.client();
    let (asked, answers) = (AtomicBool::new(true), AtomicU64::new(0));
    let askers = join_all((0..4).map(|_| async {
        while asked.load(Ordering::Relaxed) {
            let found = client.transaction(&id).await;
            found.expect("it is always somewhere");
            answers.fetch_add(1, Ordering::Relaxed);
        }
    }));
    let queue = chain.queue().await;
    let burial = Burial {
        id,
        code: Code::UnknownSender,
        reason: "there is no such user".into(),
    };
    let some_more = || async {
        let enough = answers.load(Ordering::Relaxed) + 8;
        until("more answers", || async {
            answers.load(Ordering::Relaxed) >= enough
        })
        .await;
    };
    let moves = async {
        for _ in 0..150 {
            some_more().await;
            let again = std::slice::from_ref(&signed);
            queue.push(again, now()).await.unwrap();
            some_more().await;
            let burial = std::slice::from_ref(&burial);
            queue.bury(burial, now()).await.unwrap();
        }
        asked.store(false, Ordering::Relaxed);
    };
    tokio::join!(askers, moves);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_who_have_the_same_block_verified_wait_or_are_asked_to_come_back() {
    let chain = Chain::start().await;
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let transfers: Vec<_> = (1..=400)
        .map(|nonce| money(Transfer, &alice, bob.id, "0.01", nonce))
        .collect();
    chain.client().submit_batch(&transfers).await.unwrap();
    let height = chain.seal().await.height();
    let url = chain.ledger.url(&format!("/blocks/{height}/verify"));
    let requests = (0..100).map(|_| async {
        let response = chain.ledger.http().get(&url).send().await.unwrap();
        let status = response.status().as_u16();
        let again = response.headers().contains_key("retry-after");
        let body: Value = response.json().await.unwrap();
        match status {
            200 => assert_eq!(body["valid"], true, "{body}"),
            _ => assert_eq!((&body["code"], again), (&json!("unavailable"), true)),
        }
        status
    });
    let statuses = join_all(requests).await;
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!(count(200) + count(503), 100, "{statuses:?}");
    assert!(count(200) >= 16 && count(503) >= 1, "{statuses:?}");

    // Those who go away at once leave no more behind than one verification.
    let gone = (0..50).map(|_| {
        let request = chain.ledger.http().get(&url).send();
        tokio::time::timeout(std::time::Duration::from_millis(5), request)
    });
    join_all(gone).await;
    until("a verification of one's own", || async {
        chain.ledger.http().get(&url).send().await.unwrap().status() == 200
    })
    .await;
}

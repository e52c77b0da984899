//! Transactions that a phone approves, through the real ledger and producer, and the phones themselves.

use std::time::Duration;

use serde_json::{Value, json};
use tana_client::{LedgerClient, now};
use tana_daemons::producer;
use tana_home::KeyFile;
use tana_kit::http::Limits;
use tana_protocol::node::NodeKey;
use tana_protocol::{SecretKey, ServiceKind, ServiceToken, SignedTransaction, Transaction};

use crate::daemon::{Answer, Daemon, answer, until};
use crate::identity::Site;

pub(crate) struct Shop {
    pub(crate) site: Site,
    token: String,
}

impl Shop {
    pub(crate) async fn open(site: Site) -> Self {
        let token = site.login().await;
        Self { site, token }
    }

    pub(crate) async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<&Value>,
    ) -> Answer {
        let http = self.site.identity.http();
        let mut request = http
            .request(method, self.site.identity.url(path))
            .bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        answer(request).await
    }

    /// A deposit of the sovereign to herself: it needs no funds.
    pub(crate) async fn ask(&self) -> String {
        let body = json!({
            "type": "deposit", "to": "@alice", "amount": "12.5", "currencyCode": "USD",
            "metadata": {"order": 7},
        });
        let asked = self
            .call(
                reqwest::Method::POST,
                "/auth/transaction/request",
                Some(&body),
            )
            .await
            .ok(201);
        assert_eq!(asked["status"], "pending");
        let id = asked["requestId"].as_str().unwrap().to_owned();
        assert_eq!(asked["qrData"]["requestId"], json!(id));
        assert!(asked["qrUri"].as_str().unwrap().contains(&id), "{asked}");
        id
    }

    pub(crate) async fn view(&self, id: &str) -> Value {
        let path = format!("/auth/transaction/{id}");
        self.site.identity.get(&path).await.ok(200)
    }

    pub(crate) async fn approve(&self, id: &str, body: &Value) -> Answer {
        let path = format!("/auth/transaction/{id}/approve");
        self.site.identity.post(&path, body).await
    }

    pub(crate) fn signed(&self, message: &str, key: &SecretKey) -> Value {
        json!({"message": message, "signature": key.sign(message), "publicKey": key.public()})
    }
}

#[tokio::test]
async fn a_transaction_is_asked_for_approved_and_followed_into_its_block() {
    let site = Site::start().await;
    let settings = site.settings().clone();
    let _producer = Daemon::start(ServiceKind::Producer, Limits::default(), |context| {
        producer::build(settings, context)
    })
    .await;
    let shop = Shop::open(site).await;
    let id = shop.ask().await;
    let seen = shop.view(&id).await;
    assert_eq!(seen["appName"], "Shop");
    assert_eq!(seen["transaction"]["from"], json!(shop.site.alice.id));
    let message = seen["message"].as_str().unwrap().to_owned();
    let transaction: Transaction = serde_json::from_value(seen["transaction"].clone()).unwrap();
    assert_eq!(
        transaction.message(),
        message,
        "what is shown is what is signed"
    );

    let key = shop.site.alice.key.clone();
    let other = message.replace("12.5", "99.5");
    let refused = shop.approve(&id, &shop.signed(&other, &key)).await;
    assert_eq!(refused.problem(400), "message-mismatch");
    let stranger = SecretKey::generate();
    let refused = shop.approve(&id, &shop.signed(&message, &stranger)).await;
    assert_eq!(refused.problem(403), "wrong-key");
    let mut unsigned = shop.signed(&message, &key);
    unsigned["signature"] = json!(key.sign("something else"));
    let refused = shop.approve(&id, &unsigned).await;
    assert_eq!(refused.problem(401), "bad-signature");
    let refused = shop.approve(&id, &json!({"message": message})).await;
    assert_eq!(refused.problem(400), "malformed");

    let body = shop.signed(&message, &key);
    let (one, two) = tokio::join!(shop.approve(&id, &body), shop.approve(&id, &body));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "single use: {one:?} {two:?}");
    until("the request to be confirmed", async || {
        shop.view(&id).await["status"] == "confirmed"
    })
    .await;
    let ledger = LedgerClient::new(&shop.site.settings().url(ServiceKind::Ledger)).unwrap();
    let transaction = shop.view(&id).await["transactionId"].clone();
    let known = ledger
        .transaction(&serde_json::from_value(transaction).unwrap())
        .await
        .unwrap();
    assert_eq!(known.signed.transaction.message(), message);

    // The phone may submit by itself and name what it has submitted.
    let id = shop.ask().await;
    let seen = shop.view(&id).await;
    let wanted: Transaction = serde_json::from_value(seen["transaction"].clone()).unwrap();
    let earlier = json!({"transactionId": known.id});
    let signed: SignedTransaction = wanted.sign(&key);
    let mut another = signed.transaction.clone();
    another.amount = Some("1".parse().unwrap());
    let another = another.sign(&key);
    ledger.submit(&another).await.unwrap();
    let refused = shop
        .approve(&id, &json!({"transactionId": another.id()}))
        .await;
    assert_eq!(refused.problem(400), "message-mismatch");
    let refused = shop.approve(&id, &earlier).await;
    assert_eq!(
        refused.problem(400),
        "message-mismatch",
        "an old payment is no answer to a new request"
    );
    let mut mine = signed.transaction;
    mine.nonce += 1;
    let mine = mine.sign(&key);
    ledger.submit(&mine).await.unwrap();
    let answer = shop
        .approve(&id, &json!({"transactionId": mine.id()}))
        .await
        .ok(200);
    assert_eq!(answer["transactionId"], json!(mine.id()));
    until("it to be confirmed", async || {
        shop.view(&id).await["status"] == "confirmed"
    })
    .await;
}

#[tokio::test]
async fn a_request_is_rejected_expires_and_needs_a_login() {
    let site = Site::with(|config| config.code_lives = Duration::from_millis(1500)).await;
    let shop = Shop::open(site).await;
    let id = shop.ask().await;
    let path = format!("/auth/transaction/{id}/reject");
    let reason = json!({"reason": "too dear"});
    shop.site.identity.post(&path, &reason).await.ok(200);
    let seen = shop.view(&id).await;
    assert_eq!(
        (&seen["status"], &seen["reason"]),
        (&json!("rejected"), &json!("too dear"))
    );
    let again = shop.site.identity.post(&path, &reason).await;
    assert_eq!(again.problem(409), "conflict");

    let id = shop.ask().await;
    let stream = shop
        .site
        .identity
        .url(&format!("/auth/transaction/{id}/events"));
    let stream = shop.site.identity.http().get(stream).send().await.unwrap();
    // The stream ends with the request.
    let told = stream.text().await.unwrap();
    assert!(told.contains(r#""type":"connected""#), "{told}");
    assert!(told.contains(r#""type":"expired""#), "{told}");
    let late = shop
        .approve(&id, &shop.signed("x", &shop.site.alice.key))
        .await;
    assert_eq!(late.problem(410), "expired");
    let unknown = shop.site.identity.get("/auth/transaction/txreq_nope").await;
    assert_eq!(unknown.problem(404), "not-found");
    let body = json!({"type": "transfer", "to": "@bob"});
    let stranger = shop
        .site
        .identity
        .post("/auth/transaction/request", &body)
        .await;
    assert_eq!(stranger.problem(401), "bad-token");
}

#[tokio::test]
async fn who_waits_for_a_phone_is_listed_for_the_user_and_for_the_operator() {
    use reqwest::Method;
    let shop = Shop::open(Site::start().await).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(shop.ask().await);
    }
    let path = format!("/auth/transaction/{}/reject", ids[1]);
    shop.site.identity.post(&path, &json!({})).await.ok(200);
    let listed = |answer: Value| -> Vec<String> {
        let rows = answer.as_array().unwrap().clone();
        rows.iter()
            .map(|row| row["requestId"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut expected = [ids[0].clone(), ids[2].clone()];
    expected.sort_unstable();
    let path = "/auth/transactions?status=pending";
    let mine = shop.call(Method::GET, path, None).await.ok(200);
    assert_eq!(mine[0]["transaction"]["amount"], "12.5");
    let mut mine = listed(mine);
    mine.sort_unstable();
    assert_eq!(mine, expected);
    let all = shop.call(Method::GET, "/auth/transactions", None).await;
    assert_eq!(listed(all.ok(200)).len(), 3);

    let settings = shop.site.settings();
    let key = |kind| {
        let file = KeyFile::read(&settings.home.node_key_file()).unwrap();
        NodeKey::new(file.secret_key).service_key(kind)
    };
    let identity = ServiceKind::Identity;
    let minute = Duration::from_secs(60);
    let token = |key: &SecretKey, kind| {
        ServiceToken::issue(key, kind, settings.node_id.clone(), now(), minute)
    };
    let with = |token: ServiceToken| {
        let http = shop.site.identity.http();
        answer(
            http.get(shop.site.identity.url("/auth/transactions?limit=2"))
                .bearer_auth(token.encode()),
        )
    };
    let theirs = with(token(&key(identity), identity)).await.ok(200);
    assert_eq!(listed(theirs).len(), 2);
    let stranger = with(token(&SecretKey::generate(), identity)).await;
    assert_eq!(stranger.problem(401), "bad-token");
    let ledger = ServiceKind::Ledger;
    let other = with(token(&key(ledger), ledger)).await;
    assert_eq!(other.problem(401), "bad-token");
    let nobody = shop.site.identity.get("/auth/transactions").await;
    assert_eq!(nobody.problem(401), "bad-token");

    let client = tana_client::IdentityClient::new(&shop.site.identity.base).unwrap();
    let (mut seen, mut query) = (Vec::new(), tana_client::PageQuery::first(2));
    loop {
        let token = token(&key(identity), identity);
        let page = client.requests(None, &query, &token).await.unwrap();
        seen.extend(page.items.into_iter().map(|row| row.request_id.to_string()));
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    seen.sort_unstable();
    ids.sort_unstable();
    assert_eq!(seen, ids, "page after page, each once");
    for bad in ["status=dead", "cursor=nonsense", "limit=0"] {
        let path = format!("/auth/transactions?{bad}");
        assert_eq!(
            shop.call(Method::GET, &path, None).await.status,
            400,
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_user_registers_lists_and_removes_phones() {
    use reqwest::Method;
    let shop = Shop::open(Site::start().await).await;
    let body =
        json!({"pushToken": "ExponentPushToken[x]", "deviceName": "Phone", "platform": "ios"});
    let first = shop
        .call(Method::POST, "/devices", Some(&body))
        .await
        .ok(201);
    let again = shop
        .call(Method::POST, "/devices", Some(&body))
        .await
        .ok(201);
    assert_eq!(
        first["id"], again["id"],
        "the same phone is registered once"
    );
    let listed = shop.call(Method::GET, "/devices", None).await.ok(200);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["deviceName"], "Phone");
    let path = format!("/devices/{}", first["id"].as_str().unwrap());
    shop.call(Method::DELETE, &path, None).await.ok(200);
    let gone = shop.call(Method::DELETE, &path, None).await;
    assert_eq!(gone.problem(404), "not-found");
    let empty = shop
        .call(Method::POST, "/devices", Some(&json!({"pushToken": ""})))
        .await;
    assert_eq!(empty.problem(400), "malformed");
    assert_eq!(
        shop.site.identity.get("/devices").await.problem(401),
        "bad-token"
    );
}

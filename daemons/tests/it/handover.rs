//! Approved transactions whose way to the ledger breaks: none is paid twice, none is lost.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use tana_client::LedgerClient;
use tana_daemons::identity::Config;
use tana_daemons::producer;
use tana_kit::http::Limits;
use tana_kit::{Shutdown, Tasks};
use tana_protocol::ServiceKind;

use crate::approval::Shop;
use crate::daemon::{Daemon, until};
use crate::identity::Site;

/// What becomes of submissions on their way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// They go through.
    Whole,
    /// The ledger gets them, and its answer is lost.
    LosesAnswers,
    /// They are lost.
    LosesSubmissions,
}

struct Wire {
    to: String,
    line: Line,
    http: reqwest::Client,
}

/// Stands between the identity service and the ledger.
struct Between {
    listener: std::net::TcpListener,
    wire: Arc<Mutex<Wire>>,
    tasks: Tasks,
}

impl Drop for Between {
    fn drop(&mut self) {
        self.tasks.shutdown().begin();
    }
}

async fn pass(State(wire): State<Arc<Mutex<Wire>>>, request: Request) -> Response {
    let (url, line, http) = {
        let wire = wire.lock().unwrap();
        let path = request.uri().path_and_query().unwrap();
        (format!("{}{path}", wire.to), wire.line, wire.http.clone())
    };
    let submits = request.method() == http::Method::POST;
    let broken = || {
        let cut = futures::stream::once(async { Err::<&str, _>(std::io::Error::other("cut")) });
        Response::new(Body::from_stream(cut))
    };
    if submits && line == Line::LosesSubmissions {
        return broken();
    }
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let mut passed = http.request(parts.method, url).body(body);
    if let Some(kind) = parts.headers.get("content-type") {
        passed = passed.header("content-type", kind);
    }
    let answer = passed.send().await.unwrap();
    if submits && line == Line::LosesAnswers {
        assert!(answer.status().is_success(), "{answer:?}");
        return broken();
    }
    let mut response = Response::builder().status(answer.status());
    if let Some(kind) = answer.headers().get("content-type") {
        response = response.header("content-type", kind);
    }
    response
        .body(Body::from_stream(answer.bytes_stream()))
        .unwrap()
}

impl Between {
    fn new(line: Line) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        // Making a client of ours installs what TLS needs, even where none is spoken.
        LedgerClient::new("http://127.0.0.1:1").unwrap();
        let wire = Wire {
            to: String::new(),
            line,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        Self {
            listener,
            wire: Arc::new(Mutex::new(wire)),
            tasks: Tasks::new(Shutdown::new()),
        }
    }

    /// Puts itself between; begins to pass on.
    fn stand(&self, config: &mut Config) {
        let own = format!("http://{}", self.listener.local_addr().unwrap());
        self.wire.lock().unwrap().to = std::mem::replace(&mut config.ledger, own);
        let router = Router::new().fallback(pass).with_state(self.wire.clone());
        let listener = self.listener.try_clone().unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let ended = self.tasks.shutdown().begun_owned();
        self.tasks.spawn("between", async move {
            tokio::select! {
                served = axum::serve(listener, router) => served,
                () = ended => Ok(()),
            }
        });
    }

    fn set(&self, line: Line) {
        self.wire.lock().unwrap().line = line;
    }
}

/// A shop at which something is asked for, and what the phone sends.
async fn asked(site: Site) -> (Shop, String, Value) {
    let shop = Shop::open(site).await;
    let id = shop.ask().await;
    let message = shop.view(&id).await["message"].as_str().unwrap().to_owned();
    let body = shop.signed(&message, &shop.site.alice.key);
    (shop, id, body)
}

async fn until_status(shop: &Shop, id: &str, status: &str) {
    until(&format!("the request to be {status}"), async || {
        shop.view(id).await["status"] == status
    })
    .await;
}

#[tokio::test]
async fn what_the_ledger_may_have_taken_is_not_open_again() {
    let between = Between::new(Line::LosesAnswers);
    let site = Site::with(|config| between.stand(config)).await;
    let (shop, id, body) = asked(site).await;
    let answer = shop.approve(&id, &body).await;
    assert_eq!(answer.problem(503), "unavailable");
    let status = shop.view(&id).await["status"].clone();
    assert!(
        status == "approved" || status == "submitted",
        "the ledger has it, and it is {status}"
    );
    // No block tells of it yet: it was asked for.
    until_status(&shop, &id, "submitted").await;
    let settings = shop.site.settings().clone();
    let _producer = Daemon::start(ServiceKind::Producer, Limits::default(), |context| {
        producer::build(settings, context)
    })
    .await;
    until_status(&shop, &id, "confirmed").await;
}

#[tokio::test]
async fn what_never_reached_the_ledger_is_open_again_after_a_while() {
    let between = Between::new(Line::LosesSubmissions);
    let site = Site::with(|config| {
        between.stand(config);
        config.lost_after = Duration::from_millis(300);
    })
    .await;
    let (shop, id, body) = asked(site).await;
    let answer = shop.approve(&id, &body).await;
    assert_eq!(answer.problem(503), "unavailable");
    assert_eq!(shop.view(&id).await["status"], "approved");
    until_status(&shop, &id, "pending").await;
    between.set(Line::Whole);
    shop.approve(&id, &body).await.ok(200);
    until_status(&shop, &id, "submitted").await;
}

#[tokio::test]
async fn what_was_approved_when_the_service_ended_is_taken_up_by_the_next() {
    let between = Between::new(Line::LosesSubmissions);
    let site = Site::with(|config| between.stand(config)).await;
    let (mut shop, id, body) = asked(site).await;
    shop.approve(&id, &body).await.problem(503);
    // The next one speaks to the ledger itself.
    shop.site
        .restart_identity(|config| config.lost_after = Duration::from_millis(300))
        .await;
    until_status(&shop, &id, "pending").await;
    shop.approve(&id, &body).await.ok(200);
}

#[tokio::test]
async fn one_that_is_open_again_after_its_time_ends_at_once() {
    let between = Between::new(Line::LosesSubmissions);
    let site = Site::with(|config| {
        between.stand(config);
        config.code_lives = Duration::from_secs(1);
        config.lost_after = Duration::from_millis(1500);
    })
    .await;
    let (shop, id, body) = asked(site).await;
    shop.approve(&id, &body).await.problem(503);
    let events = format!("/auth/transaction/{id}/events");
    let http = shop.site.identity.http();
    let told = http.get(shop.site.identity.url(&events)).send();
    let told = tokio::time::timeout(crate::daemon::LONG, told.await.unwrap().text());
    let told = told.await.expect("the stream ends").unwrap();
    assert!(told.contains(r#""status":"approved""#), "{told}");
    assert!(told.contains(r#""type":"expired""#), "{told}");
}

#[tokio::test]
async fn a_ledger_that_was_never_reached_leaves_the_request_open() {
    let (mut shop, id, body) = asked(Site::start().await).await;
    shop.site
        .restart_identity(|config| config.ledger = "http://127.0.0.1:1".to_owned())
        .await;
    let answer = shop.approve(&id, &body).await;
    assert_eq!(answer.problem(503), "unavailable");
    assert_eq!(shop.view(&id).await["status"], "pending");
}

#[tokio::test]
async fn a_user_is_asked_for_only_so_much_at_a_time() {
    let shop = Shop::open(Site::start().await).await;
    let first = shop.ask().await;
    for _ in 1..50 {
        shop.ask().await;
    }
    let body = json!({"type": "deposit", "to": "@alice", "amount": "1", "currencyCode": "USD"});
    let path = "/auth/transaction/request";
    let more = || shop.call(reqwest::Method::POST, path, Some(&body));
    assert_eq!(more().await.problem(429), "rate-limited");
    // Who may ask may also reject: that makes no room.
    let reject = format!("/auth/transaction/{first}/reject");
    shop.site.identity.post(&reject, &json!({})).await.ok(200);
    assert_eq!(more().await.problem(429), "rate-limited");
}

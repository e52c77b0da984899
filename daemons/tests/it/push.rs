//! Notifications to phones, against a real HTTP server in the place of the push service.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use reqwest::Method;
use serde_json::{Value, json};
use tana_daemons::identity::Config;
use tana_home::{PushProvider, PushSettings, Secret};
use tana_kit::{Shutdown, Tasks};

use crate::approval::Shop;
use crate::daemon::until;
use crate::identity::Site;

/// What came, and what is answered: the first answers in turn, then 200 with the last body.
#[derive(Default)]
struct Desk {
    came: Mutex<Vec<(HeaderMap, Value)>>,
    answers: Mutex<Vec<(u16, Value)>>,
}

struct Service {
    url: String,
    desk: Arc<Desk>,
    tasks: Tasks,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.tasks.shutdown().begin();
    }
}

async fn take(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    axum::Json(body): axum::Json<Value>,
) -> (StatusCode, HeaderMap, axum::Json<Value>) {
    desk.came.lock().unwrap().push((headers, body));
    let mut answers = desk.answers.lock().unwrap();
    let (status, body) = match answers.len() {
        0 => (200, json!({})),
        1 => (200, answers[0].1.clone()),
        _ => answers.remove(0),
    };
    let mut headers = HeaderMap::new();
    if status == 429 {
        headers.insert("retry-after", 2.into());
    }
    (
        StatusCode::from_u16(status).unwrap(),
        headers,
        axum::Json(body),
    )
}

impl Service {
    async fn start(answers: Vec<(u16, Value)>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/push/send?x=1", listener.local_addr().unwrap());
        let desk = Arc::new(Desk {
            answers: Mutex::new(answers),
            ..Desk::default()
        });
        let router = Router::new()
            .route("/push/send", axum::routing::post(take))
            .with_state(desk.clone());
        let tasks = Tasks::new(Shutdown::new());
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("push service", async move {
            let serving = axum::serve(listener, router);
            serving.with_graceful_shutdown(shutdown.begun_owned()).await
        });
        Self { url, desk, tasks }
    }

    fn settings(&self, provider: PushProvider) -> impl FnOnce(&mut Config) + use<> {
        let push = PushSettings {
            provider,
            url: self.url.clone(),
            secret: Some(Secret::new("hush".to_owned())),
        };
        move |config| config.push = Some(push)
    }

    fn came(&self) -> Vec<(HeaderMap, Value)> {
        self.desk.came.lock().unwrap().clone()
    }

    async fn until(&self, count: usize) -> Vec<(HeaderMap, Value)> {
        until("the push service to be asked", async || {
            self.came().len() >= count
        })
        .await;
        self.came()
    }
}

async fn register(shop: &Shop, token: &str) -> String {
    let body =
        json!({"pushToken": token, "deviceName": "Phone", "platform": "ios", "appVersion": "1.2"});
    let device = shop.call(Method::POST, "/devices", Some(&body)).await;
    device.ok(201)["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_webhook_is_told_once_for_each_phone_and_again_when_it_could_not_take_it() {
    let answers = vec![(503, json!({})), (429, json!({})), (200, json!({}))];
    let service = Service::start(answers).await;
    let shop = Shop::open(Site::with(service.settings(PushProvider::Webhook)).await).await;
    let phone = register(&shop, "token one").await;
    let id = shop.ask().await;
    let came = service.until(3).await;
    let asked = shop.view(&id).await;
    for (headers, body) in &came {
        assert_eq!(headers["authorization"], "Bearer hush");
        assert_eq!(body["type"], "transaction_approval");
        assert_eq!(body["requestId"], json!(id));
        assert_eq!(body["transaction"], asked["transaction"]);
        assert_eq!(body["appName"], "Shop");
        let device = &body["device"];
        assert_eq!(device["id"], json!(phone));
        assert_eq!(device["pushToken"], "token one");
    }
    let second = register(&shop, "token two").await;
    let id = shop.ask().await;
    let came = service.until(5).await;
    let mut told: Vec<&str> = came[3..]
        .iter()
        .filter(|(_, body)| body["requestId"] == json!(id))
        .map(|(_, body)| body["device"]["id"].as_str().unwrap())
        .collect();
    told.sort_unstable();
    let mut phones = [phone.as_str(), second.as_str()];
    phones.sort_unstable();
    assert_eq!(told, phones);
}

#[tokio::test]
async fn expo_gets_all_phones_at_once_and_one_that_is_gone_is_removed() {
    let tickets = json!({"data": [
        {"status": "error", "message": "gone", "details": {"error": "DeviceNotRegistered"}},
        {"status": "error", "message": "slower", "details": {"error": "MessageRateExceeded"}},
    ]});
    let again = json!({"data": [{"status": "ok", "id": "ticket"}]});
    let service = Service::start(vec![(200, tickets), (200, again)]).await;
    let shop = Shop::open(Site::with(service.settings(PushProvider::Expo)).await).await;
    register(&shop, "ExponentPushToken[kept]").await;
    register(&shop, "ExponentPushToken[gone]").await;
    let id = shop.ask().await;
    let came = service.until(2).await;
    let to = |body: &Value| -> Vec<String> {
        let messages = body.as_array().unwrap().iter();
        messages
            .map(|message| message["to"].as_str().unwrap().to_owned())
            .collect()
    };
    // The newest first, as they are listed.
    let both = ["ExponentPushToken[gone]", "ExponentPushToken[kept]"];
    assert_eq!(to(&came[0].1), both);
    assert_eq!(to(&came[1].1), ["ExponentPushToken[kept]"]);
    assert_eq!(came[0].0["authorization"], "Bearer hush");
    let message = &came[0].1[0];
    assert_eq!(message["data"]["type"], "transaction_approval");
    assert_eq!(message["data"]["requestId"], json!(id));
    assert_eq!(message["priority"], "high");
    let shown = message["body"].as_str().unwrap();
    assert!(
        shown.contains("Shop") && !shown.contains("12.5"),
        "a locked phone shows who asks, not for what: {shown}"
    );
    until("the phone that is gone to be removed", async || {
        let listed = shop.call(Method::GET, "/devices", None).await.ok(200);
        listed.as_array().unwrap().len() == 1
    })
    .await;
}

#[tokio::test]
async fn who_was_not_told_before_the_service_ended_is_told_by_the_next() {
    let gone = Service::start(Vec::new()).await;
    let address = gone.url.clone();
    gone.tasks.shutdown().begin();
    gone.tasks.finish(Duration::from_secs(5)).await.unwrap();
    let push = |url: String| PushSettings {
        provider: PushProvider::Webhook,
        url,
        secret: None,
    };
    let site = Site::with(|config| config.push = Some(push(address))).await;
    let mut shop = Shop::open(site).await;
    register(&shop, "token").await;
    let id = shop.ask().await;
    let service = Service::start(Vec::new()).await;
    let url = service.url.clone();
    shop.site
        .restart_identity(|config| config.push = Some(push(url)))
        .await;
    let came = service.until(1).await;
    assert_eq!(came[0].1["requestId"], json!(id));
    assert!(came[0].0.get("authorization").is_none());
}

#[tokio::test]
async fn a_user_has_only_so_many_phones() {
    let shop = Shop::open(Site::start().await).await;
    let bodies: Vec<Value> = (0..60)
        .map(|n| json!({"pushToken": format!("token {n}")}))
        .collect();
    let registering = bodies
        .iter()
        .map(|body| shop.call(Method::POST, "/devices", Some(body)));
    let answers = futures::future::join_all(registering).await;
    let (kept, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!(kept.len(), 50, "however many come at once");
    assert!(
        refused
            .iter()
            .all(|answer| answer.problem(409) == "conflict")
    );
    // One that is known already is none more.
    let listed = shop.call(Method::GET, "/devices", None).await.ok(200);
    assert_eq!(listed.as_array().unwrap().len(), 50);
    let known = answers.iter().position(|answer| answer.status == 201);
    let again = shop.call(Method::POST, "/devices", Some(&bodies[known.unwrap()]));
    again.await.ok(201);
}

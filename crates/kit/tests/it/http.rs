//! Health, metrics, problem documents, limits, pages and the end.

use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use tana_kit::http::Limits;
use tana_kit::rate::RateLimit;
use tana_kit::{Json, PageQuery, Paged, Path, Query};
use tokio::io::AsyncReadExt;

use crate::daemon::Daemon;

#[derive(Deserialize, Serialize)]
struct Body {
    count: u8,
}

fn routes(_: &tana_kit::Context) -> Router {
    Router::new()
        .route("/echo", post(async |Json(body): Json<Body>| Json(body)))
        .route("/number/{n}", get(async |Path(n): Path<u32>| n.to_string()))
        .route("/query", get(async |Query(body): Query<Body>| Json(body)))
        .route("/panic", get(async || -> String { panic!("on purpose") }))
        .route("/slow", get(std::future::pending::<()>))
        .route(
            "/broken",
            get(async || {
                let body = futures::stream::once(async {
                    assert!(std::hint::black_box(false), "on purpose");
                    Ok::<_, std::io::Error>("never")
                });
                axum::body::Body::from_stream(body)
            }),
        )
        .route(
            "/list",
            get(async |page: PageQuery| -> Paged<u32> {
                let first = page.cursor::<u32>().ok().flatten().unwrap_or(100);
                let items = (first..first + page.limit).collect();
                page.answer(items, Some((first + page.limit).to_string()))
            }),
        )
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn while_it_starts_it_is_alive_and_not_ready() {
    let (open, opened) = tokio::sync::oneshot::channel::<()>();
    let daemon = Daemon::start_after(
        Limits::default(),
        async move { opened.await.unwrap() },
        routes,
    )
    .await;
    let health = daemon.get("/health").await;
    assert_eq!(health.status, 503);
    assert_eq!(health.json()["status"], "starting");
    assert!(health.headers.contains_key("retry-after"));
    let early = daemon.get("/number/1").await;
    assert_eq!((early.status, early.code().as_str()), (503, "unavailable"));

    open.send(()).unwrap();
    let health = daemon.until("/health", 200).await.json();
    assert_eq!(health["status"], "ok");
    assert_eq!(health["service"], "t4");
    assert_eq!(health["version"], "1.2.3");
    assert_eq!(daemon.get("/number/1").await.body, "1");
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn bad_input_is_a_problem_that_says_what_is_wrong() {
    let daemon = Daemon::start(Limits::default(), routes).await;
    daemon.until("/health", 200).await;
    let cases = [
        (
            "POST",
            "/echo",
            JSON,
            r#"{"count":1"#,
            400,
            "malformed",
            "not JSON",
        ),
        (
            "POST",
            "/echo",
            JSON,
            r#"{"count":-1}"#,
            400,
            "malformed",
            "expected u8",
        ),
        (
            "POST",
            "/echo",
            JSON,
            "{}",
            400,
            "malformed",
            "missing field `count`",
        ),
        (
            "POST",
            "/echo",
            ("x", "y"),
            "{}",
            415,
            "unsupported-media-type",
            "application/json",
        ),
        ("GET", "/number/x", ("x", "y"), "", 400, "malformed", "`x`"),
        (
            "GET",
            "/query?count=999",
            ("x", "y"),
            "",
            400,
            "malformed",
            "too large",
        ),
        (
            "GET",
            "/nothing",
            ("x", "y"),
            "",
            404,
            "not-found",
            "/nothing",
        ),
        (
            "DELETE",
            "/echo",
            ("x", "y"),
            "",
            405,
            "method-not-allowed",
            "POST",
        ),
        ("GET", "/panic", ("x", "y"), "", 500, "internal", "log"),
        (
            "GET",
            "/list?limit=501",
            ("x", "y"),
            "",
            400,
            "out-of-range",
            "500",
        ),
        (
            "GET",
            "/list?limit=0",
            ("x", "y"),
            "",
            400,
            "out-of-range",
            "1",
        ),
        (
            "GET",
            "/list?offset=10001",
            ("x", "y"),
            "",
            400,
            "out-of-range",
            "Link",
        ),
    ];
    for (method, path, header, body, status, code, says) in cases {
        let answer = daemon.request(method, path, &[header], body).await;
        assert_eq!(answer.status, status, "{method} {path} {answer:?}");
        assert_eq!(answer.code(), code, "{method} {path}");
        let detail = answer.detail();
        assert!(detail.contains(says), "{method} {path}: {detail}");
        assert!(answer.headers.contains_key("x-request-id"));
    }
    let good = daemon
        .request("POST", "/echo", &[JSON], r#"{"count":7,"new":1}"#)
        .await;
    assert_eq!((good.status, good.body.as_str()), (200, r#"{"count":7}"#));
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn a_body_that_panics_ends_its_connection_alone() {
    let daemon = Daemon::start(Limits::default(), routes).await;
    daemon.until("/health", 200).await;
    let mut stream = daemon.open("GET", "/broken", &[], "").await;
    let mut answer = String::new();
    // Cut off, with or without an error of the socket.
    let _cut = stream.read_to_string(&mut answer).await;
    assert!(!answer.contains("never"), "{answer}");
    assert_eq!(daemon.get("/health").await.status, 200);
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn limits_hold() {
    let limits = Limits {
        body_bytes: 100,
        head: Duration::from_millis(50),
        time: Duration::from_millis(20),
        rate: RateLimit::new(20),
        cors_origins: vec!["https://app.example".into()],
        ..Limits::default()
    };
    let daemon = Daemon::start(limits, routes).await;
    let large = format!(r#"{{"count":1,"x":"{}"}}"#, "x".repeat(200));
    let answer = daemon.request("POST", "/echo", &[JSON], &large).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "too-large"));
    let answer = daemon.get("/slow").await;
    assert_eq!((answer.status, answer.code().as_str()), (504, "timeout"));

    // One who begins a request and says no more is closed.
    let mut silent = tokio::net::TcpStream::connect(daemon.address)
        .await
        .unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut silent, b"GET /health HT")
        .await
        .unwrap();
    let mut said = Vec::new();
    let closed = silent.read_to_end(&mut said);
    let closed = tokio::time::timeout(crate::daemon::LONG, closed).await;
    assert!(closed.is_ok(), "it was kept open");

    let ours = [("origin", "https://app.example")];
    let answer = daemon.request("GET", "/number/1", &ours, "").await;
    assert_eq!(
        answer.headers["access-control-allow-origin"],
        "https://app.example"
    );
    let other = [("origin", "https://evil.example")];
    let answer = daemon.request("GET", "/number/1", &other, "").await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));

    // The bucket holds 40 and gets 20 a second: a run of requests meets its end.
    let mut refused = None;
    for _ in 0..500 {
        let answer = daemon.get("/number/1").await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("no request was refused");
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (429, "rate-limited")
    );
    assert_eq!(refused.headers["retry-after"], "1");
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn a_list_is_a_bare_array_and_the_link_leads_on() {
    let daemon = Daemon::start(Limits::default(), routes).await;
    daemon.until("/health", 200).await;
    let first = daemon.get("/list?limit=2&kind=a%20b&offset=4").await;
    assert_eq!(first.body, "[100,101]");
    assert_eq!(
        first.headers["link"],
        r#"</list?limit=2&kind=a+b&cursor=102>; rel="next""#
    );
    let next = daemon.get("/list?limit=2&kind=a+b&cursor=102").await;
    assert_eq!(next.body, "[102,103]");
    let default = daemon.get("/list").await.json();
    assert_eq!(default.as_array().unwrap().len(), 50);
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn metrics_count_requests_by_route() {
    let daemon = Daemon::start(Limits::default(), routes).await;
    daemon.until("/health", 200).await;
    daemon.get("/number/1").await;
    daemon.get("/number/2").await;
    let metrics = daemon.get("/metrics").await.body;
    // Other tests of this process count under other statuses.
    let counted = metrics.lines().any(|line| {
        line.starts_with("http_requests_total")
            && [
                r#"route="/number/{n}""#,
                r#"method="GET""#,
                r#"status="200""#,
            ]
            .iter()
            .all(|label| line.contains(label))
    });
    assert!(counted, "{metrics}");
    assert!(
        !metrics.contains("/number/1"),
        "a path made a series of its own"
    );
    assert!(metrics.contains("http_request_duration_seconds_bucket"));
    let memory = metrics
        .lines()
        .find_map(|line| line.strip_prefix("process_resident_memory_bytes "))
        .unwrap();
    assert!(memory.parse::<f64>().unwrap() > 1e6);
    let document = daemon.get("/openapi.json").await.json();
    assert_eq!(document["info"]["title"], "test");
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn a_request_that_runs_is_answered_before_the_end() {
    let (enter, entered) = tokio::sync::oneshot::channel::<()>();
    let enter = std::sync::Mutex::new(Some(enter));
    let daemon = Daemon::start(Limits::default(), move |context| {
        let shutdown = context.shutdown.clone();
        let enter = std::sync::Arc::new(enter);
        Router::new().route(
            "/work",
            get(move || {
                let shutdown = shutdown.clone();
                let enter = enter.clone();
                async move {
                    enter.lock().unwrap().take().unwrap().send(()).unwrap();
                    shutdown.begun().await;
                    "done"
                }
            }),
        )
    })
    .await;
    daemon.until("/health", 200).await;
    let mut stream = daemon.open("GET", "/work", &[], "").await;
    entered.await.unwrap();
    daemon.stop().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("done"), "{answer}");
}

#[tokio::test]
async fn a_failed_task_ends_the_daemon_with_its_error() {
    let daemon = Daemon::start(Limits::default(), |context| {
        context.tasks.spawn("sweeper", async {
            Err::<(), _>(std::io::Error::other("the broom broke"))
        });
        Router::new()
    })
    .await;
    let error = daemon.end().await.unwrap_err();
    assert_eq!(format!("{error:#}"), "sweeper failed: the broom broke");
}

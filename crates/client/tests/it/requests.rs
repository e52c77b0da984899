//! Requests: bodies, problems, retries, limits.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Query;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tana_client::{ClientError, ContentClient, LedgerClient, MeshClient, NodeClient, PageQuery};
use tana_protocol::api::health::HealthStatus;
use tana_protocol::api::ledger::QueueView;
use tana_protocol::{Code, Hash32, Problem, SecretKey, Transaction, TransactionType, UserId};

use crate::server::{Calls, nowhere, serve, serve_socket, soon};

fn queue() -> QueueView {
    QueueView {
        backend: "embedded".into(),
        length: 3,
        pending: 1,
        dead: 0,
        oldest_ms: Some(12),
        consumers: vec!["validator-1".into()],
        warning: None,
    }
}

#[tokio::test]
async fn a_problem_document_is_decoded_with_its_code() {
    let refuse = || async {
        let problem = Problem::new(Code::QueueFull, "the queue holds 100000 transactions");
        (StatusCode::TOO_MANY_REQUESTS, Json(problem))
    };
    let url = serve(Router::new().route("/queue", get(refuse))).await;
    let error = LedgerClient::new(&url).unwrap().queue().await.unwrap_err();
    assert_eq!(error.code(), Some(Code::QueueFull));
    assert_eq!(error.to_string(), "the queue holds 100000 transactions");
}

#[tokio::test]
async fn an_error_of_another_form_still_says_what_happened() {
    let refuse = || async {
        let body = json!({"error": "no such\u{1b}[2J thing", "code": "from-the-future"});
        (StatusCode::IM_A_TEAPOT, Json(body))
    };
    let url = serve(Router::new().route("/queue", get(refuse))).await;
    let error = LedgerClient::new(&url).unwrap().queue().await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("418") && text.contains("no such[2J thing"),
        "{text}"
    );
}

#[tokio::test]
async fn nobody_there_says_where_and_what_to_do() {
    let url = nowhere().await;
    let error = LedgerClient::new(&url).unwrap().queue().await.unwrap_err();
    assert!(error.is_unreachable());
    let text = error.to_string();
    for word in ["ledger", &url, "tana start"] {
        assert!(text.contains(word), "{text}");
    }
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("node.sock");
    let error = NodeClient::new(&socket)
        .unwrap()
        .status()
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::NoNode { .. }), "{error:?}");
    assert!(error.to_string().contains("tana start"), "{error}");
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_with_its_text() {
    for bad in ["", "localhost", "ftp://x", "http://"] {
        let error = MeshClient::new(bad).unwrap_err();
        assert!(error.to_string().contains(&format!("{bad:?}")), "{error}");
    }
}

#[tokio::test]
async fn reading_is_repeated_and_a_heartbeat_is_not() {
    let (reads, beats) = (Calls::default(), Calls::default());
    let (seen, beaten) = (reads.clone(), beats.clone());
    let read = move || async move {
        if reads.next() < 2 {
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        } else {
            Json(queue()).into_response()
        }
    };
    let beat = move || async move {
        beats.next();
        StatusCode::SERVICE_UNAVAILABLE
    };
    let router = Router::new()
        .route("/queue", get(read))
        .route("/heartbeat", post(beat));
    let url = serve(router).await;
    let found = LedgerClient::new(&url).unwrap().queue().await.unwrap();
    assert_eq!((found, seen.count()), (queue(), 3));

    let key = SecretKey::from_seed(&[1; 32]);
    let beat = MeshClient::sign_heartbeat(&"n".parse().unwrap(), &key);
    let mesh = MeshClient::new(&url).unwrap();
    mesh.heartbeat(&beat).await.unwrap_err();
    assert_eq!(beaten.count(), 1);
}

#[tokio::test]
async fn what_an_earlier_try_may_have_done_is_not_called_undone() {
    let calls = Calls::default();
    let seen = calls.clone();
    let submit = move || async move {
        if calls.next() == 0 {
            let cut = async { Err::<&str, _>(std::io::Error::other("cut")) };
            return Body::from_stream(futures::stream::once(cut)).into_response();
        }
        StatusCode::TOO_MANY_REQUESTS.into_response()
    };
    let url = serve(Router::new().route("/transactions", post(submit))).await;
    let transaction = Transaction::new(
        TransactionType::Transfer,
        UserId::SYSTEM.into(),
        UserId::SYSTEM.into(),
        tana_client::now(),
        1,
    );
    let signed = transaction.sign(&SecretKey::from_seed(&[1; 32]));
    let ledger = LedgerClient::new(&url).unwrap();
    let error = soon(ledger.submit(&signed)).await.unwrap_err();
    assert!(error.is_outcome_unknown(), "{error}");
    assert_eq!(seen.count(), 3);
}

#[tokio::test]
async fn a_long_retry_after_is_not_waited_for() {
    let calls = Calls::default();
    let seen = calls.clone();
    let refuse = move || async move {
        calls.next();
        (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::RETRY_AFTER, "3600")],
        )
    };
    let url = serve(Router::new().route("/queue", get(refuse))).await;
    soon(LedgerClient::new(&url).unwrap().queue())
        .await
        .unwrap_err();
    assert_eq!(seen.count(), 1);
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_the_end() {
    let endless = || async {
        let chunk = vec![b' '; 1024 * 1024];
        let chunks = futures::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
        Body::from_stream(chunks)
    };
    let url = serve(Router::new().route("/queue", get(endless))).await;
    let error = soon(LedgerClient::new(&url).unwrap().queue())
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_says_that_the_outcome_is_unknown() {
    // The connection is taken and closed without an answer.
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = tokio::io::AsyncReadExt::read(&mut socket, &mut request).await;
        }
    });
    let key = SecretKey::from_seed(&[1; 32]);
    let beat = MeshClient::sign_heartbeat(&"n".parse().unwrap(), &key);
    let error = soon(MeshClient::new(&url).unwrap().heartbeat(&beat))
        .await
        .unwrap_err();
    assert!(error.is_outcome_unknown(), "{error:?}");
}

#[tokio::test]
async fn a_daemon_that_is_not_ready_tells_its_health() {
    let starting = || async {
        let body = json!({"status": "starting", "service": "ledger", "version": "1",
            "checks": [{"name": "database", "ok": false}]});
        (StatusCode::SERVICE_UNAVAILABLE, Json(body))
    };
    let url = serve(Router::new().route("/health", get(starting))).await;
    let health = LedgerClient::new(&url).unwrap().health().await.unwrap();
    assert_eq!(health.status, HealthStatus::Starting);
    assert_eq!(health.checks.len(), 1);
}

#[tokio::test]
async fn pages_follow_the_link_and_escape_what_they_ask_for() {
    #[derive(serde::Deserialize)]
    struct Asked {
        limit: Option<u32>,
        cursor: Option<String>,
    }
    let list = |Query(asked): Query<Asked>| async move {
        match asked.cursor.as_deref() {
            None => {
                assert_eq!(asked.limit, Some(2));
                let link = "</contracts?limit=2&cursor=a%26b%3D1>; rel=\"next\"";
                ([(header::LINK, link)], Json(json!([]))).into_response()
            }
            Some("a&b=1") => Json(json!([])).into_response(),
            Some(other) => panic!("asked for {other:?}"),
        }
    };
    let url = serve(Router::new().route("/contracts", get(list))).await;
    let ledger = LedgerClient::new(&url).unwrap();
    let first = ledger.contracts(&PageQuery::first(2)).await.unwrap();
    let second = ledger
        .contracts(&PageQuery {
            limit: Some(2),
            cursor: first.next,
        })
        .await
        .unwrap();
    assert_eq!(second.next, None);
}

#[tokio::test]
async fn content_is_checked_against_its_hash() {
    let wrong = || async { "not what was asked for" };
    let url = serve(Router::new().route("/content/{hash}", get(wrong))).await;
    let content = ContentClient::new(&url).unwrap();
    let right = Hash32::of(b"not what was asked for");
    assert!(content.get(&right, 100).await.unwrap().is_some());
    let error = content.get(&Hash32::of(b"x"), 100).await.unwrap_err();
    assert_eq!(error.code(), Some(Code::HashMismatch));
    let error = content.get(&right, 10).await.unwrap_err();
    assert!(matches!(error, ClientError::TooLarge { .. }), "{error}");

    let url = serve(Router::new()).await;
    let content = ContentClient::new(&url).unwrap();
    assert_eq!(content.get(&right, 100).await.unwrap(), None);
}

#[tokio::test]
async fn the_supervisor_is_reached_over_its_socket() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("node.sock");
    let router = Router::new().route("/services", get(|| async { Json(json!([])) }));
    serve_socket(&socket, router);
    let node = NodeClient::new(&socket).unwrap();
    assert_eq!(node.services().await.unwrap(), []);
}

#[tokio::test]
async fn making_a_client_costs_next_to_nothing() {
    let fastest = (0..20)
        .map(|_| {
            let begun = Instant::now();
            let _client = LedgerClient::new("http://127.0.0.1:8080").unwrap();
            begun.elapsed()
        })
        .min()
        .unwrap();
    assert!(fastest < Duration::from_millis(2), "{fastest:?}");
}

//! Event streams: what they yield, and what they do when the connection is gone.

use std::convert::Infallible;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use axum::routing::get;
use futures::stream;
use serde_json::json;
use tana_client::{
    EventStream, IdentityClient, LedgerClient, LedgerEvent, StreamEvent, StreamItem,
};
use tana_protocol::api::identity::SessionEventType;
use tana_protocol::login::SessionId;

use crate::server::{Calls, nowhere, serve, soon};

fn events(events: Vec<Event>) -> impl IntoResponse {
    Sse::new(stream::iter(events.into_iter().map(Ok::<_, Infallible>)))
}

/// The next event; what comes between is passed over.
async fn event<E: StreamEvent + std::fmt::Debug>(stream: &mut EventStream<E>) -> E {
    loop {
        match soon(stream.next()).await {
            Some(StreamItem::Event(event)) => return event,
            Some(StreamItem::Refused(error)) => panic!("{error}"),
            Some(_) => {}
            None => panic!("the stream has ended"),
        }
    }
}

#[tokio::test]
async fn a_stream_that_breaks_is_resumed_after_the_last_event() {
    let calls = Calls::default();
    let stream = move |headers: HeaderMap| async move {
        let call = calls.next();
        let last = headers
            .get("last-event-id")
            .map(|id| id.to_str().unwrap().to_owned());
        assert_eq!(last, (call > 0).then(|| format!("run-{call}")));
        let data = format!("{{\"length\":{call}}}");
        let id = format!("run-{}", call + 1);
        events(vec![Event::default().event("queue").id(id).data(data)])
    };
    let url = serve(Router::new().route("/events", get(stream))).await;
    let mut stream = LedgerClient::new(&url).unwrap().events();

    assert!(matches!(
        soon(stream.next()).await,
        Some(StreamItem::Connected)
    ));
    for call in 0..3 {
        let LedgerEvent::Queue(queue) = event(&mut stream).await else {
            panic!("another event");
        };
        assert_eq!(queue.length, call);
    }
}

#[tokio::test]
async fn a_loss_is_told_once_with_its_reason_and_the_return_too() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    let once = || async { events(vec![]) };
    let router = Router::new().route("/events", get(once));
    // Serves one connection, then nobody listens.
    let (gone, is_gone) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(async move {
        axum::serve(listener, router)
            .with_graceful_shutdown(async {
                let _ = is_gone.await;
            })
            .await
    });
    let mut stream = LedgerClient::new(&format!("http://{address}"))
        .unwrap()
        .events();
    assert!(matches!(
        soon(stream.next()).await,
        Some(StreamItem::Connected)
    ));
    gone.send(()).unwrap();
    let Some(StreamItem::Lost { why, .. }) = soon(stream.next()).await else {
        panic!("the end of the stream is told");
    };
    assert_eq!(why, "the daemon closed the stream");
    served.abort();
    // It may have come back before the listener closed.
    loop {
        match soon(stream.next()).await {
            Some(StreamItem::Lost { why, .. }) if why == "it does not answer" => break,
            Some(StreamItem::Lost { .. } | StreamItem::Connected) => {}
            other => panic!("{other:?}"),
        }
    }
    // The same reason is not told again: the next item is the return.
    let back = tokio::net::TcpListener::bind(address).await.unwrap();
    let router = Router::new().route("/events", get(once));
    tokio::spawn(async move { axum::serve(back, router).await });
    assert!(matches!(
        soon(stream.next()).await,
        Some(StreamItem::Connected)
    ));
}

#[tokio::test]
async fn events_of_other_versions_are_passed_over() {
    let stream = || async {
        events(vec![
            Event::default().event("reset").data("{}"),
            Event::default().event("from-the-future").data("{}"),
            Event::default().event("queue").data("no json"),
            Event::default().comment("nothing happens"),
            Event::default()
                .event("queue")
                .data("{\"length\":7,\"more\":1}"),
        ])
    };
    let url = serve(Router::new().route("/events", get(stream))).await;
    let mut stream = LedgerClient::new(&url).unwrap().events();
    let LedgerEvent::Queue(queue) = event(&mut stream).await else {
        panic!("another event");
    };
    assert_eq!(queue.length, 7);
}

#[tokio::test]
async fn a_session_ends_its_stream() {
    let id = SessionId::from_random([1; 16]);
    let said = id.clone();
    let stream = move || async move {
        let event = |kind: &str| {
            let data = json!({"type": kind, "sessionId": said, "timestamp": 1});
            Event::default().data(data.to_string())
        };
        events(vec![event("connected"), event("approved")])
    };
    let url = serve(Router::new().route("/auth/session/{id}/events", get(stream))).await;
    let mut stream = IdentityClient::new(&url).unwrap().events(&id);
    assert_eq!(event(&mut stream).await.kind, SessionEventType::Connected);
    assert_eq!(event(&mut stream).await.kind, SessionEventType::Approved);
    assert!(soon(stream.next()).await.is_none());
}

#[tokio::test]
async fn a_stream_that_is_refused_ends_with_the_reason() {
    let url = serve(Router::new().route("/events", get(|| async { StatusCode::NOT_FOUND }))).await;
    let mut stream = LedgerClient::new(&url).unwrap().events();
    let Some(StreamItem::Refused(error)) = soon(stream.next()).await else {
        panic!("a refusal is told");
    };
    assert!(error.to_string().contains("404"), "{error}");
    assert!(soon(stream.next()).await.is_none());
}

#[tokio::test]
async fn nobody_there_is_a_loss_and_not_the_end() {
    let url = nowhere().await;
    let mut stream = LedgerClient::new(&url).unwrap().events();
    let Some(StreamItem::Lost { why, .. }) = soon(stream.next()).await else {
        panic!("it is told");
    };
    assert_eq!(why, "it does not answer");
}

#[tokio::test]
async fn an_event_without_end_is_not_read_to_the_end() {
    let stream = || async {
        let chunk = "x".repeat(64 * 1024);
        let chunks = stream::repeat_with(move || Ok::<_, Infallible>(chunk.clone()));
        (
            [("content-type", "text/event-stream")],
            axum::body::Body::from_stream(chunks),
        )
    };
    let url = serve(Router::new().route("/events", get(stream))).await;
    let mut stream = LedgerClient::new(&url).unwrap().events();
    assert!(matches!(
        soon(stream.next()).await,
        Some(StreamItem::Connected)
    ));
    let Some(StreamItem::Lost { why, .. }) = soon(stream.next()).await else {
        panic!("it is given up");
    };
    assert!(why.contains("4 MiB"), "{why}");
}

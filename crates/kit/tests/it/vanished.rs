//! Clients that go away, and answers that take too long: what a request has begun is done all the same.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use http_body_util::BodyExt as _;
use tana_kit::http::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::daemon::{Daemon, LONG};

/// A handler that reads its body, says how that ended, waits for the test, and says that it has come to its end.
struct Site {
    daemon: Daemon,
    read: oneshot::Receiver<Result<usize, String>>,
    go_on: oneshot::Sender<()>,
    done: oneshot::Receiver<()>,
}

async fn site(limits: Limits) -> Site {
    let (say_read, read) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel();
    let (say_done, done) = oneshot::channel();
    let parts = Arc::new(Mutex::new(Some((say_read, may_go_on, say_done))));
    let daemon = Daemon::start(limits, move |_| {
        Router::new().route(
            "/upload",
            post(move |body: Body| {
                let parts = parts.clone();
                async move {
                    let (read, may_go_on, done) = parts.lock().unwrap().take().unwrap();
                    let body = body.collect().await;
                    let body = body.map(|body| body.to_bytes().len());
                    read.send(body.map_err(|error| error.to_string())).unwrap();
                    may_go_on.await.unwrap();
                    done.send(()).unwrap();
                }
            }),
        )
    })
    .await;
    daemon.until("/health", 200).await;
    Site {
        daemon,
        read,
        go_on,
        done,
    }
}

async fn upload(daemon: &Daemon, head: &str, sent: &str) -> TcpStream {
    let mut stream = TcpStream::connect(daemon.address).await.unwrap();
    let request = format!("POST /upload HTTP/1.1\r\nhost: test\r\n{head}\r\n\r\n{sent}");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn soon<T>(told: oneshot::Receiver<T>) -> T {
    tokio::time::timeout(LONG, told).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_handler_ends_its_work_when_its_client_has_gone() {
    let site = site(Limits::default()).await;
    let stream = upload(&site.daemon, "content-length: 4", "body").await;
    assert_eq!(soon(site.read).await, Ok(4));
    drop(stream);
    // The server, which runs on this thread too, has seen that by now.
    for _ in 0..20 {
        site.daemon.until("/health", 200).await;
    }
    site.go_on.send(()).unwrap();
    soon(site.done).await;
    site.daemon.stop().await.unwrap();
}

#[tokio::test]
async fn half_a_body_is_an_error_and_not_a_whole_one() {
    for (head, sent) in [
        ("content-length: 100", "ten bytes!"),
        ("transfer-encoding: chunked", "a\r\nten bytes!\r\n"),
    ] {
        let site = site(Limits::default()).await;
        let stream = upload(&site.daemon, head, sent).await;
        drop(stream);
        assert!(soon(site.read).await.is_err(), "{head}");
        site.go_on.send(()).unwrap();
        soon(site.done).await;
        site.daemon.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_handler_ends_its_work_when_the_answer_has_been_given_up() {
    let limits = Limits {
        time: Duration::from_millis(50),
        ..Limits::default()
    };
    let site = site(limits).await;
    let mut stream = upload(
        &site.daemon,
        "connection: close\r\ncontent-length: 4",
        "body",
    )
    .await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    assert_eq!(soon(site.read).await, Ok(4));
    site.go_on.send(()).unwrap();
    soon(site.done).await;
    site.daemon.stop().await.unwrap();
}

#[tokio::test]
async fn an_upload_that_takes_too_long_ends_with_an_error() {
    let limits = Limits {
        time: Duration::from_millis(50),
        ..Limits::default()
    };
    let site = site(limits).await;
    let _stays = upload(&site.daemon, "content-length: 100", "ten bytes!").await;
    let read = soon(site.read).await;
    assert!(read.is_err(), "{read:?}");
    site.go_on.send(()).unwrap();
    soon(site.done).await;
    site.daemon.stop().await.unwrap();
}

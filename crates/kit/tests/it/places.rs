//! Clients that do not read what they asked for: they keep nobody out, and not for long.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use tana_kit::EventHub;
use tana_kit::http::Limits;
use tana_kit::places::Places;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::daemon::{Daemon, LONG};

/// More than the sockets of both sides hold.
const LARGE: usize = 16 << 20;

async fn daemon(limits: Limits) -> (Daemon, EventHub) {
    let more = Router::new()
        .route("/large", get(async || Body::from(vec![b'x'; LARGE])))
        .route("/small", get(async || "small"));
    Daemon::with_events(limits, more).await
}

#[tokio::test]
async fn health_is_answered_when_every_place_is_taken() {
    let places = Places {
        requests: 2,
        streams: 1,
    };
    let (daemon, _hub) = daemon(Limits {
        places,
        ..Limits::default()
    })
    .await;
    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut stream = daemon.open("GET", "/large", &[], "").await;
        // Its answer has begun: it has its place.
        stream.read_exact(&mut [0; 12]).await.unwrap();
        slow.push(stream);
    }
    // More than the places that are kept for this.
    for _ in 0..100 {
        let answer = daemon.get("/health").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["connection"], "close");
    }
    let refused = daemon.get("/small").await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (503, "unavailable")
    );
    drop(slow);
    daemon.until("/small", 200).await;
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn many_who_come_at_once_wait_for_each_other_and_nobody_is_turned_away() {
    let places = Places {
        requests: 2,
        streams: 300,
    };
    let (daemon, _hub) = daemon(Limits {
        places,
        ..Limits::default()
    })
    .await;
    let opened = (0..250).map(|_| async {
        let mut stream = daemon.open("GET", "/events", &[], "").await;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
        stream
    });
    let all = futures::future::join_all(opened).await;
    assert_eq!(all.len(), 250);
    drop(all);
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_disconnected_and_an_idle_stream_is_not() {
    let (daemon, hub) = daemon(Limits {
        unread: Duration::from_millis(100),
        ..Limits::default()
    })
    .await;
    let mut idle = daemon.open("GET", "/events", &[], "").await;
    let mut head = [0; 12];
    idle.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");

    let mut slow = daemon.open("GET", "/large", &[], "").await;
    slow.read_exact(&mut head).await.unwrap();
    // The server has hung up: what is written to it is refused.
    tokio::time::timeout(LONG, async {
        while slow.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();

    hub.publish("block", &"after all that");
    let mut text = String::new();
    tokio::time::timeout(LONG, async {
        while !text.contains("after all that") {
            let mut part = [0; 1024];
            let count = idle.read(&mut part).await.unwrap();
            assert!(count > 0, "it was disconnected: {text}");
            text.push_str(std::str::from_utf8(&part[..count]).unwrap());
        }
    })
    .await
    .unwrap();
    daemon.stop().await.unwrap();
}

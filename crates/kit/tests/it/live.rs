//! Events: replay, resume, reset, the end, and readers that do not read.

use axum::Router;
use tana_kit::EventHub;
use tana_kit::http::Limits;
use tana_kit::places::Places;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;

use crate::daemon::{Daemon, LONG};

/// One event as it came.
#[derive(Debug, Default, PartialEq, Eq)]
struct Came {
    id: String,
    name: String,
    data: String,
}

struct Stream(BufReader<TcpStream>);

impl Stream {
    async fn open(daemon: &Daemon, last: Option<&str>) -> Self {
        let headers: Vec<(&str, &str)> = last.map(|id| ("last-event-id", id)).into_iter().collect();
        Self(BufReader::new(
            daemon.open("GET", "/events", &headers, "").await,
        ))
    }

    /// The next block that has an id; `None` at the end.
    async fn next(&mut self) -> Option<Came> {
        tokio::time::timeout(LONG, async {
            let mut came = Came::default();
            loop {
                let mut line = String::new();
                if self.0.read_line(&mut line).await.unwrap_or(0) == 0 {
                    return None;
                }
                let line = line.trim_end();
                if let Some(id) = line.strip_prefix("id: ") {
                    came.id = id.to_owned();
                } else if let Some(name) = line.strip_prefix("event: ") {
                    came.name = name.to_owned();
                } else if let Some(data) = line.strip_prefix("data: ") {
                    came.data = data.to_owned();
                } else if line.is_empty() && !came.id.is_empty() {
                    return Some(came);
                }
            }
        })
        .await
        .unwrap()
    }
}

async fn daemon() -> (Daemon, EventHub) {
    with(Limits::default()).await
}

async fn with(limits: Limits) -> (Daemon, EventHub) {
    Daemon::with_events(limits, Router::new()).await
}

#[tokio::test]
async fn events_come_in_order_and_a_client_resumes_where_it_was() {
    let (daemon, hub) = daemon().await;
    let mut stream = Stream::open(&daemon, None).await;
    let begin = stream.next().await.unwrap();
    hub.publish("block", &1);
    hub.publish("block", &2);
    let first = stream.next().await.unwrap();
    assert_eq!((first.name.as_str(), first.data.as_str()), ("block", "1"));
    drop(stream);
    hub.publish("block", &3);

    let mut resumed = Stream::open(&daemon, Some(&first.id)).await;
    assert_eq!(resumed.next().await.unwrap().id, first.id);
    for expected in ["2", "3"] {
        assert_eq!(resumed.next().await.unwrap().data, expected);
    }
    // The position before the first event resumes as well.
    let mut whole = Stream::open(&daemon, Some(&begin.id)).await;
    whole.next().await.unwrap();
    assert_eq!(whole.next().await.unwrap().data, "1");
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn an_id_of_another_run_or_too_long_ago_is_a_reset() {
    let (daemon, hub) = daemon().await;
    let mut stream = Stream::open(&daemon, None).await;
    let begin = stream.next().await.unwrap();
    for n in 0..=tana_kit::events::REPLAY {
        hub.publish("n", &n);
    }
    for id in ["1-7", "nonsense", begin.id.as_str()] {
        let mut stream = Stream::open(&daemon, Some(id)).await;
        let reset = stream.next().await.unwrap();
        assert_eq!(reset.name, "reset", "{id}");
        hub.publish("after", &1);
        assert_eq!(stream.next().await.unwrap().name, "after");
    }
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn streams_end_at_once_when_the_daemon_ends() {
    let (daemon, _hub) = daemon().await;
    let mut stream = Stream::open(&daemon, None).await;
    stream.next().await.unwrap();
    let began = std::time::Instant::now();
    daemon.stop().await.unwrap();
    assert_eq!(stream.next().await, None);
    assert!(began.elapsed() < std::time::Duration::from_secs(2));
}

#[tokio::test]
async fn streams_keep_no_requests_out_and_no_more_open_than_there_are_places_for() {
    let places = Places {
        requests: 1,
        streams: 2,
    };
    let (daemon, hub) = with(Limits {
        places,
        ..Limits::default()
    })
    .await;
    let mut first = Stream::open(&daemon, None).await;
    first.next().await.unwrap();
    let mut second = Stream::open(&daemon, None).await;
    second.next().await.unwrap();
    // Both are open, and the one place for requests is free.
    assert_eq!(daemon.get("/health").await.status, 200);
    let third = daemon.get("/events").await;
    assert_eq!((third.status, third.code().as_str()), (503, "unavailable"));
    assert_eq!(third.headers["retry-after"], "10");
    hub.publish("block", &1);
    assert_eq!(second.next().await.unwrap().data, "1");
    drop(first);
    daemon.until_stream("/events").await;
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn one_who_does_not_read_is_dropped_and_holds_nobody_up() {
    let (daemon, hub) = daemon().await;
    let mut slow = Stream::open(&daemon, None).await;
    slow.next().await.unwrap();
    let large = "x".repeat(64 << 10);
    // More than sockets and channel hold together.
    for _ in 0..1000 {
        hub.publish("large", &large);
        tokio::task::yield_now().await;
    }
    let mut got = 0;
    while slow.next().await.is_some() {
        got += 1;
    }
    assert!(got < 1000, "it was not dropped");
    tokio::time::timeout(LONG, async {
        while hub.listeners() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    daemon.stop().await.unwrap();
}

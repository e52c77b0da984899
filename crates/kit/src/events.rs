//! Live events over SSE: ids that resume (`Last-Event-ID`), a bounded replay ring, comments every 15 s, an end at
//! shutdown. Nothing here polls.
//!
//! An id is `<run>-<number>`: the run is the time at which the hub began, so that an id of an earlier run of the
//! daemon is recognised. Where the events after an id cannot be replayed, the client gets a `reset` event and
//! fetches again what it shows.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, HeaderName};
use http::request::Parts;
use serde::Serialize;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::clock::{Clock, SystemClock};
use crate::shutdown::Shutdown;

/// Name of the event that says: fetch again, events were lost.
pub const RESET: &str = "reset";
/// How many events are kept for clients that come back.
pub const REPLAY: usize = 1024;
/// Replay never holds more than this.
const REPLAY_BYTES: usize = 4 << 20;
/// A reader that is this many events behind is dropped; it resumes by its last id.
const BEHIND: usize = 256;
/// Events that wait to be sent go out together, so many at most: a chunk for each would cost more than the events.
const TOGETHER: usize = 256;
/// Between two comments on a stream on which nothing happens.
pub const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// What of [`REPLAY_BYTES`] is held against an event whose text is not there yet: its share. It may be
/// some times as long; the number of events is the bound then.
const LATER_BYTES: usize = REPLAY_BYTES / REPLAY;

/// One published event.
pub struct Published {
    number: u64,
    name: &'static str,
    data: Data,
}

/// An event's text, or what makes it: where nobody listens, nobody writes it.
struct Data {
    text: OnceLock<String>,
    value: Option<Box<dyn Fn() -> String + Send + Sync>>,
}

impl Data {
    fn text(&self) -> &str {
        let value = self.value.as_ref();
        self.text
            .get_or_init(|| value.map(|value| value()).unwrap_or_default())
    }

    /// What it counts for in the replay ring, the same as long as it is there.
    fn bytes(&self) -> usize {
        match (&self.value, self.text.get()) {
            (None, Some(text)) => text.len(),
            _ => LATER_BYTES,
        }
    }
}

impl std::fmt::Debug for Published {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Published")
            .field("number", &self.number)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Published {
    /// The event's name; empty for an unnamed one.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its data, JSON.
    #[must_use]
    pub fn data(&self) -> &str {
        self.data.text()
    }
}

/// Publishes events to all who listen. Clones share it.
#[derive(Clone)]
pub struct EventHub {
    inner: Arc<Inner>,
}

struct Inner {
    run: u64,
    replay: Mutex<Replay>,
    sender: broadcast::Sender<Arc<Published>>,
    shutdown: Shutdown,
}

#[derive(Default)]
struct Replay {
    ring: VecDeque<Arc<Published>>,
    bytes: usize,
    last: u64,
}

/// What the client says it saw last: the header `Last-Event-ID`.
#[derive(Clone, Debug, Default)]
pub struct LastEventId(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let id = parts
            .headers
            .get("last-event-id")
            .and_then(|value| value.to_str().ok())
            .filter(|id| !id.is_empty());
        Ok(Self(id.map(str::to_owned)))
    }
}

impl EventHub {
    /// A hub whose streams end when `shutdown` begins.
    #[must_use]
    pub fn new(shutdown: &Shutdown) -> Self {
        Self {
            inner: Arc::new(Inner {
                run: SystemClock.now().ms(),
                replay: Mutex::default(),
                sender: broadcast::channel(BEHIND).0,
                shutdown: shutdown.clone(),
            }),
        }
    }

    /// Publishes an event; an empty name makes an unnamed one. Never waits.
    pub fn publish<T: Serialize + ?Sized>(&self, name: &'static str, data: &T) {
        let data = Data {
            text: tana_protocol::json::compact(data).into(),
            value: None,
        };
        self.send(name, data);
    }

    /// The same of a value that is written out when the first reads it: for what happens often, and is a few KiB at most.
    pub fn publish_shared<T>(&self, name: &'static str, data: Arc<T>)
    where
        T: Serialize + Send + Sync + 'static,
    {
        let data = Data {
            text: OnceLock::new(),
            value: Some(Box::new(move || tana_protocol::json::compact(&*data))),
        };
        self.send(name, data);
    }

    fn send(&self, name: &'static str, data: Data) {
        let mut replay = self
            .inner
            .replay
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        replay.last += 1;
        let event = Arc::new(Published {
            number: replay.last,
            name,
            data,
        });
        replay.bytes += event.data.bytes();
        replay.ring.push_back(event.clone());
        while replay.ring.len() > REPLAY || replay.bytes > REPLAY_BYTES {
            let Some(oldest) = replay.ring.pop_front() else {
                break;
            };
            replay.bytes -= oldest.data.bytes();
        }
        // Sent under the lock, so that nobody sees two events in another order than their numbers.
        let _nobody_listens = self.inner.sender.send(event);
    }

    /// How many listen.
    #[must_use]
    pub fn listeners(&self) -> usize {
        self.inner.sender.receiver_count()
    }

    /// All events from now on, for a part of the same daemon. Ends at shutdown; lost events are skipped.
    pub fn listen(&self) -> impl Stream<Item = Arc<Published>> + Send + use<> {
        let receiver = self.inner.sender.subscribe();
        let live = stream::unfold(receiver, |mut receiver| async move {
            loop {
                match receiver.recv().await {
                    Ok(event) => return Some((event, receiver)),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        });
        live.take_until(self.inner.shutdown.begun_owned())
    }

    /// The answer to a client: what it missed, then what happens.
    #[must_use]
    pub fn stream(&self, last: &LastEventId) -> Response {
        self.stream_where(last, |_| Wanted::Yes)
    }

    /// The same with only the events that are wanted.
    pub fn stream_where<F>(&self, last: &LastEventId, wanted: F) -> Response
    where
        F: Fn(&Published) -> Wanted + Send + Sync + 'static,
    {
        let run = self.inner.run;
        // Subscribed and read under one lock: nothing is missed in between, nothing comes twice.
        let (first, missed, receiver) = {
            let replay = self
                .inner
                .replay
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let (first, missed) = replay.after(run, last.0.as_deref());
            (first, missed, self.inner.sender.subscribe())
        };
        let live = stream::unfold(receiver, |mut receiver| async move {
            // One who lags is dropped rather than waited for: it comes back with the id of what it saw last.
            receiver.recv().await.ok().map(|event| (event, receiver))
        });
        let events = stream::iter(missed).chain(live).filter_map(move |event| {
            let found = (wanted(&event) == Wanted::Yes).then(|| to_sse(run, &event));
            std::future::ready(found)
        });
        sse(stream::iter([first]).chain(events), &self.inner.shutdown)
    }
}

/// Whether a client gets an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// It does.
    Yes,
    /// It does not.
    No,
}

impl Replay {
    /// How the stream begins, and the events after the one that the client names.
    fn after(&self, run: u64, last: Option<&str>) -> (Event, Vec<Arc<Published>>) {
        let position = format!("{run}-{}", self.last);
        // The position lets a client resume that comes back before the first event.
        let begin = Event::default().id(&position).comment("connected");
        let Some(last) = last else {
            return (begin, Vec::new());
        };
        let seen = last
            .split_once('-')
            .filter(|(of, _)| of.parse() == Ok(run))
            .and_then(|(_, number)| number.parse::<u64>().ok());
        let oldest = self
            .ring
            .front()
            .map_or(self.last + 1, |event| event.number);
        match seen {
            Some(seen) if seen <= self.last && seen + 1 >= oldest => {
                let missed = self.ring.iter().filter(|event| event.number > seen);
                (
                    Event::default().id(last).comment("resumed"),
                    missed.cloned().collect(),
                )
            }
            _ => (
                Event::default().id(&position).event(RESET).data("{}"),
                Vec::new(),
            ),
        }
    }
}

fn to_sse(run: u64, event: &Published) -> Event {
    let sse = Event::default()
        .id(format!("{run}-{}", event.number))
        .data(event.data());
    if event.name.is_empty() {
        sse
    } else {
        sse.event(event.name)
    }
}

/// Any stream of events as an answer: with comments every 15 s, and an end at shutdown.
pub fn sse<S>(events: S, shutdown: &Shutdown) -> Response
where
    S: Stream<Item = Event> + Send + 'static,
{
    let events = events
        .take_until(shutdown.begun_owned())
        .map(Ok::<_, Infallible>);
    let response = Sse::new(events)
        .keep_alive(KeepAlive::new().interval(COMMENT_EVERY))
        .into_response();
    let mut response = response.map(together);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies (nginx) otherwise hold events back.
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

/// The same bytes, with what is there already in one piece.
fn together(body: Body) -> Body {
    let pieces = body.into_data_stream().ready_chunks(TOGETHER);
    Body::from_stream(pieces.map(|pieces| {
        let mut all = Vec::new();
        for piece in pieces {
            all.extend_from_slice(&piece?);
        }
        Ok::<_, axum::Error>(all)
    }))
}

//! Server-sent events that survive the loss of the connection: backoff, `Last-Event-ID`, and items that say when
//! the stream came and went, so that a screen can show the age of what it shows.

mod parse;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{Stream, StreamExt};
use reqwest::Method;
use tana_protocol::Timestamp;

use crate::clock::now;
use crate::error::ClientError;
use crate::http::Http;
pub use parse::{EventParser, RawEvent, Unreadable};

/// The largest event that is read.
const LARGEST: usize = 4 * 1024 * 1024;
/// Servers send a comment every 15 s; three that are missing mean that nobody is there.
const SILENCE: Duration = Duration::from_secs(50);
/// A stream that stood so long was a good one.
const LASTING: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A service of this machine is back within 2 s of its end; asking it costs nothing.
const LONGEST_PAUSE_LOCAL: Duration = Duration::from_millis(800);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// An event of a daemon's stream.
pub trait StreamEvent: Sized + Send + 'static {
    /// Reads one from its name (`message` where it has none) and data; `None` for names of later versions.
    ///
    /// # Errors
    /// When the data is not what the name says.
    fn decode(name: &str, data: &str) -> Result<Option<Self>, serde_json::Error>;

    /// Whether the stream ends with this event by design.
    fn is_last(&self) -> bool {
        false
    }
}

/// What an [`EventStream`] yields.
#[derive(Debug)]
pub enum StreamItem<E> {
    /// The stream stands. What happened while it did not may be missing (a daemon's own
    /// `reset` event says so too and is left out here): read the present state.
    Connected,
    /// Something happened.
    Event(E),
    /// The stream is gone and is being opened again. Comes once, and again when the reason changes.
    Lost {
        /// When anything was last received.
        since: Timestamp,
        /// Why, for a person.
        why: String,
    },
    /// The daemon refuses the stream; nothing follows.
    Refused(ClientError),
}

/// A stream of a daemon's events that reconnects by itself. Dropping it closes the connection.
pub struct EventStream<E>(Pin<Box<dyn Stream<Item = StreamItem<E>> + Send>>);

impl<E> std::fmt::Debug for EventStream<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventStream")
    }
}

impl<E> Stream for EventStream<E> {
    type Item = StreamItem<E>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl<E: StreamEvent> EventStream<E> {
    /// The next item; `None` when the stream has ended by design. Can be dropped and called again.
    pub async fn next(&mut self) -> Option<StreamItem<E>> {
        StreamExt::next(&mut self.0).await
    }

    pub(crate) fn open(http: Http, path: &[&str], query: Vec<(&'static str, String)>) -> Self {
        let path: Vec<String> = path.iter().map(|&segment| segment.to_owned()).collect();
        Self(Box::pin(follow(http, path, query)))
    }
}

fn follow<E: StreamEvent>(
    http: Http,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
) -> impl Stream<Item = StreamItem<E>> + Send {
    async_stream::stream! {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let mut last_id = String::new();
        let mut heard = now();
        let mut told: Option<String> = None;
        let mut pause = FIRST_PAUSE;
        loop {
            let mut call = http.request(Method::GET, &path).query(query.clone());
            if !last_id.is_empty() {
                call = call.header(http::HeaderName::from_static("last-event-id"), &last_id);
            }
            let why = match call.open("text/event-stream", None).await {
                Ok(response) => {
                    heard = now();
                    told = None;
                    yield StreamItem::Connected;
                    let opened = tokio::time::Instant::now();
                    // A process of this machine that ends closes its connections; only a network can fall silent.
                    let silence = (!http.is_local()).then_some(SILENCE);
                    let (mut bytes, mut parser) = (response.bytes_stream(), EventParser::default());
                    let mut events: Vec<E> = Vec::new();
                    let why = loop {
                        let chunk = match read(&mut bytes, silence).await {
                            Ok(Some(chunk)) => chunk,
                            Ok(None) => break "the daemon closed the stream".to_owned(),
                            Err(why) => break why,
                        };
                        let unreadable = parser.feed(&chunk, |event| {
                            if !event.id.is_empty() {
                                last_id.clone_from(&event.id);
                            }
                            match E::decode(event.name(), &event.data) {
                                Ok(decoded) => events.extend(decoded),
                                Err(error) => tracing::warn!(
                                    event = event.name(),
                                    %error,
                                    "an event is not of the form that this version knows"
                                ),
                            }
                            heard = now();
                        });
                        for event in events.drain(..) {
                            let last = E::is_last(&event);
                            yield StreamItem::Event(event);
                            if last {
                                return;
                            }
                        }
                        if let Err(why) = unreadable {
                            break why.to_string();
                        }
                    };
                    // A daemon that closes each stream at once is not asked ten times a second.
                    if opened.elapsed() > LASTING {
                        pause = FIRST_PAUSE;
                    }
                    why
                }
                Err(error) if error.is_unreachable() => "it does not answer".to_owned(),
                Err(error) if error.is_transient() || error.is_outcome_unknown() => error.to_string(),
                Err(error) => {
                    yield StreamItem::Refused(error);
                    return;
                }
            };
            if told.as_deref() != Some(why.as_str()) {
                told = Some(why.clone());
                yield StreamItem::Lost { since: heard, why };
            }
            tokio::time::sleep(pause).await;
            let longest = if http.is_local() { LONGEST_PAUSE_LOCAL } else { LONGEST_PAUSE };
            pause = (pause * 2).min(longest);
        }
    }
}

/// The next bytes of a stream; none where it has ended, an error where nothing comes for too long.
async fn read<B>(
    bytes: &mut (impl Stream<Item = reqwest::Result<B>> + Unpin),
    silence: Option<Duration>,
) -> Result<Option<B>, String> {
    let next = StreamExt::next(bytes);
    let read = match silence {
        None => next.await,
        Some(silence) => tokio::time::timeout(silence, next)
            .await
            .map_err(|_| format!("nothing came for {} s", silence.as_secs()))?,
    };
    read.transpose().map_err(|error| root(&error))
}

/// The deepest reason of an error: the one that says something.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

//! Accepting connections: how many at once, how long a request's head may take and an answer may lie unread, and their
//! graceful end. What is answered is `http`'s.
//!
//! `axum::serve` does the same without the limits.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::HeaderValue;
use http::header::{CONNECTION, CONTENT_TYPE};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tana_protocol::problem::Code;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use crate::error::ApiError;
use crate::http::Limits;
use crate::places::{Place, Taken};
use crate::shutdown::Shutdown;
use crate::stalled::Patient;
use crate::tasks::Tasks;
use crate::wire::{Outgoing, Wire};

/// After a failed `accept` (no more open files) the next try comes this much later.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a connection on a spare place may take to send a request's head: there are only a few.
const HEAD_IN_NEED: Duration = Duration::from_secs(3);
/// Bytes that are read at once, and of a head at most. Large bodies come in pieces of this size: each is memory that a client
/// has us take.
const READ: usize = 64 << 10;
/// What is answered on a spare place: how this service does.
const ALWAYS: [&str; 2] = ["/health", "/metrics"];

/// Serves until the shutdown begins and the last connection has ended.
pub(crate) async fn connections(
    listener: TcpListener,
    router: Router,
    tasks: Tasks,
    limits: Limits,
) {
    let shutdown = tasks.shutdown().clone();
    let places = Taken::none(limits.places);
    let limits = Arc::new(limits);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = shutdown.begun() => break,
        };
        let Ok((stream, client, place)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let (router, shutdown, limits) = (router.clone(), shutdown.clone(), limits.clone());
        tasks.spawn("connection", async move {
            let serving = connection(stream, client, place, router, shutdown, &limits);
            // A body that panics while it is streamed ends its connection, not the daemon; the log has the panic.
            let _panicked = AssertUnwindSafe(serving).catch_unwind().await;
        });
    }
    drop(listener);
    places.all_free().await;
}

type Accepted = (TcpStream, SocketAddr, Place);

async fn accept(listener: &TcpListener, places: &Taken) -> io::Result<Accepted> {
    let (stream, client) = listener.accept().await.inspect_err(|error| {
        tracing::debug!("a connection could not be accepted: {error}");
    })?;
    // Afterwards: a place that is kept for the next connection is one that the last one waits for.
    let place = places.take().await.ok_or(io::ErrorKind::BrokenPipe)?;
    Ok((stream, client, place))
}

async fn connection(
    stream: TcpStream,
    client: SocketAddr,
    place: Place,
    router: Router,
    shutdown: Shutdown,
    limits: &Limits,
) {
    // Answers and events are small and are to go out at once; where that cannot be set they still go out.
    let _set = stream.set_nodelay(true);
    let wire = Wire::default();
    let stream = Patient::new(Outgoing::new(stream, wire.clone()), limits.unread);
    let in_need = place.is_spare();
    let head = if in_need {
        limits.head.min(HEAD_IN_NEED)
    } else {
        limits.head
    };
    let service = service_fn(move |request| {
        let (router, place, wire) = (router.clone(), place.clone(), wire.clone());
        async move {
            let mut response = answer(router, &place, client, wire, request).await;
            if in_need {
                close(&mut response);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        // What is sent from files relies on it.
        .writev(true)
        .max_buf_size(READ)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = shutdown.begun() => {
            // The request that runs is answered, an idle connection is closed.
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        // Clients that go away are everyday.
        tracing::debug!("a connection of {client} broke: {error}");
    }
}

async fn answer(
    router: Router,
    place: &Place,
    client: SocketAddr,
    wire: Wire,
    mut request: http::Request<Incoming>,
) -> Response {
    if !ALWAYS.contains(&request.uri().path()) && place.settle().await.is_err() {
        return busy("connections", 1);
    }
    let extensions = request.extensions_mut();
    extensions.insert(ConnectInfo(client));
    extensions.insert(wire);
    extensions.insert(place.clone());
    match router.oneshot(request.map(Body::new)).await {
        Ok(response) => placed(place, response),
        Err(never) => match never {},
    }
}

fn busy(of_what: &str, seconds: u64) -> Response {
    let text =
        format!("as many {of_what} are open as this service serves at once; try again later");
    ApiError::new(Code::Unavailable, text)
        .retry_after(seconds)
        .into_response()
}

fn close(response: &mut Response) {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
}

/// A stream gets a place of its own, and its connection ends with it: it is not for requests any more.
fn placed(place: &Place, mut response: Response) -> Response {
    let kind = response.headers().get(CONTENT_TYPE);
    if kind.is_none_or(|kind| !kind.as_bytes().starts_with(b"text/event-stream")) {
        return response;
    }
    if place.streams().is_err() {
        return busy("streams", 10);
    }
    close(&mut response);
    response
}

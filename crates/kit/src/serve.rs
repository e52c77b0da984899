//! Accepting connections: how many at once, how long a request's head may take, and their graceful end. What is
//! answered is `http`'s.
//!
//! `axum::serve` does the same without the limits.

use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::HeaderValue;
use http::header::{CONNECTION, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tana_protocol::problem::Code;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use crate::error::ApiError;
use crate::places::{Place, Places, Taken};
use crate::shutdown::Shutdown;
use crate::tasks::Tasks;

/// After a failed `accept` (no more open files) the next try comes this much later.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves until the shutdown begins and the last connection has ended.
pub(crate) async fn connections(
    listener: TcpListener,
    router: Router,
    tasks: Tasks,
    head: Duration,
    places: Places,
) {
    let shutdown = tasks.shutdown().clone();
    let places = Taken::none(places);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = shutdown.begun() => break,
        };
        let Ok((stream, client, place)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let (router, shutdown) = (router.clone(), shutdown.clone());
        tasks.spawn("connection", async move {
            let serving = connection(stream, client, place, router, shutdown, head);
            // A body that panics while it is streamed ends its connection, not the daemon; the log has the panic.
            let _panicked = AssertUnwindSafe(serving).catch_unwind().await;
        });
    }
    drop(listener);
    places.all_free().await;
}

type Accepted = (TcpStream, SocketAddr, Place);

async fn accept(listener: &TcpListener, places: &Taken) -> io::Result<Accepted> {
    let place = places.take().await.ok_or(io::ErrorKind::BrokenPipe)?;
    let (stream, client) = listener.accept().await.inspect_err(|error| {
        tracing::debug!("a connection could not be accepted: {error}");
    })?;
    Ok((stream, client, place))
}

async fn connection(
    stream: TcpStream,
    client: SocketAddr,
    place: Place,
    router: Router,
    shutdown: Shutdown,
    head: Duration,
) {
    // Answers and events are small and are to go out at once; where that cannot be set they still go out.
    let _set = stream.set_nodelay(true);
    let service = router
        .map_request(move |mut request: http::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(ConnectInfo(client));
            request.map(Body::new)
        })
        .map_response(move |response| placed(&place, response));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
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

/// A stream gets a place of its own, and its connection ends with it: it is not for requests any more.
fn placed(place: &Place, mut response: Response) -> Response {
    let kind = response.headers().get(CONTENT_TYPE);
    if kind.is_none_or(|kind| !kind.as_bytes().starts_with(b"text/event-stream")) {
        return response;
    }
    if place.streams().is_err() {
        return ApiError::new(
            Code::Unavailable,
            "as many streams are open as this service serves at once; try again later",
        )
        .retry_after(10)
        .into_response();
    }
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

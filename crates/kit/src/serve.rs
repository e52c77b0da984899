//! Accepting connections: how many at once, how long a request's head may take, and their graceful end. What is
//! answered is `http`'s.
//!
//! `axum::serve` does the same without the limits.

use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use futures::FutureExt;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::shutdown::Shutdown;
use crate::tasks::Tasks;

/// Connections at once; more wait in the kernel's queue. Below the usual limit of 1024 open files.
const CONNECTIONS: usize = 900;
/// After a failed `accept` (no more open files) the next try comes this much later.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves until the shutdown begins and the last connection has ended.
pub(crate) async fn connections(
    listener: TcpListener,
    router: Router,
    tasks: Tasks,
    head: Duration,
) {
    let shutdown = tasks.shutdown().clone();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
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
            let serving = connection(stream, client, router, shutdown, head);
            // A body that panics while it is streamed ends its connection, not the daemon; the log has the panic.
            let _panicked = AssertUnwindSafe(serving).catch_unwind().await;
            drop(place);
        });
    }
    drop(listener);
    // All places free again: the last connection has ended.
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    let _all_ended = places.acquire_many(all).await;
}

type Accepted = (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<Accepted> {
    let place = places
        .clone()
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, client) = listener.accept().await.inspect_err(|error| {
        tracing::debug!("a connection could not be accepted: {error}");
    })?;
    Ok((stream, client, place))
}

async fn connection(
    stream: TcpStream,
    client: SocketAddr,
    router: Router,
    shutdown: Shutdown,
    head: Duration,
) {
    // Answers and events are small and are to go out at once; where that cannot be set they still go out.
    let _set = stream.set_nodelay(true);
    let service = router.map_request(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(client));
        request.map(axum::body::Body::new)
    });
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

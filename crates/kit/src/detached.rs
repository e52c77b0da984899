//! A request that may change something runs to its end, whoever waits for it: a client that goes away and a time limit end
//! the waiting, not the handler. So what was written is always told of too.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::places::Place;
use crate::tasks::Tasks;

/// The answer to a request, which runs on `tasks` unless its method is safe.
pub(crate) async fn finished(tasks: &Tasks, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let gone = CancellationToken::new();
    let _waits = gone.clone().drop_guard();
    // What runs counts as an open connection, even where its client has closed it: there are only so many at once.
    let place = request.extensions().get::<Place>().cloned();
    let request = request.map(|body| Upload::of(body, &gone));
    tasks
        .run("request", async move {
            let response = next.run(request).await;
            drop(place);
            response
        })
        .await
}

/// A body that ends with an error once nobody waits for the answer: whoever reads it neither hangs nor takes a part of it
/// for the whole.
struct Upload {
    body: Body,
    gone: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Upload {
    fn of(body: Body, gone: &CancellationToken) -> Body {
        if hyper::body::Body::is_end_stream(&body) {
            return body;
        }
        Body::new(Self {
            body,
            gone: Box::pin(gone.clone().cancelled_owned()),
        })
    }
}

impl hyper::body::Body for Upload {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let is_short = match &polled {
            Poll::Ready(Some(_)) => false,
            // A connection that is dropped looks like the end of its body.
            Poll::Ready(None) => !self.body.is_end_stream(),
            Poll::Pending => true,
        };
        if is_short && self.gone.as_mut().poll(context).is_ready() {
            let why = "the client went away, or took too long, before all of it was there";
            let error = io::Error::new(io::ErrorKind::UnexpectedEof, why);
            return Poll::Ready(Some(Err(axum::Error::new(error))));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

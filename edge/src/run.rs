//! One execution, in a task of its own: a client that goes away costs no worker. Its answer comes whole or in parts.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use http::Method;
use tana_kit::ApiError;
use tana_protocol::Code;
use tana_sandbox::message::{Failure, HttpResponse, Invocation, LogLevel, Outcome, Part};
use tana_sandbox::pool::PoolError;
use tokio::sync::{mpsc, oneshot};

use crate::Edge;
use crate::contracts::Contract;
use crate::failure::{busy, failed};
use crate::request::outgoing;

type Ended = Result<Outcome, PoolError>;

/// What was asked of which contract, for the log and for messages.
pub(crate) struct Asked {
    pub(crate) name: String,
    pub(crate) contract: Contract,
    pub(crate) method: Method,
}

/// Runs a handler, and answers as soon as it does: with its whole answer, or with the first part of it.
pub(crate) async fn run(
    edge: &Arc<Edge>,
    asked: Asked,
    invocation: Invocation,
) -> Result<Response, ApiError> {
    let (sender, mut parts) = mpsc::unbounded_channel();
    let (done, ended) = oneshot::channel();
    let (name, file) = (asked.name.clone(), asked.contract.file.clone());
    let shared = Arc::clone(edge);
    edge.tasks.spawn("a contract's execution", async move {
        let answers = shared.answers.of(asked.contract.id, sender);
        let ended = shared.pool.run(invocation, &answers).await;
        // Nothing more comes: whoever reads the parts sees the end of them.
        drop(answers);
        if let Ok(outcome) = &ended {
            log(&asked, outcome);
        }
        // Where the client has gone away, nobody waits for it.
        let _ = done.send(ended);
    });
    if let Some(Part::Head { status, headers }) = parts.recv().await {
        let mut response = outgoing(HttpResponse {
            status,
            headers,
            body: Vec::new().into(),
        });
        *response.body_mut() = Body::from_stream(pieces(parts, ended));
        return Ok(response);
    }
    let outcome = ended
        .await
        .map_err(|_| ApiError::new(Code::Unavailable, "the edge is stopping").retry_after(1))?
        .map_err(|error| busy(&error))?;
    Ok(match (outcome.error, outcome.response) {
        (Some(failure), _) => failed(&name, &file, &failure),
        (None, Some(response)) => outgoing(response),
        (None, None) => {
            ApiError::new(Code::Internal, "the contract gave no answer").into_response()
        }
    })
}

/// The pieces of a body as they come. Its status is on its way, so a failure can only break it off.
fn pieces(
    parts: mpsc::UnboundedReceiver<Part>,
    ended: oneshot::Receiver<Ended>,
) -> impl stream::Stream<Item = Result<Bytes, std::io::Error>> {
    stream::unfold(Some((parts, ended)), |state| async move {
        let (mut parts, ended) = state?;
        while let Some(part) = parts.recv().await {
            if let Part::Piece(body) = part {
                let bytes = body.into_bytes().unwrap_or_default();
                return Some((Ok(bytes.into()), Some((parts, ended))));
            }
        }
        let why = match ended.await {
            Ok(Ok(Outcome { error: None, .. })) => return None,
            Ok(Ok(Outcome {
                error: Some(Failure { message, .. }),
                ..
            })) => message,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the edge is stopping".to_owned(),
        };
        // What came before is sent now, the status too: an error would take it along.
        tokio::task::yield_now().await;
        Some((Err(std::io::Error::other(why)), None))
    })
}

/// One line a request, and one for each that the contract printed.
fn log(asked: &Asked, outcome: &Outcome) {
    let contract = &asked.name;
    for line in &outcome.logs {
        match line.level {
            LogLevel::Log => tracing::info!(contract, "{}", line.text),
            LogLevel::Error => tracing::warn!(contract, "{}", line.text),
        }
    }
    let usage = outcome.usage;
    let status = match (&outcome.error, &outcome.response) {
        (Some(failure), _) => failure.code.as_str().to_owned(),
        (None, Some(response)) => response.status.to_string(),
        (None, None) => String::new(),
    };
    tracing::info!(
        contract,
        method = %asked.method,
        status,
        gas = outcome.gas_used,
        cpu_us = usage.cpu_us,
        wall_us = usage.wall_us,
        heap_bytes = usage.heap_bytes,
        "request"
    );
    if let Some(failure) = &outcome.error {
        tracing::warn!(
            contract,
            file = asked.contract.file,
            line = failure.line,
            "{}",
            failure.message
        );
    }
}

//! From what went wrong in a contract to a problem document.

use axum::response::{IntoResponse, Response};
use http::header::HeaderName;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use tana_kit::ApiError;
use tana_protocol::{Code, Problem};
use tana_sandbox::message::{ErrorCode, Failure};
use tana_sandbox::pool::PoolError;

use crate::contracts::ContractError;
use crate::request::MAX_BODY_BYTES;

/// Which limit ended a request: `time`, `gas`, `memory`, `size` or `body`.
const LIMIT: HeaderName = HeaderName::from_static("x-tana-limit");
/// The limit in a sentence.
const LIMIT_REASON: HeaderName = HeaderName::from_static("x-tana-limit-reason");

impl From<ContractError> for ApiError {
    fn from(error: ContractError) -> Self {
        let code = match &error {
            ContractError::Unknown(_) => Code::NotFound,
            ContractError::Method(..) => Code::MethodNotAllowed,
            ContractError::Unavailable(_) => Code::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}

/// No worker could be had.
pub(crate) fn busy(error: &PoolError) -> ApiError {
    match error {
        PoolError::Busy(_) | PoolError::NoMeans => {
            ApiError::new(Code::Unavailable, error.to_string()).retry_after(1)
        }
        PoolError::Start { .. } | PoolError::NoWorker { .. } => {
            tracing::error!("{error}");
            ApiError::new(
                Code::Unavailable,
                "the contract engine is not running; the edge's log says why",
            )
            .retry_after(5)
        }
    }
}

/// A contract that failed: 504 where it took too long, otherwise 500, with the reason and the TypeScript line.
pub(crate) fn failed(contract: &str, file: &str, failure: &Failure) -> Response {
    let status = match failure.code {
        ErrorCode::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        ErrorCode::NoExport => StatusCode::METHOD_NOT_ALLOWED,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let place = failure.line.map_or(String::new(), |line| {
        format!(" ({file}:{line}:{})", failure.column.unwrap_or(1))
    });
    let detail = format!("{contract}: {}{place}", failure.message);
    let code = match failure.code {
        ErrorCode::TimedOut => Code::Timeout,
        ErrorCode::OutOfGas => Code::OutOfGas,
        ErrorCode::NoExport => Code::MethodNotAllowed,
        _ => Code::ContractError,
    };
    let mut problem = Problem::new(code, detail);
    problem.status = status.as_u16();
    let mut body = json!(problem);
    if let Value::Object(fields) = &mut body {
        fields.insert("contractError".into(), json!({ "file": file, "code": failure.code, "line": failure.line, "column": failure.column }));
    }
    let mut response = (status, body.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    let limit = match failure.code {
        ErrorCode::TimedOut => Some("time"),
        ErrorCode::OutOfGas => Some("gas"),
        ErrorCode::OutOfMemory | ErrorCode::WorkerDied => Some("memory"),
        ErrorCode::TooLarge => Some("size"),
        _ => None,
    };
    if let Some(limit) = limit {
        say(&mut response, limit, &failure.message);
    }
    response
}

/// A body that is larger than a request's may be.
pub(crate) fn too_large() -> Response {
    let reason = format!("a body has at most {MAX_BODY_BYTES} bytes here");
    let mut response = ApiError::new(Code::TooLarge, reason.as_str()).into_response();
    say(&mut response, "body", &reason);
    response
}

fn say(response: &mut Response, limit: &'static str, reason: &str) {
    let headers = response.headers_mut();
    headers.insert(LIMIT, HeaderValue::from_static(limit));
    if let Ok(reason) = HeaderValue::from_str(reason) {
        headers.insert(LIMIT_REASON, reason);
    }
}

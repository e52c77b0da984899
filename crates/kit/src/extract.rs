//! Extractors whose refusals are problem documents that say what is wrong: [`Json`], [`JsonText`], [`Path`],
//! [`Query`].

use axum::body::Bytes;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use tana_protocol::problem::Code;

use crate::error::ApiError;

/// A JSON body, in or out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json<T>(pub T);

impl<T, S> FromRequest<S> for Json<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let axum::Json(value) = axum::Json::from_request(request, state)
            .await
            .map_err(json_error)?;
        Ok(Self(value))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// A JSON body as the bytes that came, to be read later, or not at all.
#[derive(Clone, Debug)]
pub struct JsonText(Bytes);

impl JsonText {
    /// What came.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads it; what is read may borrow from it.
    ///
    /// # Errors
    /// The problem where it is not JSON, or does not fit.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.0).map_err(|error| match error.classify() {
            Category::Data => unfit(&error),
            Category::Io | Category::Syntax | Category::Eof => no_json(&error),
        })
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonText {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(wrong_media());
        }
        match Bytes::from_request(request, state).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(error) => Err(body_error(error.status(), &error)),
        }
    }
}

/// `application/json`, or a type that is written in it.
fn is_json(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let media = media.and_then(|text| text.split(';').next());
    let Some((kind, subtype)) = media.and_then(|media| media.trim().split_once('/')) else {
        return false;
    };
    let subtype = subtype.to_ascii_lowercase();
    kind.eq_ignore_ascii_case("application") && (subtype == "json" || subtype.ends_with("+json"))
}

fn unfit(error: &(dyn std::error::Error + 'static)) -> ApiError {
    let text = format!("the body does not fit: {}", innermost(error));
    ApiError::new(Code::Malformed, text)
}

fn no_json(error: &(dyn std::error::Error + 'static)) -> ApiError {
    let text = format!("the body is not JSON: {}", innermost(error));
    ApiError::new(Code::Malformed, text)
}

fn wrong_media() -> ApiError {
    ApiError::new(
        Code::UnsupportedMediaType,
        "the body must be JSON, with the header Content-Type: application/json",
    )
}

fn json_error(rejection: JsonRejection) -> ApiError {
    match rejection {
        JsonRejection::JsonDataError(error) => unfit(&error),
        JsonRejection::JsonSyntaxError(error) => no_json(&error),
        JsonRejection::MissingJsonContentType(_) => wrong_media(),
        other => body_error(other.status(), &other),
    }
}

fn body_error(status: StatusCode, error: &(dyn std::error::Error + 'static)) -> ApiError {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        ApiError::new(Code::TooLarge, "the body is larger than this service takes")
    } else {
        ApiError::new(
            Code::Malformed,
            format!("the body could not be read: {}", innermost(error)),
        )
    }
}

/// The innermost cause: what serde or hyper themselves say.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// The parameters in the path.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => Err(ApiError::new(
                Code::Malformed,
                format!(
                    "the path does not fit: {}",
                    error.body_text().trim_start_matches("Invalid URL: ")
                ),
            )),
            Err(other) => Err(ApiError::internal(&other)),
        }
    }
}

/// The parameters behind the `?`.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(QueryRejection::FailedToDeserializeQueryString(error)) => Err(ApiError::new(
                Code::Malformed,
                format!("the query does not fit: {}", innermost(&error)),
            )),
            Err(other) => Err(ApiError::internal(&other)),
        }
    }
}

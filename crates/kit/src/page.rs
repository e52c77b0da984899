//! Lists: bare arrays, newest first, 50 by default, at most 500; the next page in the header `Link` (RFC 8288).

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::header::LINK;
use http::request::Parts;
use http::{HeaderValue, Uri};
use serde::{Deserialize, Serialize};
use tana_protocol::problem::Code;
use url::form_urlencoded;

use crate::error::ApiError;
use crate::extract::{Json, Query};

/// Entries of a page when the client names no number.
pub const DEFAULT_LIMIT: u32 = 50;
/// Entries of a page at most.
pub const MAX_LIMIT: u32 = 500;
/// The largest offset; further back one goes by cursor.
pub const MAX_OFFSET: u32 = 10_000;
/// A longer cursor is none of ours.
const MAX_CURSOR: usize = 512;

/// Which page is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageQuery {
    /// Entries at most.
    pub limit: u32,
    /// Entries to skip.
    pub offset: u32,
    /// Where the last page ended.
    pub cursor: Option<String>,
    uri: Uri,
}

#[derive(Deserialize)]
struct Raw {
    limit: Option<u32>,
    offset: Option<u32>,
    cursor: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for PageQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(raw) = Query::<Raw>::from_request_parts(parts, state).await?;
        let limit = raw.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(ApiError::new(
                Code::OutOfRange,
                format!("limit is {limit}; it must be from 1 to {MAX_LIMIT}"),
            ));
        }
        let offset = raw.offset.unwrap_or(0);
        if offset > MAX_OFFSET {
            return Err(ApiError::new(
                Code::OutOfRange,
                format!(
                    "offset is {offset}; it must be at most {MAX_OFFSET}: follow the Link header instead"
                ),
            ));
        }
        if raw.cursor.as_ref().is_some_and(|c| c.len() > MAX_CURSOR) {
            return Err(ApiError::new(
                Code::Malformed,
                "the cursor is not one of this service; take it from the Link header",
            ));
        }
        Ok(Self {
            limit,
            offset,
            cursor: raw.cursor.filter(|cursor| !cursor.is_empty()),
            uri: parts.uri.clone(),
        })
    }
}

impl PageQuery {
    /// The cursor, parsed.
    ///
    /// # Errors
    /// When it is none that this service gave out.
    pub fn cursor<T: std::str::FromStr>(&self) -> Result<Option<T>, ApiError> {
        self.cursor
            .as_deref()
            .map(|text| {
                text.parse().map_err(|_| {
                    ApiError::new(
                        Code::Malformed,
                        "the cursor is not one of this service; take it from the Link header",
                    )
                })
            })
            .transpose()
    }

    /// The answer: `items`, and where the next page begins, if there is one.
    pub fn answer<T>(&self, items: Vec<T>, next: Option<String>) -> Paged<T> {
        Paged {
            items,
            link: next.and_then(|cursor| self.link(&cursor)),
        }
    }

    fn link(&self, cursor: &str) -> Option<HeaderValue> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (key, value) in form_urlencoded::parse(self.uri.query().unwrap_or("").as_bytes()) {
            if key != "cursor" && key != "offset" {
                query.append_pair(&key, &value);
            }
        }
        query.append_pair("cursor", cursor);
        let text = format!("<{}?{}>; rel=\"next\"", self.uri.path(), query.finish());
        HeaderValue::from_str(&text).ok()
    }
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Paged<T> {
    items: Vec<T>,
    link: Option<HeaderValue>,
}

impl<T: Serialize> IntoResponse for Paged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.items).into_response();
        if let Some(link) = self.link {
            response.headers_mut().insert(LINK, link);
        }
        response
    }
}

//! `/content/*`, passed to the content store and back as a stream.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName,
};
use http::{Method, StatusCode};
use tana_kit::ApiError;
use tana_protocol::Code;

/// What of a request reaches the store: nothing that could make it write.
const ASKED: [HeaderName; 4] = [
    http::header::RANGE,
    http::header::IF_RANGE,
    http::header::IF_NONE_MATCH,
    http::header::IF_MODIFIED_SINCE,
];

pub(crate) struct Content {
    client: reqwest::Client,
    base: String,
}

impl Content {
    pub(crate) fn new(base: &str) -> anyhow::Result<Self> {
        // A second installation of the same provider changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            client,
            base: base.trim_end_matches('/').to_owned(),
        })
    }

    /// Reads only: who writes content speaks to the store itself.
    pub(crate) async fn pass(&self, request: Request) -> Result<Response, ApiError> {
        let method = request.method().clone();
        if method != Method::GET && method != Method::HEAD {
            return Err(ApiError::new(
                Code::MethodNotAllowed,
                "content is read here; store it at the content store itself",
            ));
        }
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let mut asked = self.client.request(method, format!("{}{path}", self.base));
        for name in ASKED {
            if let Some(value) = request.headers().get(&name) {
                asked = asked.header(name, value);
            }
        }
        let answer = asked.send().await.map_err(|error| {
            tracing::warn!("the content store does not answer: {error}");
            ApiError::new(
                Code::Unavailable,
                "the content store does not answer; try again",
            )
            .retry_after(1)
        })?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() =
            StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
        copy(answer.headers(), response.headers_mut());
        *response.body_mut() = Body::from_stream(answer.bytes_stream());
        Ok(response)
    }
}

fn copy(from: &HeaderMap, to: &mut HeaderMap) {
    let known = [
        CONTENT_TYPE,
        CONTENT_LENGTH,
        CONTENT_RANGE,
        ETAG,
        CACHE_CONTROL,
        ACCEPT_RANGES,
    ];
    for (name, value) in from {
        if known.contains(name) || name.as_str().starts_with("x-content-") {
            to.insert(name.clone(), value.clone());
        }
    }
}

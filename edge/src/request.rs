//! From an HTTP request to what a handler is given, and from its answer back.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, StatusCode, Uri};
use tana_sandbox::message::{HttpRequest, HttpResponse};

/// The largest body of a request.
pub(crate) const MAX_BODY_BYTES: usize = 1 << 20;

/// What a handler is given.
pub(crate) fn incoming(
    method: &Method,
    uri: &Uri,
    path: &str,
    headers: &HeaderMap,
    ip: IpAddr,
    body: &Bytes,
) -> HttpRequest {
    let query = uri
        .query()
        .and_then(|query| {
            axum::extract::Query::<Vec<(String, String)>>::try_from_uri(
                &format!("/?{query}").parse().ok()?,
            )
            .ok()
        })
        .map(|query| query.0.into_iter().collect())
        .unwrap_or_default();
    let headers = headers
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let params: BTreeMap<String, String> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .enumerate()
        .map(|(at, segment)| (at.to_string(), segment.to_owned()))
        .collect();
    let body = (method == Method::POST).then(|| body.to_vec().into());
    HttpRequest {
        method: method.as_str().to_owned(),
        path: path.to_owned(),
        query,
        headers,
        params,
        ip: ip.to_string(),
        body,
    }
}

/// A handler's answer. What frames the message is ours to say, not the contract's.
pub(crate) fn outgoing(answer: HttpResponse) -> Response {
    let body = answer.body.into_bytes().unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    for (name, value) in answer.headers {
        let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value))
        else {
            continue;
        };
        let ours = [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE];
        if !ours.contains(&name) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

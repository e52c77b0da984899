//! Clients that are refused again and again wait: who guesses tokens, session ids or signatures.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::StatusCode;
use tana_kit::ApiResult;

use super::super::service::Identity;

pub(super) async fn limit(
    State(identity): State<Identity>,
    request: Request,
    next: Next,
) -> ApiResult<Response> {
    let client = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let client = client.map(|ConnectInfo(address)| address.ip());
    let (Some(limit), Some(client)) = (&identity.config().failures, client) else {
        return Ok(next.run(request).await);
    };
    // Before the request is looked at: a right guess is as late as a wrong one.
    limit.check(client)?;
    let response = next.run(request).await;
    let refused = [
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::NOT_FOUND,
    ];
    if refused.contains(&response.status()) {
        limit.failed(client);
    }
    Ok(response)
}

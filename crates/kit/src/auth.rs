//! Service tokens: who calls, and whether that service may. The registry of keys is behind [`ServiceKeys`].

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures::future::BoxFuture;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use tana_protocol::problem::Code;
use tana_protocol::token::Claims;
use tana_protocol::{NodeId, PublicKey, ServiceKind, ServiceToken};

use crate::clock::Clock;
use crate::error::{ApiError, ApiResult};

/// Knows the public keys of services: the mesh registry, cached, or a node's own.
pub trait ServiceKeys: Send + Sync + 'static {
    /// The key of a service of an *active* node; `None` where the registry knows none.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when the registry cannot be asked.
    fn key<'a>(
        &'a self,
        service: ServiceKind,
        node: &'a NodeId,
    ) -> BoxFuture<'a, ApiResult<Option<PublicKey>>>;
}

/// Lets only certain services in. Clones share its registry.
#[derive(Clone)]
pub struct ServiceGuard {
    keys: Arc<dyn ServiceKeys>,
    clock: Arc<dyn Clock>,
    allowed: &'static [ServiceKind],
}

impl ServiceGuard {
    /// Lets `allowed` in.
    #[must_use]
    pub fn new(
        keys: Arc<dyn ServiceKeys>,
        clock: Arc<dyn Clock>,
        allowed: &'static [ServiceKind],
    ) -> Self {
        Self {
            keys,
            clock,
            allowed,
        }
    }

    /// The same registry, other services.
    #[must_use]
    pub fn allowing(&self, allowed: &'static [ServiceKind]) -> Self {
        Self {
            allowed,
            ..self.clone()
        }
    }

    /// Who calls.
    ///
    /// # Errors
    /// 401 where the token is missing, wrong or expired; 403 where its service may not; 503 where the registry cannot
    /// be asked.
    pub async fn check(&self, headers: &HeaderMap) -> ApiResult<Claims> {
        let text = bearer(headers).ok_or_else(|| {
            ApiError::new(
                Code::BadToken,
                "a service token is needed, in the header Authorization: Bearer",
            )
        })?;
        let bad = |error: tana_protocol::token::TokenError| {
            ApiError::new(Code::BadToken, error.to_string())
        };
        let token = ServiceToken::decode(text).map_err(bad)?;
        let Claims {
            service_id,
            node_id,
            ..
        } = &token.claims;
        let key = self.keys.key(*service_id, node_id).await?.ok_or_else(|| {
            ApiError::new(
                Code::BadToken,
                format!("no active node {node_id} with a service {service_id} is registered"),
            )
        })?;
        token.verify(&key, self.clock.now()).map_err(bad)?;
        if self.allowed.contains(service_id) {
            Ok(token.claims)
        } else {
            let names: Vec<&str> = self.allowed.iter().map(|kind| kind.name()).collect();
            Err(ApiError::new(
                Code::Forbidden,
                format!(
                    "{service_id} may not do this; it is for: {}",
                    names.join(", ")
                ),
            ))
        }
    }
}

/// The text behind `Authorization: Bearer`.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, text) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| text.trim())
        .filter(|text| !text.is_empty())
}

/// Middleware for routes that only services may call:
/// `.route_layer(axum::middleware::from_fn_with_state(guard, tana_kit::auth::require))`.
///
/// # Errors
/// As [`ServiceGuard::check`].
pub async fn require(
    State(guard): State<ServiceGuard>,
    mut request: Request,
    next: Next,
) -> ApiResult<Response> {
    let claims = guard.check(request.headers()).await?;
    request.extensions_mut().insert(Caller(claims));
    Ok(next.run(request).await)
}

/// The service that calls, on routes behind [`require`].
#[derive(Clone, Debug)]
pub struct Caller(pub Claims);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            ApiError::new(Code::Internal, "this route is not behind the service guard")
        })
    }
}

//! Service tokens: who calls, and whether that service may. The registry of keys is behind [`ServiceKeys`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method};
use tana_protocol::problem::Code;
use tana_protocol::token::{AUDIENCE, CLOCK_SKEW, Claims, ONCE, SCOPE};
use tana_protocol::{Hash32, NodeId, PublicKey, ServiceKind, ServiceToken, Timestamp};

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
    /// The service that it stands before.
    own: Option<ServiceKind>,
    used: Arc<Used>,
    /// What was used before this is not remembered.
    since: Timestamp,
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
            since: clock.now(),
            keys,
            clock,
            allowed,
            own: None,
            used: Arc::default(),
        }
    }

    /// Says before which service it stands, so that a token for another one is refused.
    #[must_use]
    pub fn at(self, own: ServiceKind) -> Self {
        Self {
            own: Some(own),
            ..self
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
        self.is_for_this_service(&token.claims)?;
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

impl ServiceGuard {
    fn is_for_this_service(&self, claims: &Claims) -> ApiResult<()> {
        let Some(audience) = claims.payload.get(AUDIENCE) else {
            return Ok(());
        };
        match self.own {
            Some(own) if audience.as_str() != Some(own.name()) => Err(ApiError::new(
                Code::BadToken,
                format!("the service token is for {audience}, not for {own}"),
            )),
            _ => Ok(()),
        }
    }

    /// What a token says of the requests that it is good for, and whether it was used before where it may be used once.
    ///
    /// # Errors
    /// 401 outside its scope, or where it may have been used before; 409 for the second use.
    async fn admits(&self, claims: &Claims, method: &Method, path: &str) -> ApiResult<()> {
        // A text is a word of the issuer's own, which other nodes send; only a list says what we know how to hold to.
        if let Some(named) = claims.payload.get(SCOPE).and_then(|scope| scope.as_array()) {
            let wanted = format!("{method} {path}");
            let within = named
                .iter()
                .filter_map(serde_json::Value::as_str)
                .any(|known| wanted.starts_with(known));
            if !within {
                return Err(ApiError::new(
                    Code::BadToken,
                    format!("the service token is not for {wanted}"),
                ));
            }
        }
        let once = claims.payload.get(ONCE);
        if once.is_some() {
            self.is_of_its_time(claims).await?;
        }
        if let Some(once) = once
            && !self.used.first(claims, &once.to_string(), self.clock.now())
        {
            return Err(ApiError::new(
                Code::Replayed,
                "this service token was used before; issue one for each request",
            ));
        }
        Ok(())
    }
}

/// So long a token for one use waits for its time: clocks that are kept differ by less.
const AHEAD: Duration = Duration::from_secs(2);

impl ServiceGuard {
    /// Whether a token for one use can be told from one that was used before this service began: such a one is of an earlier
    /// time, because none is used before its own.
    async fn is_of_its_time(&self, claims: &Claims) -> ApiResult<()> {
        if claims.timestamp < self.since {
            return Err(ApiError::new(
                Code::BadToken,
                "this service token is for one use and was issued before this service began, which may have seen it; issue a new one",
            ));
        }
        let ahead = claims.timestamp.since(self.clock.now());
        if ahead > AHEAD {
            return Err(ApiError::new(
                Code::BadToken,
                format!(
                    "this service token is for one use, and its time comes in {} s by this service's clock; set the clock of who issued it",
                    ahead.as_secs()
                ),
            ));
        }
        tokio::time::sleep(ahead).await;
        Ok(())
    }
}

/// Tokens for one use that were used, until they end by themselves.
#[derive(Default)]
struct Used(Mutex<HashMap<Hash32, Timestamp>>);

/// So many are remembered at most.
const USED: usize = 100_000;

impl Used {
    /// Whether this is the first use. Where no more can be remembered, it is not taken for one.
    fn first(&self, claims: &Claims, once: &str, now: Timestamp) -> bool {
        let ends = claims.expires_at.plus(CLOCK_SKEW);
        let name = Hash32::of_parts(&[
            claims.service_id.name().as_bytes(),
            b"@",
            claims.node_id.as_str().as_bytes(),
            b":",
            once.as_bytes(),
        ]);
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= USED {
            used.retain(|_, ends| *ends >= now);
        }
        if used.len() >= USED || used.contains_key(&name) {
            return false;
        }
        used.insert(name, ends);
        true
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

/// Who calls, where one route takes a service's token or something else.
impl ServiceGuard {
    /// As [`require`] does it, for a handler.
    ///
    /// # Errors
    /// As [`ServiceGuard::check`], and where the token is bound to other requests or was used before.
    pub async fn check_request(&self, parts: &Parts) -> ApiResult<Claims> {
        let claims = self.check(&parts.headers).await?;
        self.admits(&claims, &parts.method, parts.uri.path())
            .await?;
        Ok(claims)
    }
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
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    guard.admits(&claims, &method, &path).await?;
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

//! The identity service over HTTP: bodies in, bodies out, and which status goes with what.

use std::net::SocketAddr;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use futures::Stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use tana_kit::events::sse;
use tana_kit::{ApiError, ApiResult, Json, LastEventId, Path, auth};
use tana_protocol::Code;
use tana_protocol::api::identity::{
    ApproveSession, CreateSession, LoggedOut, LoginView, RejectSession, Scanned, SessionApproved,
    SessionCreated, SessionEvent, SessionEventType, SessionView, Success, TokenClaims,
    ValidateToken,
};
use tana_protocol::login::{SessionId, SessionStatus};
use tana_store::identity::LiveLogin;

use super::error::IdentityError;
use super::rules;
use super::service::{Asked, Identity};
use super::streams::{Change, Watch};

mod page;
mod refusals;
mod requests;

/// The routes.
pub(super) fn router(identity: Identity) -> Router {
    Router::new()
        .route("/auth/session/create", post(create))
        .route("/auth/session/validate", post(validate))
        .route("/auth/session/verify", get(verify))
        .route("/auth/session/{id}", get(session))
        .route("/auth/session/{id}/qr.svg", get(page::session_qr))
        .route("/auth/session/{id}/scan", post(scan))
        .route("/auth/session/{id}/approve", post(approve))
        .route("/auth/session/{id}/reject", post(reject))
        .route("/auth/session/{id}/events", get(events))
        .route("/auth/sessions", get(sessions).delete(log_out_everywhere))
        .route("/auth/sessions/{id}", axum::routing::delete(log_out))
        .merge(requests::router())
        .layer(middleware::from_fn_with_state(
            identity.clone(),
            refusals::limit,
        ))
        .merge(page::router())
        .layer(middleware::map_response(not_kept))
        .with_state(identity)
}

/// Answers of this service hold secrets: nothing between here and the client keeps them.
async fn not_kept(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The document at `/openapi.json`.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Tana identity",
        description = "Logins that a phone approves by signing"
    ),
    paths(
        create,
        validate,
        verify,
        session,
        scan,
        approve,
        reject,
        events,
        sessions,
        log_out_everywhere,
        log_out,
        page::session_qr,
        requests::ask,
        requests::list,
        requests::request,
        requests::request_status,
        requests::approve,
        requests::reject,
        requests::events,
        requests::add_device,
        requests::devices,
        requests::remove_device
    )
)]
pub(super) struct ApiDoc;

/// A client's address, where the request came over TCP.
struct Client(Option<std::net::IpAddr>);

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(address.map(|ConnectInfo(address)| address.ip())))
    }
}

/// The login that the bearer token belongs to.
struct Bearer(LiveLogin);

impl FromRequestParts<Identity> for Bearer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, identity: &Identity) -> ApiResult<Self> {
        let token = auth::bearer(&parts.headers).ok_or(IdentityError::Token)?;
        Ok(Self(identity.login(token).await?))
    }
}

/// A body that may be left out; it is read as JSON whatever its type is called.
fn optional<T: Default + serde::de::DeserializeOwned>(body: &[u8]) -> ApiResult<T> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| {
        ApiError::new(
            Code::Malformed,
            format!("the body is neither empty nor what fits here: {error}"),
        )
    })
}

#[utoipa::path(post, path = "/auth/session/create", request_body = Object,
    responses((status = 201, description = "the session, with what its QR code says"), (status = 400), (status = 429)))]
async fn create(
    State(identity): State<Identity>,
    Client(client): Client,
    body: Bytes,
) -> ApiResult<(StatusCode, Json<SessionCreated>)> {
    let request: CreateSession = optional(&body)?;
    let created = identity.create(request, client).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

#[utoipa::path(get, path = "/auth/session/{id}", params(("id" = String, Path, description = "either id of the session")),
    responses((status = 200, description = "where it stands; the first read by the public id marks it scanned"), (status = 404)))]
async fn session(
    State(identity): State<Identity>,
    Path(id): Path<String>,
) -> ApiResult<Json<SessionView>> {
    Ok(Json(identity.view(&id).await?))
}

#[utoipa::path(post, path = "/auth/session/{id}/scan", params(("id" = String, Path)),
    responses((status = 200, description = "scanned"), (status = 404), (status = 409), (status = 410)))]
async fn scan(
    State(identity): State<Identity>,
    Path(id): Path<String>,
) -> ApiResult<Json<Scanned>> {
    let Asked { id, session } = identity.scan(&id).await?;
    Ok(Json(Scanned {
        success: true,
        session_id: id,
        challenge: session.challenge,
        app_name: session.app_name,
    }))
}

#[utoipa::path(post, path = "/auth/session/{id}/approve", params(("id" = String, Path)), request_body = Object,
    responses((status = 200, description = "approved"), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409), (status = 410), (status = 503)))]
async fn approve(
    State(identity): State<Identity>,
    Path(id): Path<String>,
    Json(body): Json<ApproveSession>,
) -> ApiResult<Json<SessionApproved>> {
    Ok(Json(identity.approve(&id, &body).await?))
}

#[utoipa::path(post, path = "/auth/session/{id}/reject", params(("id" = String, Path)), request_body = Object,
    responses((status = 200, description = "rejected"), (status = 400), (status = 404), (status = 409), (status = 410)))]
async fn reject(
    State(identity): State<Identity>,
    Path(id): Path<String>,
    body: Bytes,
) -> ApiResult<Json<Success>> {
    let request: RejectSession = optional(&body)?;
    identity.reject(&id, request.reason).await?;
    Ok(Json(Success { success: true }))
}

#[utoipa::path(get, path = "/auth/session/{id}/events", params(("id" = String, Path)),
    responses((status = 200, description = "the session's changes as server-sent events"), (status = 204, description = "the client has seen the last one"), (status = 404)))]
async fn events(
    State(identity): State<Identity>,
    Path(id): Path<String>,
    LastEventId(seen): LastEventId,
) -> ApiResult<Response> {
    let (watch, asked) = identity.watch(&id).await?;
    let status = rules::status(&asked.session, identity.now());
    if has_seen_all(seen.as_deref(), status.as_str(), !status.is_open()) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let shutdown = identity.shutdown().clone();
    Ok(sse(changes(identity, watch, asked), &shutdown))
}

fn changes(
    identity: Identity,
    mut watch: Watch<SessionId, Change>,
    mut asked: Asked,
) -> impl Stream<Item = Event> + Send {
    async_stream::stream! {
        let now = identity.now();
        let mut shown = rules::status(&asked.session, now);
        let connected = SessionEvent {
            status: Some(shown),
            ..bare(SessionEventType::Connected, &asked, now)
        };
        yield event(&connected);
        if !shown.is_open() {
            let change = Change {
                status: shown,
                at: now,
                user: Identity::shown_user(&asked),
                reason: asked.session.reason.clone(),
            };
            yield event(&changed(&identity, &asked, change));
            return;
        }
        while let Some(change) = watch.next().await {
            // What the state showed already is not told again.
            if change.status == shown {
                continue;
            }
            shown = change.status;
            asked.session.status = shown;
            yield event(&changed(&identity, &asked, change));
            if !shown.is_open() {
                return;
            }
        }
    }
}

fn bare(
    kind: SessionEventType,
    asked: &Asked,
    timestamp: tana_protocol::Timestamp,
) -> SessionEvent {
    SessionEvent {
        kind,
        session_id: asked.id.clone(),
        status: None,
        timestamp,
        session_token: None,
        user_id: None,
        username: None,
        reason: None,
    }
}

fn changed(identity: &Identity, asked: &Asked, change: Change) -> SessionEvent {
    let kind = match change.status {
        SessionStatus::Waiting | SessionStatus::Scanned => SessionEventType::StatusUpdate,
        SessionStatus::Approved => SessionEventType::Approved,
        SessionStatus::Rejected => SessionEventType::Rejected,
        SessionStatus::Expired => SessionEventType::Expired,
    };
    let token = identity.token(asked);
    // Who approved is told to the one who gets the token, not to who photographed the code.
    let (user_id, username) = change.user.filter(|_| token.is_some()).unzip();
    SessionEvent {
        status: Some(change.status),
        session_token: token,
        user_id,
        username,
        reason: change.reason,
        ..bare(kind, asked, change.at)
    }
}

/// Whether a client that comes back was told the last change: 204 ends the reconnecting of browsers. The id of an event
/// is the status that it tells of.
fn has_seen_all(seen: Option<&str>, status: &str, is_over: bool) -> bool {
    is_over && seen == Some(status)
}

fn event(event: &SessionEvent) -> Event {
    let told = Event::default().data(tana_protocol::json::compact(event));
    match event.status {
        // A stream that opens on a session that is over has its last event to come.
        Some(status) if status.is_open() || event.kind != SessionEventType::Connected => {
            told.id(status.as_str())
        }
        _ => told,
    }
}

#[utoipa::path(post, path = "/auth/session/validate", request_body = Object,
    responses((status = 200, description = "whose token it is"), (status = 400), (status = 401)))]
async fn validate(
    State(identity): State<Identity>,
    Json(body): Json<ValidateToken>,
) -> ApiResult<Response> {
    claims(&identity, Some(&body.session_token)).await
}

#[utoipa::path(get, path = "/auth/session/verify",
    responses((status = 200, description = "whose token the bearer's is"), (status = 401)))]
async fn verify(State(identity): State<Identity>, headers: HeaderMap) -> ApiResult<Response> {
    claims(&identity, auth::bearer(&headers)).await
}

async fn claims(identity: &Identity, token: Option<&str>) -> ApiResult<Response> {
    let found = match token {
        Some(token) => identity.login(token).await,
        None => Err(IdentityError::Token),
    };
    match found {
        Ok(live) => {
            let claims = TokenClaims {
                valid: true,
                user_id: Some(live.login.user_id),
                username: Some(live.login.username),
                public_key: Some(live.login.public_key),
                expires_at: Some(live.login.token_expires_at),
            };
            Ok(Json(claims).into_response())
        }
        Err(IdentityError::Token) => Ok(not_valid()),
        Err(error) => Err(error.into()),
    }
}

/// The problem document with `valid: false`, which is what clients look at.
fn not_valid() -> Response {
    let error = ApiError::from(IdentityError::Token);
    let mut body = serde_json::json!({"valid": false});
    if let (Some(body), Ok(serde_json::Value::Object(problem))) =
        (body.as_object_mut(), serde_json::to_value(error.problem()))
    {
        body.extend(problem);
    }
    let mut response = error.into_response();
    *response.body_mut() = tana_protocol::json::compact(&body).into();
    response.headers_mut().remove(http::header::CONTENT_LENGTH);
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    response
}

#[utoipa::path(get, path = "/auth/sessions", responses((status = 200, description = "the user's live logins, newest first"), (status = 401)))]
async fn sessions(
    State(identity): State<Identity>,
    Bearer(current): Bearer,
) -> ApiResult<Json<Vec<LoginView>>> {
    let logins = identity.logins(&current).await;
    Ok(Json(logins.map_err(IdentityError::from)?))
}

#[utoipa::path(delete, path = "/auth/sessions", responses((status = 200, description = "all of the user's logins have ended"), (status = 401)))]
async fn log_out_everywhere(
    State(identity): State<Identity>,
    Bearer(current): Bearer,
) -> ApiResult<Json<LoggedOut>> {
    let ended = identity.log_out(&current.login.user_id, None).await;
    Ok(Json(LoggedOut {
        success: true,
        ended: ended.map_err(IdentityError::from)?,
    }))
}

#[utoipa::path(delete, path = "/auth/sessions/{id}", params(("id" = String, Path)), responses((status = 200, description = "this login has ended"), (status = 401), (status = 404)))]
async fn log_out(
    State(identity): State<Identity>,
    Bearer(current): Bearer,
    Path(id): Path<String>,
) -> ApiResult<Json<LoggedOut>> {
    let id: SessionId = id.parse().map_err(|_| IdentityError::UnknownSession)?;
    let user = &current.login.user_id;
    let ended = identity.log_out(user, Some(&id)).await;
    match ended.map_err(IdentityError::from)? {
        0 => Err(IdentityError::UnknownSession.into()),
        ended => Ok(Json(LoggedOut {
            success: true,
            ended,
        })),
    }
}

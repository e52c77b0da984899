//! Transaction requests and devices over HTTP.

use std::fmt;
use std::str::FromStr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, State};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use futures::Stream;
use http::StatusCode;
use http::request::Parts;
use tana_kit::events::sse;
use tana_kit::{ApiError, ApiResult, Json, LastEventId, PageQuery, Paged, Path, Query, auth};
use tana_protocol::api::approval::{
    ApproveTransaction, DeviceView, RegisterDevice, RequestEvent, RequestStatus,
    RequestTransaction, RequestView, TransactionApproved, TransactionRequested,
};
use tana_protocol::api::identity::{RejectSession, Success};
use tana_protocol::login::RequestId;
use tana_protocol::{ServiceToken, Timestamp, UserId};
use tana_store::identity::requests::{Device, RequestFilter, RequestPlace, TransactionRequest};

use super::super::error::IdentityError;
use super::super::requests::{as_it_stands, asked_for};
use super::super::service::Identity;
use super::super::streams::Watch;
use super::{Bearer, has_seen_all, optional};

pub(super) fn router() -> Router<Identity> {
    Router::new()
        .route("/auth/transaction/request", post(ask))
        .route("/auth/transactions", get(list))
        .route("/auth/transaction/{id}", get(request))
        .route("/auth/transaction/{id}/status", get(request_status))
        .route("/auth/transaction/{id}/approve", post(approve))
        .route("/auth/transaction/{id}/reject", post(reject))
        .route("/auth/transaction/{id}/events", get(events))
        .route("/devices", get(devices).post(add_device))
        .route("/devices/{id}", delete(remove_device))
}

#[utoipa::path(post, path = "/auth/transaction/request", operation_id = "requestTransaction", request_body = Object,
    responses((status = 201, description = "the request, with what its QR code says"), (status = 400), (status = 401), (status = 429), (status = 503)))]
pub(super) async fn ask(
    State(identity): State<Identity>,
    Bearer(bearer): Bearer,
    Json(body): Json<RequestTransaction>,
) -> ApiResult<(StatusCode, Json<TransactionRequested>)> {
    let asked = identity.ask(bearer, body).await?;
    Ok((StatusCode::CREATED, Json(asked)))
}

#[utoipa::path(get, path = "/auth/transaction/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "what the phone signs, and where it stands"), (status = 404)))]
pub(super) async fn request(
    State(identity): State<Identity>,
    Path(id): Path<String>,
) -> ApiResult<Json<RequestView>> {
    Ok(Json(view(identity.request(&id).await?)?))
}

#[utoipa::path(get, path = "/auth/transaction/{id}/status", params(("id" = String, Path)),
    responses((status = 200, description = "the same as without /status"), (status = 404)))]
pub(super) async fn request_status(
    identity: State<Identity>,
    id: Path<String>,
) -> ApiResult<Json<RequestView>> {
    request(identity, id).await
}

#[utoipa::path(get, path = "/auth/transactions", operation_id = "transactionRequests",
    params(("status" = Option<String>, Query, description = "one status alone, `pending` for example"), ("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "the user's requests, newest first; all users' with a service token of this node's identity"), (status = 400), (status = 401)))]
pub(super) async fn list(
    State(identity): State<Identity>,
    Reader(user): Reader,
    Query(Wanted { status }): Query<Wanted>,
    page: PageQuery,
) -> ApiResult<Paged<RequestView>> {
    let filter = RequestFilter {
        user,
        status,
        after: page.cursor::<Cursor>()?.map(|Cursor(place)| place),
        offset: page.offset,
        // One more says whether there is a next page.
        limit: page.limit + 1,
    };
    let found = identity.store().requests(&filter).await;
    let mut found = found.map_err(IdentityError::from)?;
    let more = found.len() > page.limit as usize;
    found.truncate(page.limit as usize);
    let next = found.last().filter(|_| more).map(|last| {
        let place = RequestPlace {
            created_at: last.created_at,
            id: last.id.clone(),
        };
        Cursor(place).to_string()
    });
    let now = identity.now();
    let items: Result<Vec<_>, _> = found
        .into_iter()
        .map(|request| view(as_it_stands(request, now)))
        .collect();
    Ok(page.answer(items?, next))
}

/// Which requests are listed.
#[derive(serde::Deserialize)]
pub(super) struct Wanted {
    status: Option<RequestStatus>,
}

/// Who may list: a user their own (`Some`), this node's operator all.
pub(super) struct Reader(Option<UserId>);

impl FromRequestParts<Identity> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, identity: &Identity) -> ApiResult<Self> {
        let token = auth::bearer(&parts.headers);
        if token.is_some_and(|token| ServiceToken::decode(token).is_ok()) {
            identity.operators().check_request(parts).await?;
            return Ok(Self(None));
        }
        let Bearer(live) = Bearer::from_request_parts(parts, identity).await?;
        Ok(Self(Some(live.login.user_id)))
    }
}

/// Where a page ended: `<ms>-<request>`.
struct Cursor(RequestPlace);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0.created_at.ms(), self.0.id)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (ms, id) = text.split_once('-').ok_or(())?;
        Ok(Self(RequestPlace {
            created_at: Timestamp::from_ms(ms.parse().map_err(|_| ())?),
            id: id.parse().map_err(|_| ())?,
        }))
    }
}

fn view(request: TransactionRequest) -> Result<RequestView, IdentityError> {
    Ok(RequestView {
        transaction: asked_for(&request)?,
        request_id: request.id,
        status: request.status,
        message: request.message,
        app_name: request.app_name,
        transaction_id: request.transaction_id,
        reason: request.reason,
        expires_at: request.expires_at,
    })
}

#[utoipa::path(post, path = "/auth/transaction/{id}/approve", operation_id = "approveTransaction", params(("id" = String, Path)), request_body = Object,
    responses((status = 200, description = "handed to the ledger"), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409), (status = 410), (status = 422), (status = 503)))]
pub(super) async fn approve(
    State(identity): State<Identity>,
    Path(id): Path<String>,
    Json(body): Json<ApproveTransaction>,
) -> ApiResult<Json<TransactionApproved>> {
    let transaction_id = identity.approve_request(&id, body).await?;
    Ok(Json(TransactionApproved {
        success: true,
        transaction_id,
    }))
}

#[utoipa::path(post, path = "/auth/transaction/{id}/reject", operation_id = "rejectTransaction", params(("id" = String, Path)), request_body = Object,
    responses((status = 200, description = "rejected"), (status = 400), (status = 404), (status = 409), (status = 410)))]
pub(super) async fn reject(
    State(identity): State<Identity>,
    Path(id): Path<String>,
    body: Bytes,
) -> ApiResult<Json<Success>> {
    let request: RejectSession = optional(&body)?;
    identity.reject_request(&id, request.reason).await?;
    Ok(Json(Success { success: true }))
}

#[utoipa::path(get, path = "/auth/transaction/{id}/events", operation_id = "transactionEvents", params(("id" = String, Path)),
    responses((status = 200, description = "the request's changes as server-sent events"), (status = 204, description = "the client has seen the last one"), (status = 404)))]
pub(super) async fn events(
    State(identity): State<Identity>,
    Path(id): Path<String>,
    LastEventId(seen): LastEventId,
) -> ApiResult<Response> {
    let (watch, request) = identity.watch_request(&id).await?;
    let status = request.status;
    if has_seen_all(seen.as_deref(), status.as_str(), status.is_last()) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let shutdown = identity.shutdown().clone();
    Ok(sse(changes(identity, watch, request), &shutdown))
}

fn changes(
    identity: Identity,
    mut watch: Watch<RequestId, TransactionRequest>,
    request: TransactionRequest,
) -> impl Stream<Item = Event> + Send {
    async_stream::stream! {
        let mut shown = request.status;
        yield event("connected", &request, identity.now());
        if shown.is_last() {
            yield event(shown.as_str(), &request, identity.now());
            return;
        }
        while let Some(change) = watch.next().await {
            // What the state showed already is not told again.
            if change.status == shown {
                continue;
            }
            shown = change.status;
            let kind = if shown.is_last() { shown.as_str() } else { "status_update" };
            yield event(kind, &change, identity.now());
            if shown.is_last() {
                return;
            }
        }
    }
}

fn event(kind: &str, request: &TransactionRequest, timestamp: Timestamp) -> Event {
    let told = Event::default().data(tana_protocol::json::compact(&RequestEvent {
        kind: kind.to_owned(),
        request_id: request.id.clone(),
        status: request.status,
        timestamp,
        transaction_id: request.transaction_id,
        reason: request.reason.clone(),
    }));
    // A stream that opens on a request that is over has its last event to come.
    if request.status.is_last() && kind == "connected" {
        told
    } else {
        told.id(request.status.as_str())
    }
}

#[utoipa::path(post, path = "/devices", request_body = Object,
    responses((status = 201, description = "registered"), (status = 400), (status = 401)))]
pub(super) async fn add_device(
    State(identity): State<Identity>,
    Bearer(bearer): Bearer,
    Json(body): Json<RegisterDevice>,
) -> ApiResult<(StatusCode, Json<DeviceView>)> {
    let device = identity.add_device(&bearer, body).await?;
    Ok((StatusCode::CREATED, Json(shown(device))))
}

#[utoipa::path(get, path = "/devices", responses((status = 200, description = "the user's devices, newest first"), (status = 401)))]
pub(super) async fn devices(
    State(identity): State<Identity>,
    Bearer(bearer): Bearer,
) -> ApiResult<Json<Vec<DeviceView>>> {
    let devices = identity.store().devices(&bearer.login.user_id).await;
    let devices = devices.map_err(IdentityError::from)?;
    Ok(Json(devices.into_iter().map(shown).collect()))
}

#[utoipa::path(delete, path = "/devices/{id}", params(("id" = String, Path)), responses((status = 200, description = "removed"), (status = 401), (status = 404)))]
pub(super) async fn remove_device(
    State(identity): State<Identity>,
    Bearer(bearer): Bearer,
    Path(id): Path<String>,
) -> ApiResult<Json<Success>> {
    identity.remove_device(&bearer, &id).await?;
    Ok(Json(Success { success: true }))
}

/// The push token stays here: it is enough to send the phone anything.
fn shown(device: Device) -> DeviceView {
    DeviceView {
        id: device.id,
        device_name: device.device_name,
        platform: device.platform,
        app_version: device.app_version,
        created_at: device.created_at,
    }
}

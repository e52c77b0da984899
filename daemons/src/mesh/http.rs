//! The mesh over HTTP: bodies in, bodies out, and which status goes with what.

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use tana_kit::{ApiError, ApiResult, Json, LastEventId, Path, Query};
use tana_protocol::NodeId;
use tana_protocol::api::mesh::{
    ActiveValidators, AddSovereign, Decided, DecisionLog, DecisionRequest, Heartbeat,
    HeartbeatTaken, LabelRequest, Labelled, MeshInfo, NodeStatus, Nodes, OneNode, Register,
    Registered, RotateNode, RotateSovereign, Rotated, SovereignKeys, SovereignVerified,
    VerifySovereign,
};
use tana_protocol::message::Decision;
use tana_protocol::problem::Code;

use super::error::MeshError;
use super::service::{Added, Mesh};

/// The routes.
pub(super) fn router(mesh: Mesh) -> Router {
    Router::new()
        .route("/register", post(register))
        .route("/nodes", get(nodes))
        .route("/nodes/{id}", get(node))
        .route("/approve/{id}", post(approve))
        .route("/deny/{id}", post(deny))
        .route("/remove/{id}", post(remove))
        .route("/label/{id}", post(label))
        .route("/rotate/{id}", post(rotate_node))
        .route("/decisions", get(decisions))
        .route("/heartbeat", post(heartbeat))
        .route("/topology", get(topology))
        .route("/validators/active", get(validators))
        .route("/info", get(info))
        .route("/sovereign", get(sovereigns))
        .route("/sovereign/add", post(add_sovereign))
        .route("/sovereign/rotate", post(rotate_sovereign))
        .route("/sovereign/verify", post(verify_sovereign))
        .route("/events", get(events))
        .with_state(mesh)
}

/// The document at `/openapi.json`.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Tana mesh",
        description = "The registry that nodes register with"
    ),
    paths(
        register,
        nodes,
        node,
        approve,
        deny,
        remove,
        label,
        rotate_node,
        decisions,
        heartbeat,
        topology,
        validators,
        info,
        sovereigns,
        add_sovereign,
        rotate_sovereign,
        verify_sovereign,
        events
    )
)]
pub(super) struct ApiDoc;

#[utoipa::path(post, path = "/register", request_body = Object,
    responses((status = 201, description = "registered, waits for a sovereign"), (status = 400), (status = 401), (status = 409)))]
async fn register(
    State(mesh): State<Mesh>,
    Json(body): Json<Register>,
) -> ApiResult<(StatusCode, Json<Registered>)> {
    let node = mesh.register(body).await?;
    let answer = Registered {
        success: true,
        message: format!(
            "{} is registered and waits for a sovereign's approval",
            node.id
        ),
        node_id: node.id,
        status: node.status,
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

#[utoipa::path(get, path = "/nodes", params(("status" = Option<Vec<String>>, Query, description = "pending, active (the default), denied, offline or all; may repeat")),
    responses((status = 200, description = "nodes, the first registered first"), (status = 400)))]
async fn nodes(State(mesh): State<Mesh>, RawQuery(query): RawQuery) -> ApiResult<Json<Nodes>> {
    let statuses = statuses(query.as_deref().unwrap_or_default())?;
    let nodes = mesh.nodes(&statuses).await?;
    Ok(Json(Nodes { nodes }))
}

/// `status` may repeat, and may hold several separated by commas.
fn statuses(query: &str) -> Result<Vec<NodeStatus>, ApiError> {
    let mut found = Vec::new();
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if key != "status" {
            continue;
        }
        for word in value.split(',') {
            match word {
                "all" => found.extend([
                    NodeStatus::Pending,
                    NodeStatus::Active,
                    NodeStatus::Denied,
                    NodeStatus::Offline,
                ]),
                word => found.push(word.parse().map_err(|error: String| {
                    let shown: String = error.chars().take(200).collect();
                    ApiError::new(Code::OutOfRange, shown)
                })?),
            }
        }
    }
    if found.is_empty() {
        found.push(NodeStatus::Active);
    }
    Ok(found)
}

/// A text that can be no id is the id of no node.
fn known(id: &str) -> Result<NodeId, MeshError> {
    id.parse()
        .map_err(|_| MeshError::UnknownNode(id.chars().take(64).collect()))
}

#[utoipa::path(get, path = "/nodes/{id}", params(("id" = String, Path)), responses((status = 200, description = "the node"), (status = 404)))]
async fn node(State(mesh): State<Mesh>, Path(id): Path<String>) -> ApiResult<Json<OneNode>> {
    let node = mesh.node(&known(&id)?).await?;
    Ok(Json(OneNode { node }))
}

#[utoipa::path(post, path = "/approve/{id}", params(("id" = String, Path)), request_body = Object,
    responses((status = 200, description = "the node is active, or the vote is counted"), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409), (status = 422, description = "its stake is missing")))]
async fn approve(
    State(mesh): State<Mesh>,
    Path(id): Path<String>,
    Json(body): Json<DecisionRequest>,
) -> ApiResult<Json<Decided>> {
    decide(&mesh, Decision::Approve, id, &body).await
}

#[utoipa::path(post, path = "/deny/{id}", params(("id" = String, Path)), request_body = Object,
    responses((status = 200, description = "the node is denied, or the vote is counted"), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
async fn deny(
    State(mesh): State<Mesh>,
    Path(id): Path<String>,
    Json(body): Json<DecisionRequest>,
) -> ApiResult<Json<Decided>> {
    decide(&mesh, Decision::Deny, id, &body).await
}

#[utoipa::path(post, path = "/remove/{id}", params(("id" = String, Path)), request_body = Object,
    responses((status = 200, description = "the node is out, or the vote is counted"), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
async fn remove(
    State(mesh): State<Mesh>,
    Path(id): Path<String>,
    Json(body): Json<DecisionRequest>,
) -> ApiResult<Json<Decided>> {
    decide(&mesh, Decision::Remove, id, &body).await
}

async fn decide(
    mesh: &Mesh,
    decision: Decision,
    id: String,
    body: &DecisionRequest,
) -> ApiResult<Json<Decided>> {
    Ok(Json(mesh.decide(decision, &known(&id)?, body).await?))
}

#[utoipa::path(post, path = "/label/{id}", params(("id" = String, Path)), request_body = Object,
    responses((status = 200, description = "labelled"), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
async fn label(
    State(mesh): State<Mesh>,
    Path(id): Path<String>,
    Json(body): Json<LabelRequest>,
) -> ApiResult<Json<Labelled>> {
    let node = mesh.label(&known(&id)?, body).await?;
    Ok(Json(Labelled {
        success: true,
        node_id: node.id,
        region: node.region,
    }))
}

#[utoipa::path(post, path = "/rotate/{id}", params(("id" = String, Path)), request_body = Object,
    responses((status = 200, description = "the node has the new key"), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
async fn rotate_node(
    State(mesh): State<Mesh>,
    Path(id): Path<String>,
    Json(body): Json<RotateNode>,
) -> ApiResult<Json<OneNode>> {
    let node = mesh.rotate_node(&known(&id)?, body).await?;
    Ok(Json(OneNode { node }))
}

/// Entries that one answer holds.
const LOG_PAGE: u32 = 500;

/// Which entries of the log are asked for.
#[derive(Deserialize)]
struct LogQuery {
    from: Option<u64>,
    limit: Option<u32>,
}

#[utoipa::path(get, path = "/decisions", params(("from" = Option<u64>, Query, description = "the first entry's number, from 1"), ("limit" = Option<u32>, Query, description = "at most 500")),
    responses((status = 200, description = "the log of decisions, the oldest first, each with the hash of the one before"), (status = 400)))]
async fn decisions(
    State(mesh): State<Mesh>,
    Query(query): Query<LogQuery>,
) -> ApiResult<Json<DecisionLog>> {
    let limit = query.limit.unwrap_or(LOG_PAGE).clamp(1, LOG_PAGE);
    Ok(Json(mesh.log(query.from.unwrap_or(1), limit).await?))
}

#[utoipa::path(post, path = "/heartbeat", request_body = Object,
    responses((status = 200, description = "taken"), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
async fn heartbeat(
    State(mesh): State<Mesh>,
    Json(body): Json<Heartbeat>,
) -> ApiResult<Json<HeartbeatTaken>> {
    mesh.heartbeat(body).await?;
    Ok(Json(HeartbeatTaken {
        success: true,
        timestamp: mesh.now(),
    }))
}

#[utoipa::path(get, path = "/topology", responses((status = 200, description = "active and offline nodes, and who reaches whom")))]
async fn topology(State(mesh): State<Mesh>) -> ApiResult<Response> {
    let json = HeaderValue::from_static("application/json");
    Ok(([(CONTENT_TYPE, json)], mesh.topology().await?).into_response())
}

#[utoipa::path(get, path = "/validators/active", responses((status = 200, description = "active nodes that produce blocks")))]
async fn validators(State(mesh): State<Mesh>) -> ApiResult<Json<ActiveValidators>> {
    let validators = mesh.validators().await?;
    Ok(Json(ActiveValidators { validators }))
}

#[utoipa::path(get, path = "/info", responses((status = 200, description = "how many nodes there are of each status")))]
async fn info(State(mesh): State<Mesh>) -> ApiResult<Json<MeshInfo>> {
    Ok(Json(mesh.info().await?))
}

#[utoipa::path(get, path = "/sovereign", responses((status = 200, description = "the sovereign keys that hold now")))]
async fn sovereigns(State(mesh): State<Mesh>) -> ApiResult<Json<SovereignKeys>> {
    Ok(Json(mesh.sovereigns().await?))
}

#[utoipa::path(post, path = "/sovereign/add", request_body = Object,
    responses((status = 201, description = "added"), (status = 202, description = "the vote is counted, and more are needed"), (status = 400), (status = 401), (status = 403), (status = 409)))]
async fn add_sovereign(
    State(mesh): State<Mesh>,
    Json(body): Json<AddSovereign>,
) -> ApiResult<(StatusCode, Json<serde_json::Value>)> {
    Ok(match mesh.add_sovereign(body).await? {
        Added::Done(key) => {
            let answer = serde_json::json!({
                "success": true,
                "publicKey": key.public_key,
                "description": key.description,
                "addedAt": key.added_at,
            });
            (StatusCode::CREATED, Json(answer))
        }
        Added::Counted { key, votes, needed } => {
            let answer = serde_json::json!({
                "success": true,
                "publicKey": key,
                "votes": votes,
                "needed": needed,
            });
            (StatusCode::ACCEPTED, Json(answer))
        }
    })
}

#[utoipa::path(post, path = "/sovereign/rotate", request_body = Object,
    responses((status = 200, description = "replaced"), (status = 400), (status = 401), (status = 403), (status = 409)))]
async fn rotate_sovereign(
    State(mesh): State<Mesh>,
    Json(body): Json<RotateSovereign>,
) -> ApiResult<Json<Rotated>> {
    let overlap_until = mesh.rotate_sovereign(&body).await?;
    Ok(Json(Rotated {
        success: true,
        overlap_until,
    }))
}

#[utoipa::path(post, path = "/sovereign/verify", request_body = Object,
    responses((status = 200, description = "signed by a sovereign key"), (status = 400), (status = 401), (status = 403)))]
async fn verify_sovereign(
    State(mesh): State<Mesh>,
    Json(body): Json<VerifySovereign>,
) -> ApiResult<Json<SovereignVerified>> {
    let public_key = mesh.verify(&body).await?;
    Ok(Json(SovereignVerified {
        valid: true,
        public_key,
    }))
}

#[utoipa::path(get, path = "/events", responses((status = 200, description = "registrations, decisions, heartbeats as server-sent events")))]
async fn events(State(mesh): State<Mesh>, last: LastEventId) -> Response {
    mesh.hub().stream(&last)
}

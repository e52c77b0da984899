//! The supervisor's endpoints, on its Unix socket.

use axum::Router;
use axum::extract::State;
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::stream::{self, StreamExt};
use http::StatusCode;
use serde::Deserialize;
use tana_kit::events::sse;
use tana_kit::{ApiError, ApiResult, EventHub, Json, LastEventId, Path, Query, Shutdown};
use tana_protocol::api::node::{
    LogPosition, Membership, NodeView, ServiceState, ServiceView, event,
};
use tana_protocol::problem::Code;
use tana_protocol::{NodeId, ServiceKind};
use tokio::sync::{mpsc, watch};
use utoipa::OpenApi;

use super::board::Board;
use super::logs::{Logs, Wanted};
use super::service::Order;

/// Lines of a log when the client names no number.
const DEFAULT_TAIL: usize = 200;
/// Lines of a log at most.
const MOST_TAIL: usize = 10_000;

/// What the endpoints need.
#[derive(Clone)]
pub(super) struct NodeApi {
    pub(super) about: NodeView,
    pub(super) standing: watch::Receiver<Option<Membership>>,
    pub(super) board: Board,
    pub(super) logs: Logs,
    pub(super) events: EventHub,
    pub(super) orders: Vec<(ServiceKind, mpsc::Sender<Order>)>,
    /// Begun by `POST /stop`.
    pub(super) stop: Shutdown,
    /// Begun when the last service has ended: until then the streams tell of it.
    pub(super) end: Shutdown,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tana node",
        description = "The supervisor, on the Unix socket node.sock"
    ),
    paths(status, services, act, service_logs, all_logs, live, stop)
)]
pub(super) struct Document;

pub(super) fn routes(api: NodeApi) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/services", get(services))
        .route("/services/{name}/logs", get(service_logs))
        .route("/services/{name}/{action}", post(act))
        .route("/logs", get(all_logs))
        .route("/events", get(live))
        .route("/stop", post(stop))
        .with_state(api)
}

/// The node in one answer
#[utoipa::path(get, path = "/status", responses((status = 200, description = "the node and its services")))]
async fn status(State(api): State<NodeApi>) -> Json<NodeView> {
    Json(NodeView {
        services: api.board.all(),
        membership: api.standing.borrow().clone(),
        ..api.about
    })
}

/// The services, in start order
#[utoipa::path(get, path = "/services", responses((status = 200, description = "array of services")))]
async fn services(State(api): State<NodeApi>) -> Json<Vec<ServiceView>> {
    Json(api.board.all())
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Start,
    Stop,
    Restart,
}

fn kind_of(name: &str) -> ApiResult<ServiceKind> {
    name.parse()
        .map_err(|error: tana_protocol::service::UnknownService| {
            ApiError::new(Code::NotFound, error.to_string())
        })
}

/// Starts, stops or restarts a service; answered before that is done, the events tell when
#[utoipa::path(post, path = "/services/{name}/{action}",
    params(("name" = String, Path), ("action" = String, Path, description = "start, stop or restart")),
    responses((status = 202, description = "taken"), (status = 404, description = "no such service or action"),
        (status = 409, description = "the service's state forbids it")))]
async fn act(
    State(api): State<NodeApi>,
    Path((name, action)): Path<(String, String)>,
) -> ApiResult<Response> {
    let kind = kind_of(&name)?;
    let action = match action.as_str() {
        "start" => Action::Start,
        "stop" => Action::Stop,
        "restart" => Action::Restart,
        other => {
            return Err(ApiError::new(
                Code::NotFound,
                format!("there is no {other:?} of a service; there are start, stop and restart"),
            ));
        }
    };
    let view = api.view(kind)?;
    if api.stop.has_begun() {
        return Err(ApiError::new(Code::Conflict, "the node is stopping"));
    }
    let order = match (action, view.state) {
        (Action::Start, ServiceState::Starting | ServiceState::Ready | ServiceState::Degraded) => {
            return Err(ApiError::new(
                Code::Conflict,
                format!("{kind} runs already; restart starts it anew"),
            ));
        }
        (Action::Stop, ServiceState::Stopped) => {
            return Err(ApiError::new(
                Code::Conflict,
                format!("{kind} is stopped already"),
            ));
        }
        (Action::Start, _) => Order::Start,
        (Action::Stop, _) => Order::Stop(None),
        (Action::Restart, _) => Order::Restart,
    };
    let sender = api
        .orders
        .iter()
        .find(|(of, _)| *of == kind)
        .map(|(_, sender)| sender)
        .ok_or_else(|| not_of_role(kind, &api.about))?;
    sender.try_send(order).map_err(|_| {
        ApiError::new(
            Code::Unavailable,
            format!("{kind} still works on earlier orders; try again in a moment"),
        )
    })?;
    Ok((StatusCode::ACCEPTED, Json(view)).into_response())
}

fn not_of_role(kind: ServiceKind, about: &NodeView) -> ApiError {
    ApiError::new(
        Code::NotFound,
        format!("a node of role {} has no {kind}", about.role),
    )
}

impl NodeApi {
    fn view(&self, kind: ServiceKind) -> ApiResult<ServiceView> {
        self.board
            .get(kind)
            .ok_or_else(|| not_of_role(kind, &self.about))
    }
}

#[derive(Debug, Deserialize)]
struct LogQuery {
    tail: Option<usize>,
    filter: Option<String>,
    #[serde(default)]
    follow: Follow,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Follow {
    #[default]
    #[serde(alias = "0")]
    False,
    #[serde(alias = "1")]
    True,
}

/// The log of a service: an array of lines, or with follow=true a stream of them
#[utoipa::path(get, path = "/services/{name}/logs",
    params(("name" = String, Path), ("tail" = Option<u32>, Query, description = "the last so many, 200"),
        ("filter" = Option<String>, Query, description = "a text that they contain"), ("follow" = Option<bool>, Query)),
    responses((status = 200, description = "lines, oldest first")))]
async fn service_logs(
    State(api): State<NodeApi>,
    Path(name): Path<String>,
    Query(query): Query<LogQuery>,
    last: LastEventId,
) -> ApiResult<Response> {
    let kind = kind_of(&name)?;
    api.view(kind)?;
    logs(api, vec![kind], query, last).await
}

/// The logs of all services in the order of time
#[utoipa::path(get, path = "/logs",
    params(("tail" = Option<u32>, Query), ("filter" = Option<String>, Query), ("follow" = Option<bool>, Query)),
    responses((status = 200, description = "lines, oldest first")))]
async fn all_logs(
    State(api): State<NodeApi>,
    Query(query): Query<LogQuery>,
    last: LastEventId,
) -> ApiResult<Response> {
    let kinds = api.logs.kinds();
    logs(api, kinds, query, last).await
}

async fn logs(
    api: NodeApi,
    kinds: Vec<ServiceKind>,
    query: LogQuery,
    last: LastEventId,
) -> ApiResult<Response> {
    let tail = query.tail.unwrap_or(DEFAULT_TAIL);
    if tail > MOST_TAIL {
        return Err(ApiError::new(
            Code::OutOfRange,
            format!("tail is {tail}; it must be at most {MOST_TAIL}"),
        ));
    }
    let wanted = Wanted {
        tail,
        filter: query.filter.map(|filter| filter.to_lowercase()),
    };
    if query.follow == Follow::False {
        let logs = api.logs.clone();
        // Files of up to 10 MiB are read.
        let lines = tokio::task::spawn_blocking(move || logs.history(&kinds, &wanted))
            .await
            .map_err(|error| ApiError::internal(&error))?;
        return Ok(Json(lines).into_response());
    }
    let reader = api.logs.clone();
    let of = kinds.clone();
    let past_wanted = Wanted {
        // One who comes back gets what was missed, however few lines were asked for at first.
        tail: if last.0.is_some() { MOST_TAIL } else { tail },
        ..wanted.clone()
    };
    let (mut past, receiver) =
        tokio::task::spawn_blocking(move || reader.follow(&of, &past_wanted))
            .await
            .map_err(|error| ApiError::internal(&error))?;
    let mut position = LogPosition::default();
    if let Some(seen) = last.0.as_deref().and_then(|last| last.parse().ok()) {
        past.retain(|line| position.pass(line) && position.is_after(&seen));
        position = seen;
    } else {
        position = LogPosition::default();
    }
    let live = stream::unfold(receiver, |mut receiver| async move {
        // One who lags is dropped, and resumes by the id of the last line it saw.
        receiver.recv().await.ok().map(|lines| (lines, receiver))
    })
    .flat_map(move |lines| {
        let wanted: Vec<_> = lines
            .iter()
            .filter(|line| kinds.contains(&line.service) && wanted.matches(line))
            .cloned()
            .collect();
        stream::iter(wanted)
    });
    let events = stream::iter(past)
        .chain(live)
        .scan(position, |position, line| {
            position.pass(&line);
            let event = Event::default()
                .id(position.to_string())
                .event(event::LOG)
                .data(tana_protocol::json::compact(&line));
            std::future::ready(Some(event))
        });
    Ok(sse(events, &api.end))
}

/// Changes of services as they happen, each a whole service
#[utoipa::path(get, path = "/events", responses((status = 200, description = "server-sent events: service, stopping")))]
async fn live(State(api): State<NodeApi>, last: LastEventId) -> Response {
    api.events.stream(&last)
}

/// Stops all services in reverse order and ends the supervisor; answered before they have ended
#[utoipa::path(post, path = "/stop", responses((status = 202, description = "taken")))]
async fn stop(State(api): State<NodeApi>) -> (StatusCode, Json<Stopping>) {
    api.stop.begin();
    let node_id = api.about.node_id;
    (StatusCode::ACCEPTED, Json(Stopping { node_id }))
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Stopping {
    node_id: NodeId,
}

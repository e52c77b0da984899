//! The shell around a daemon's routes: health, metrics, OpenAPI, request ids, panics, time-outs, body limits, CORS and
//! problem documents for what no route answers.

use std::any::Any;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{ALLOW, HeaderName};
use http::{HeaderValue, Method, StatusCode};
use tana_protocol::api::health::HealthStatus;
use tana_protocol::problem::Code;
use tower::{ServiceBuilder, ServiceExt};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::request_id::{
    MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
};
use utoipa::OpenApi as _;

use crate::error::ApiError;
use crate::extract::Json;
use crate::places::Places;
use crate::rate::RateLimit;
use crate::readiness::Readiness;
use crate::tasks::{self, Tasks};
use crate::{detached, document, metrics};

/// The header that a request's id travels in.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Limits of a daemon's HTTP.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest body that the extractors take; a route may set its own with `DefaultBodyLimit`.
    pub body_bytes: usize,
    /// How long a client may take to send a request's head, and keep an idle connection.
    pub head: Duration,
    /// How long a handler may take until its answer begins.
    pub time: Duration,
    /// How long a client may read nothing of what is written to it.
    pub unread: Duration,
    /// Requests of one client.
    pub rate: Option<RateLimit>,
    /// Connections at once.
    pub places: Places,
    /// Origins that browsers may call from.
    pub cors_origins: Vec<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 2 << 20,
            head: Duration::from_secs(30),
            time: Duration::from_secs(30),
            unread: Duration::from_secs(30),
            rate: None,
            places: Places::default(),
            cors_origins: Vec::new(),
        }
    }
}

/// The daemon's own routes, once it has built them; until then everything but `/health` and `/metrics` answers 503.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<OnceLock<Router>>);

impl Gate {
    pub(crate) fn open(&self, routes: Router) {
        // Opened once, by `run_service` alone.
        let _already_open = self.0.set(routes);
    }
}

async fn through(State(gate): State<Gate>, request: Request) -> Response {
    match gate.0.get() {
        Some(routes) => match routes.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        None => ApiError::new(
            Code::Unavailable,
            "the service is starting; GET /health says what it waits for",
        )
        .retry_after(1)
        .into_response(),
    }
}

/// What every daemon serves, in its document beside its own.
#[derive(utoipa::OpenApi)]
#[openapi(paths(health_path, metrics_path, document_path))]
struct Common;

#[utoipa::path(get, path = "/health", operation_id = "health",
    responses((status = 200, description = "live and ready, with its checks"), (status = 503, description = "live and not ready; its checks say why")))]
#[allow(
    dead_code,
    reason = "carries the description of a route that is a closure"
)]
const fn health_path() {}

#[utoipa::path(get, path = "/metrics", operation_id = "metrics",
    responses((status = 200, description = "figures for Prometheus", content_type = "text/plain")))]
#[allow(
    dead_code,
    reason = "carries the description of a route that is a closure"
)]
const fn metrics_path() {}

#[utoipa::path(get, path = "/openapi.json", operation_id = "openapi",
    responses((status = 200, description = "this document")))]
#[allow(
    dead_code,
    reason = "carries the description of a route that is a closure"
)]
const fn document_path() {}

/// A daemon's routes with its OpenAPI document, problem documents for the rest, and counters.
pub(crate) fn routes(routes: Router, openapi: fn() -> utoipa::openapi::OpenApi) -> Router {
    let document = move || async move {
        let mut whole = openapi();
        whole.merge(Common::openapi());
        match document::complete(&whole) {
            Ok(document) => Json(document).into_response(),
            Err(error) => ApiError::internal(&error).into_response(),
        }
    };
    routes
        .route("/openapi.json", get(document))
        .fallback(unknown)
        .layer(middleware::from_fn(metrics::count))
}

/// The whole of what a daemon serves.
pub(crate) fn shell(gate: Gate, readiness: Readiness, limits: &Limits, tasks: &Tasks) -> Router {
    let health = get(move || {
        let readiness = readiness.clone();
        async move { health(&readiness).await }
    });
    let router = Router::new()
        .route("/health", health)
        .route("/metrics", get(metrics::answer))
        .fallback(through)
        .with_state(gate);
    layered(router, limits, tasks)
}

/// All that [`crate::run_service`] serves around a daemon's routes, for what listens elsewhere: the supervisor's socket.
/// Requests that may change something run on `tasks`.
pub fn whole(
    own: Router,
    openapi: fn() -> utoipa::openapi::OpenApi,
    readiness: Readiness,
    limits: &Limits,
    tasks: &Tasks,
) -> Router {
    let gate = Gate::default();
    gate.open(routes(own, openapi));
    shell(gate, readiness, limits, tasks)
}

/// The layers that every daemon has, as one: axum gives each layer of a router a box for itself and one for every answer.
fn layered(router: Router, limits: &Limits, tasks: &Tasks) -> Router {
    let around = Around {
        rate: limits.rate.clone(),
        time: limits.time,
        tasks: tasks.clone(),
    };
    router.layer(
        ServiceBuilder::new()
            .layer(SetRequestIdLayer::new(REQUEST_ID, RandomId))
            .layer(PropagateRequestIdLayer::new(REQUEST_ID))
            .layer(CatchPanicLayer::custom(panicked))
            .option_layer(cors(&limits.cors_origins))
            .layer(middleware::from_fn_with_state(around, around_each))
            .layer(DefaultBodyLimit::max(limits.body_bytes)),
    )
}

/// For browsers of these origins; none where there are none.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = origins
        .iter()
        .filter_map(|origin| origin.parse().ok())
        .collect();
    let layer = CorsLayer::new()
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::HEAD,
        ])
        .allow_headers([
            http::header::CONTENT_TYPE,
            http::header::AUTHORIZATION,
            HeaderName::from_static("last-event-id"),
        ])
        .expose_headers([http::header::LINK, http::header::RETRY_AFTER, REQUEST_ID])
        .max_age(Duration::from_secs(3600));
    (!origins.is_empty()).then(|| layer.allow_origin(AllowOrigin::list(origins)))
}

/// What is done around each request.
#[derive(Clone)]
struct Around {
    rate: Option<RateLimit>,
    time: Duration,
    tasks: Tasks,
}

/// Holds a request to its client's rate and to the time limit, has what may change something run to its end, and tidies the
/// answer up.
async fn around_each(State(around): State<Around>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    if let Some(rate) = &around.rate
        && let Err(refused) = rate.check_request(&request)
    {
        return refused.into_response();
    }
    let answer = detached::finished(&around.tasks, request, next);
    let response = tokio::time::timeout(around.time, answer)
        .await
        .unwrap_or_else(|_| {
            let seconds = around.time.as_secs();
            ApiError::new(Code::Timeout, format!("no answer within {seconds} s")).into_response()
        });
    tidy(&method, &path, response)
}

async fn health(readiness: &Readiness) -> Response {
    let health = readiness.health().await;
    let status = if health.status == HealthStatus::Ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let mut response = (status, Json(health)).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(http::header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// What no route answers.
pub async fn unknown(request: Request) -> ApiError {
    ApiError::new(
        Code::NotFound,
        format!(
            "there is nothing at {}; GET /openapi.json lists what there is",
            request.uri().path()
        ),
    )
}

/// Logs failures, and gives axum's own empty 405 a problem document (it knows the methods, `Allow` stays).
fn tidy(method: &Method, path: &str, mut response: Response) -> Response {
    let status = response.status();
    if status.is_server_error() {
        // The route, not the path: a path may hold what only its client may know, such as a session's id.
        let route = response.extensions().get::<MatchedPath>();
        let route = route.map_or("none", MatchedPath::as_str);
        tracing::debug!(%method, route, status = status.as_u16(), "answered");
    }
    // A 405 with a content type is an answer of its own, a contract's at the edge for example.
    let own = response.headers().contains_key(http::header::CONTENT_TYPE);
    if status == StatusCode::METHOD_NOT_ALLOWED && !own {
        let allow = response.headers_mut().remove(ALLOW);
        let known = allow
            .as_ref()
            .and_then(|allow| allow.to_str().ok())
            .unwrap_or("other methods");
        let problem = ApiError::new(
            Code::MethodNotAllowed,
            format!("{path} takes {known}, not {method}"),
        );
        response = problem.into_response();
        if let Some(allow) = allow {
            response.headers_mut().insert(ALLOW, allow);
        }
    }
    response
}

// The layer hands the box over.
#[allow(clippy::needless_pass_by_value)]
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked: {}", tasks::panic_text(&*panic));
    ApiError::new(Code::Internal, "the service failed; its log says more").into_response()
}

/// Request ids: 16 random bytes in hex, where the client sent none.
#[derive(Clone, Copy)]
struct RandomId;

impl MakeRequestId for RandomId {
    fn make_request_id<B>(&mut self, _: &http::Request<B>) -> Option<RequestId> {
        let id = format!("{:032x}", rand::random::<u128>());
        HeaderValue::from_str(&id).ok().map(RequestId::new)
    }
}

//! The routes: `/{contract}[/path]`, the contract as subdomain, `/content/*`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use axum::routing::any;
use http::Method;
use http::header::HOST;
use tana_kit::ApiError;
use tana_protocol::Code;
use tana_sandbox::message::{BlockContext, Entry, Invocation, Limits, User};
use utoipa::OpenApi;

use crate::Edge;
use crate::contracts::{Contract, ContractError};
use crate::failure::too_large;
use crate::request::{MAX_BODY_BYTES, incoming};
use crate::run::{Asked, run};

/// What a handler may use.
pub(crate) const LIMITS: Limits = Limits {
    gas: 100_000_000,
    heap_bytes: 64 << 20,
    cpu_ms: 50,
    wall_ms: 5_000,
    result_bytes: 4 << 20,
    log_bytes: 64 << 10,
};

/// The edge's document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tana edge",
        description = "Contracts over HTTP: a fresh isolate for every request."
    ),
    paths(call_get, call_post, content)
)]
struct Document;

/// A contract's `get(req)`.
#[utoipa::path(get, path = "/{contract}/{path}", params(("contract" = String, Path), ("path" = String, Path)),
    responses((status = 200, description = "what the contract answers"), (status = 404, description = "no such contract"),
        (status = 405, description = "the contract has no get()"), (status = 500, description = "the contract failed"),
        (status = 503, description = "all workers are busy"), (status = 504, description = "the contract took too long"),
        (status = "default", description = "what the contract answers")))]
#[allow(dead_code, reason = "the document's, not a handler")]
fn call_get() {}

/// A contract's `post(req, body)`.
#[utoipa::path(post, path = "/{contract}/{path}", params(("contract" = String, Path), ("path" = String, Path)),
    responses((status = 200, description = "what the contract answers"), (status = 404, description = "no such contract"),
        (status = 405, description = "the contract has no post()"), (status = 413, description = "the body is too large"),
        (status = 500, description = "the contract failed"), (status = 503, description = "all workers are busy"),
        (status = 504, description = "the contract took too long"), (status = "default", description = "what the contract answers")))]
#[allow(dead_code, reason = "the document's, not a handler")]
fn call_post() {}

/// Content by its hash, from the content store.
#[utoipa::path(get, path = "/content/{sha256}", params(("sha256" = String, Path)),
    responses((status = 200, description = "the bytes"), (status = 206, description = "a range of them"), (status = 304), (status = 400), (status = 404),
        (status = 416)))]
#[allow(dead_code, reason = "the document's, not a handler")]
fn content() {}

pub(crate) fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

pub(crate) fn routes(edge: Arc<Edge>) -> Router {
    Router::new()
        .route("/content/{*hash}", any(pass))
        .route("/", any(handle))
        .route("/{contract}", any(handle))
        .route("/{contract}/", any(handle))
        .route("/{contract}/{*path}", any(handle))
        .with_state(edge)
}

async fn pass(State(edge): State<Arc<Edge>>, request: Request) -> Result<Response, ApiError> {
    edge.content.pass(request).await
}

async fn handle(State(edge): State<Arc<Edge>>, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let host = parts
        .headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| parts.uri.host());
    let entry = match parts.method {
        Method::GET | Method::HEAD => Entry::Get,
        Method::POST => Entry::Post,
        _ => {
            return Err(ApiError::new(
                Code::MethodNotAllowed,
                "contracts answer GET and POST",
            ));
        }
    };
    let (name, path, contract) =
        find(&edge, host.unwrap_or_default(), parts.uri.path(), entry).await?;
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        return Ok(too_large());
    };
    let client = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let ip = client.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |client| client.0.ip());
    let method = if entry == Entry::Get {
        Method::GET
    } else {
        Method::POST
    };
    let mut invocation = Invocation::new(&contract.file, &*contract.source);
    invocation.request = Some(incoming(
        &method,
        &parts.uri,
        &path,
        &parts.headers,
        ip,
        &body,
    ));
    invocation.entry = entry;
    invocation.limits = LIMITS;
    invocation.fetch_hosts.clone_from(&edge.fetch_hosts);
    invocation.contract_id = contract.id.map(|id| id.to_string());
    invocation.owner = contract.owner.clone().map(|id| User {
        id,
        username: String::new(),
        more: serde_json::Map::new(),
    });
    // Nothing at the edge reaches the chain: what is drawn may differ from request to request.
    invocation.transaction_id = Some(uuid::Uuid::new_v4().to_string());
    invocation.block = block(&edge).await?;
    invocation.in_parts = true;
    let asked = Asked {
        name,
        contract,
        method: parts.method,
    };
    run(&edge, asked, invocation).await
}

/// The contract that a request means: the first label of the host where that names one, else the first segment.
async fn find(
    edge: &Edge,
    host: &str,
    path: &str,
    entry: Entry,
) -> Result<(String, String, Contract), ApiError> {
    if let Some(name) = subdomain(host) {
        match edge.contracts.find(name, entry).await {
            Err(ContractError::Unknown(_)) => {}
            found => return Ok((name.to_owned(), path.to_owned(), found?)),
        }
    }
    match segment(path) {
        Some((name, rest)) => Ok((
            name.to_owned(),
            rest.to_owned(),
            edge.contracts.find(name, entry).await?,
        )),
        None => Err(ApiError::new(
            Code::NotFound,
            "name a contract: /contract or contract.host",
        )),
    }
}

/// The block on top of which a handler runs; without a chain the present time.
async fn block(edge: &Edge) -> Result<BlockContext, ApiError> {
    if let Some(chain) = &edge.chain {
        return chain
            .latest()
            .await
            .map_err(|why| ApiError::new(Code::Unavailable, why).retry_after(1));
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok(BlockContext {
        timestamp: u64::try_from(now.as_millis()).unwrap_or(0),
        ..BlockContext::default()
    })
}

/// The first label of a host that has others.
fn subdomain(host: &str) -> Option<&str> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    if name.starts_with('[') || name.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    name.split_once('.')
        .map(|(first, _)| first)
        .filter(|first| !first.is_empty())
}

/// The first segment of a path, and the path below it.
fn segment(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix('/')?;
    let (name, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    (!name.is_empty()).then_some((name, if rest.is_empty() { "/" } else { rest }))
}

#[cfg(test)]
mod tests {
    use super::{segment, subdomain};

    #[test]
    fn a_contract_is_named_by_path_or_by_subdomain() {
        assert_eq!(segment("/hello"), Some(("hello", "/")));
        assert_eq!(segment("/hello/a/b"), Some(("hello", "/a/b")));
        assert_eq!(segment("/hello/"), Some(("hello", "/")));
        assert_eq!(segment("/"), None);
        for (host, name) in [
            ("hello.localhost:8180", Some("hello")),
            ("hello.tana.network", Some("hello")),
            ("localhost:8180", None),
            ("127.0.0.1:8180", None),
            ("[::1]:8180", None),
            ("", None),
        ] {
            assert_eq!(subdomain(host), name, "{host}");
        }
    }
}

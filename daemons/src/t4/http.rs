//! Content over HTTP: anybody reads, ledgers write.

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Router, middleware};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderName, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tana_kit::{
    ApiError, ApiResult, Json, PageQuery, Paged, Path, Query, ServiceGuard, Wire, auth,
};
use tana_protocol::Hash32;
use tana_protocol::api::content::{Deleted, Listed, StoreInfo, Stored};
use tana_protocol::problem::Code;
use tana_protocol::range::{self, Wanted};

use super::checked;
use super::config::Config;
use super::error::ContentError;
use super::files::{self, Files};
use super::parts::sent;
use super::scrub::{Scrub, Speed};
use super::unfinished::Kept;
use super::upload;

const X_CONTENT_HASH: HeaderName = HeaderName::from_static("x-content-hash");
const X_CONTENT_SIZE: HeaderName = HeaderName::from_static("x-content-size");
/// What has a hash for its name never changes.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

#[derive(Clone)]
struct Content {
    files: Files,
    scrub: Scrub,
    max_bytes: u64,
    check_one_in: u32,
}

/// The routes.
pub(super) fn router(files: Files, scrub: Scrub, config: &Config, guard: ServiceGuard) -> Router {
    let ledgers = middleware::from_fn_with_state(guard, auth::require);
    let methods = put(store)
        .delete(delete)
        .route_layer(ledgers.clone())
        .get(read);
    Router::new()
        .route("/content/{hash}", methods)
        .route("/content", get(list).route_layer(ledgers.clone()))
        .route("/scrub", post(begin_scrub).route_layer(ledgers))
        .route("/info", get(info))
        .with_state(Content {
            files,
            scrub,
            max_bytes: config.max_bytes,
            check_one_in: config.check_one_in,
        })
}

/// The document at `/openapi.json`.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Tana content store", description = "Bytes by their SHA-256"),
    paths(store, read, delete, list, info, begin_scrub)
)]
pub(super) struct ApiDoc;

#[utoipa::path(put, path = "/content/{hash}", params(("hash" = String, Path, description = "SHA-256 of the bytes, 64 hex digits")),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 201, description = "stored"), (status = 200, description = "it was there"), (status = 400), (status = 401), (status = 403), (status = 413), (status = 507)))]
async fn store(
    State(content): State<Content>,
    Path(hash): Path<Hash32>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    match upload::take(&content.files, hash, body, announced, content.max_bytes).await {
        Ok(taken) => {
            let status = match taken.kept {
                Kept::New => StatusCode::CREATED,
                Kept::WasThere => StatusCode::OK,
            };
            let answer = Stored {
                hash,
                size: taken.size,
                stored: true,
            };
            (status, Json(answer)).into_response()
        }
        Err(error) => {
            let mut response = ApiError::from(error).into_response();
            // What is left of the body is not read: the connection cannot be used again.
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
            response
        }
    }
}

#[utoipa::path(get, path = "/content/{hash}", params(("hash" = String, Path), ("verify" = Option<bool>, Query, description = "read against the hash before the last byte is sent")),
    responses((status = 200, description = "the bytes"), (status = 206, description = "a range of them"), (status = 304), (status = 400), (status = 404), (status = 416)))]
async fn read(
    State(content): State<Content>,
    Path(hash): Path<Hash32>,
    Query(how): Query<How>,
    wire: Option<Extension<Wire>>,
    method: Method,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let found = content.files.read(hash).await?;
    let size = found.size;
    let tag = format!("\"{hash}\"");
    let mut answer = Response::new(Body::empty());
    let known = answer.headers_mut();
    known.insert(CACHE_CONTROL, FOR_EVER);
    known.insert(ETAG, value(&tag)?);
    known.insert(X_CONTENT_HASH, value(&hash.to_hex())?);
    known.insert(X_CONTENT_SIZE, HeaderValue::from(size));
    known.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if range::is_known(text(IF_NONE_MATCH), &tag) {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(answer);
    }
    // RFC 9110: a range is of GET alone.
    let asked =
        text(RANGE).filter(|_| method == Method::GET && range::allows_part(text(IF_RANGE), &tag));
    let part = match range::wanted(asked, size) {
        Wanted::Whole => 0..size,
        Wanted::Part(part) => {
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            let shown = format!("bytes {}-{}/{size}", part.start, part.end - 1);
            answer.headers_mut().insert(CONTENT_RANGE, value(&shown)?);
            part
        }
        Wanted::Unsatisfiable => return unsatisfiable(size),
    };
    let headers = answer.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
    // Not for a browser to guess a page from.
    headers.insert(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    let sampled = rand::random_ratio(1, content.check_one_in.max(1));
    if method == Method::HEAD {
        if how.verify && !content.scrub.fits(hash, &found, Speed::Full).await? {
            content.scrub.found_rotten(hash, found).await?;
            return Err(ContentError::Rotten(hash).into());
        }
    } else if part.end - part.start == size && (how.verify || sampled) {
        *answer.body_mut() = checked::body(found, hash, content.scrub.clone());
    } else {
        *answer.body_mut() = sent(&found, part, wire.map(|Extension(wire)| wire));
    }
    Ok(answer)
}

/// How content is read.
#[derive(serde::Deserialize)]
struct How {
    #[serde(default)]
    verify: bool,
}

fn unsatisfiable(size: u64) -> ApiResult<Response> {
    let mut problem = tana_protocol::Problem::new(
        Code::OutOfRange,
        format!("the content has {size} bytes; the range lies behind them"),
    );
    problem.status = StatusCode::RANGE_NOT_SATISFIABLE.as_u16();
    let mut response = ApiError::from(problem).into_response();
    let shown = value(&format!("bytes */{size}"))?;
    response.headers_mut().insert(CONTENT_RANGE, shown);
    Ok(response)
}

fn value(text: &str) -> ApiResult<HeaderValue> {
    HeaderValue::from_str(text).map_err(|error| ApiError::internal(&error))
}

#[utoipa::path(delete, path = "/content/{hash}", params(("hash" = String, Path)),
    responses((status = 200, description = "deleted"), (status = 401), (status = 403), (status = 404)))]
async fn delete(
    State(content): State<Content>,
    Path(hash): Path<Hash32>,
) -> ApiResult<Json<Deleted>> {
    content.files.delete(hash).await?;
    tracing::info!(%hash, "content deleted");
    Ok(Json(Deleted {
        hash,
        deleted: true,
    }))
}

#[utoipa::path(get, path = "/content", params(("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "what there is, in the order of hashes"), (status = 400), (status = 401), (status = 403)))]
async fn list(State(content): State<Content>, page: PageQuery) -> ApiResult<Paged<Listed>> {
    let after: Option<Hash32> = page.cursor()?;
    let limit = page.limit as usize;
    let wanted = limit + page.offset as usize;
    // One more says whether there is a next page.
    let mut found = content.files.list(after, wanted + 1).await?;
    let more = found.len() > wanted;
    found.truncate(wanted);
    let next = found
        .last()
        .filter(|_| more)
        .map(|last| last.hash.to_string());
    let items = found.split_off(found.len().min(page.offset as usize));
    Ok(page.answer(items, next))
}

#[utoipa::path(get, path = "/info", responses((status = 200, description = "how much there is, what has rotted, the reading against the hashes")))]
async fn info(State(content): State<Content>) -> ApiResult<Json<StoreInfo>> {
    let files = content.files.clone();
    let quarantined = files::blocking(move || files.quarantined()).await?;
    Ok(Json(StoreInfo {
        service: "t4".to_owned(),
        count: content.files.count(),
        bytes: content.files.room().used(),
        quota_bytes: content.files.room().quota(),
        max_bytes: content.max_bytes,
        quarantined,
        scrub: content.scrub.info(),
    }))
}

#[utoipa::path(post, path = "/scrub", responses((status = 200, description = "all content is being read against its hash"), (status = 401), (status = 403)))]
async fn begin_scrub(State(content): State<Content>) -> ApiResult<Json<StoreInfo>> {
    content.scrub.begin();
    info(State(content)).await
}

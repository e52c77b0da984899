//! The page at `/`: how a site uses this service, without anything to build. Its files are `identity/page/`.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::HeaderValue;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use qrcode::{Color, EcLevel, QrCode};
use tana_kit::{ApiError, ApiResult, Path};

use super::super::error::IdentityError;
use super::super::service::Identity;

/// Only what this service itself serves runs, is shown and is asked; nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Light modules around a code, as its standard wants them.
const QUIET: usize = 4;

pub(super) fn router() -> Router<Identity> {
    let html = include_str!("../page/page.html");
    let css = include_str!("../page/page.css");
    let script = include_str!("../page/page.js");
    Router::new()
        .route("/", get(move || file("text/html; charset=utf-8", html)))
        .route("/page.css", get(move || file("text/css", css)))
        .route("/page.js", get(move || file("text/javascript", script)))
}

async fn file(kind: &'static str, text: &'static str) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[utoipa::path(get, path = "/auth/session/{id}/qr.svg", operation_id = "sessionQr", params(("id" = String, Path, description = "either id of the session")),
    responses((status = 200, description = "the session's QR code as a picture", content_type = "image/svg+xml"), (status = 404), (status = 409), (status = 410)))]
pub(super) async fn session_qr(
    State(identity): State<Identity>,
    Path(id): Path<String>,
) -> ApiResult<Response> {
    let data = identity.qr_data(&id).await?;
    let picture = svg(&tana_protocol::json::compact(&data)).map_err(|error| {
        ApiError::from(IdentityError::Malformed(format!(
            "what the code would say does not fit into one: {error}"
        )))
    })?;
    let mut response = picture.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// A QR code: a square for each dark module. Black on white whatever the page's colours are: that is what phones read.
fn svg(text: &str) -> Result<String, qrcode::types::QrError> {
    use std::fmt::Write as _;
    let code = QrCode::with_error_correction_level(text, EcLevel::M)?;
    let width = code.width();
    let whole = width + 2 * QUIET;
    let mut path = String::new();
    for (n, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let (x, y) = (n % width + QUIET, n / width + QUIET);
            // Writing to a text never fails.
            let _written = write!(path, "M{x} {y}h1v1h-1z");
        }
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{size}\" height=\"{size}\" viewBox=\"0 0 {whole} {whole}\" \
         shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{whole}v{whole}H0z\"/><path d=\"{path}\"/></svg>",
        size = whole * 4,
    ))
}

//! The queue and its dead letters.

use axum::extract::State;
use http::StatusCode;
use tana_kit::{ApiResult, Json, PageQuery, Path};
use tana_protocol::api::ledger::{DeadLetterDropped, DeadLetterView, QueueView, Submitted};

use super::intake::status_of;
use super::lists::named;
use crate::ledger::error::LedgerError;
use crate::ledger::service::Ledger;
use crate::ledger::views;

#[utoipa::path(get, path = "/queue", responses((status = 200, description = "how the queue is")))]
pub(super) async fn queue(State(ledger): State<Ledger>) -> ApiResult<Json<QueueView>> {
    Ok(Json(ledger.queue_view().await?))
}

#[utoipa::path(get, path = "/queue/dead", params(("limit" = Option<u32>, Query)),
    responses((status = 200, description = "accepted transactions that no block can take, the last first"), (status = 400), (status = 503)))]
pub(super) async fn dead_letters(
    State(ledger): State<Ledger>,
    page: PageQuery,
) -> ApiResult<Json<Vec<DeadLetterView>>> {
    Ok(Json(ledger.dead_letters(page.limit).await?))
}

#[utoipa::path(get, path = "/queue/dead/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "the dead letter and why no block can take it"), (status = 404), (status = 503)))]
pub(super) async fn dead_letter(
    State(ledger): State<Ledger>,
    Path(id): Path<String>,
) -> ApiResult<Json<DeadLetterView>> {
    let letter = ledger.dead_letter(&named("dead letter", &id)?).await?;
    Ok(Json(views::dead_letter(letter)))
}

#[utoipa::path(post, path = "/queue/dead/{id}/retry", params(("id" = String, Path)),
    responses((status = 202, description = "queued again"), (status = 200, description = "it is queued or in a block"), (status = 401),
    (status = 403), (status = 404), (status = 422, description = "it still breaks a rule, and stays where it is"), (status = 429), (status = 503)))]
pub(super) async fn retry(
    State(ledger): State<Ledger>,
    Path(id): Path<String>,
) -> ApiResult<(StatusCode, Json<Submitted>)> {
    let letter = ledger.dead_letter(&named("dead letter", &id)?).await?;
    let accepted = ledger.retry(&letter).await?;
    Ok((status_of(&accepted), Json(views::submitted(accepted))))
}

#[utoipa::path(delete, path = "/queue/dead/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "it is gone"), (status = 401), (status = 403), (status = 404), (status = 503)))]
pub(super) async fn drop_dead(
    State(ledger): State<Ledger>,
    Path(id): Path<String>,
) -> ApiResult<Json<DeadLetterDropped>> {
    let letter = ledger.dead_letter(&named("dead letter", &id)?).await?;
    let dropped = ledger.queue().drop_dead(&letter.id).await;
    let dropped = dropped.map_err(LedgerError::from)?;
    tracing::info!("dead letter {} was dropped: {}", letter.id, letter.reason);
    Ok(Json(DeadLetterDropped {
        id: letter.id,
        dropped,
    }))
}

//! The queue and its dead letters.

use axum::extract::State;
use tana_kit::{ApiResult, Json, PageQuery, Path};
use tana_protocol::api::ledger::{DeadLetterView, QueueView};

use super::lists::named;
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

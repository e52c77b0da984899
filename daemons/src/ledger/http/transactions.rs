//! Transactions, in blocks and waiting.

use axum::extract::State;
use serde::Deserialize;
use tana_kit::{ApiError, ApiResult, Json, PageQuery, Paged, Path, Query};
use tana_protocol::api::ledger::{InclusionView, Pending, TransactionStatus, TransactionView};
use tana_protocol::problem::Code;
use tana_protocol::transaction::Party;
use tana_protocol::{TransactionType, UserId};
use tana_store::ledger::TransactionFilter;

use super::lists::{named, paged, slice};
use crate::ledger::error::LedgerError;
use crate::ledger::service::Ledger;
use crate::ledger::views;

#[derive(Deserialize)]
pub(super) struct Filter {
    account: Option<String>,
    #[serde(rename = "type")]
    kind: Option<TransactionType>,
    status: Option<TransactionStatus>,
}

#[utoipa::path(get, path = "/transactions", params(("account" = Option<String>, Query), ("type" = Option<String>, Query),
    ("status" = Option<String>, Query), ("limit" = Option<u32>, Query), ("offset" = Option<u32>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "transactions, newest first"), (status = 400)))]
pub(super) async fn transactions(
    State(ledger): State<Ledger>,
    Query(filter): Query<Filter>,
    page: PageQuery,
) -> ApiResult<Paged<TransactionView>> {
    if filter.status == Some(TransactionStatus::Queued) {
        let pending = ledger.pending(page.limit).await?;
        return Ok(page.answer(pending.transactions, None));
    }
    let account = match &filter.account {
        None => None,
        Some(text) => {
            let party: Party = text
                .parse()
                .map_err(|error| ApiError::new(Code::Malformed, format!("account: {error}")))?;
            match ledger.account(&party).await? {
                Some(id) => Some(id),
                None => return Ok(page.answer(Vec::new(), None)),
            }
        }
    };
    list(&ledger, &page, account, &filter).await
}

async fn list(
    ledger: &Ledger,
    page: &PageQuery,
    account: Option<UserId>,
    filter: &Filter,
) -> ApiResult<Paged<TransactionView>> {
    let filter = TransactionFilter {
        account,
        kind: filter.kind,
        status: filter.status,
    };
    let found = ledger.store().transactions(filter, slice(page)?).await;
    let found = found.map_err(LedgerError::from)?;
    let place = |record: &tana_store::ledger::TransactionRecord| record.seq.to_string();
    Ok(paged(page, found, place, views::transaction))
}

#[utoipa::path(get, path = "/transactions/account/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "transactions from and to an account, newest first"), (status = 400), (status = 404)))]
pub(super) async fn account_transactions(
    State(ledger): State<Ledger>,
    Path(id): Path<String>,
    Query(filter): Query<Filter>,
    page: PageQuery,
) -> ApiResult<Paged<TransactionView>> {
    let party: Party = named("account", &id)?;
    let account = ledger.account(&party).await?;
    let account = account.ok_or_else(|| LedgerError::not_found(format!("account {party}")))?;
    list(&ledger, &page, Some(account), &filter).await
}

#[utoipa::path(get, path = "/users/{id}/transactions", params(("id" = String, Path)),
    responses((status = 200, description = "a user's transactions, newest first"), (status = 400), (status = 404)))]
pub(super) async fn user_transactions(
    State(ledger): State<Ledger>,
    Path(id): Path<String>,
    Query(filter): Query<Filter>,
    page: PageQuery,
) -> ApiResult<Paged<TransactionView>> {
    let id: UserId = named("user", &id)?;
    ledger.user_state(id).await?;
    list(&ledger, &page, Some(id), &filter).await
}

#[utoipa::path(get, path = "/transactions/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "the transaction and what became of it"), (status = 404)))]
pub(super) async fn transaction(
    State(ledger): State<Ledger>,
    Path(id): Path<String>,
) -> ApiResult<Json<TransactionView>> {
    Ok(Json(ledger.transaction(&named("transaction", &id)?).await?))
}

#[utoipa::path(get, path = "/transactions/{id}/proof", params(("id" = String, Path)),
    responses((status = 200, description = "the path from the transaction to its block's transaction root"), (status = 404)))]
pub(super) async fn inclusion(
    State(ledger): State<Ledger>,
    Path(id): Path<String>,
) -> ApiResult<Json<InclusionView>> {
    Ok(Json(ledger.inclusion(&named("transaction", &id)?).await?))
}

#[utoipa::path(get, path = "/transactions/pending", responses((status = 200, description = "what waits, the first first"), (status = 400)))]
pub(super) async fn pending_list(
    State(ledger): State<Ledger>,
    page: PageQuery,
) -> ApiResult<Json<Vec<TransactionView>>> {
    Ok(Json(ledger.pending(page.limit).await?.transactions))
}

#[utoipa::path(get, path = "/pending", responses((status = 200, description = "how many wait, and the first of them"), (status = 400)))]
pub(super) async fn pending(
    State(ledger): State<Ledger>,
    page: PageQuery,
) -> ApiResult<Json<Pending>> {
    Ok(Json(ledger.pending(page.limit).await?))
}

//! Transactions, in blocks, waiting, and those that no block can take.

use axum::extract::State;
use serde::Deserialize;
use tana_kit::{ApiError, ApiResult, Json, PageQuery, Paged, Path, Query};
use tana_protocol::api::ledger::{InclusionView, Pending, TransactionStatus, TransactionView};
use tana_protocol::problem::Code;
use tana_protocol::transaction::Party;
use tana_protocol::{TransactionType, UserId};
use tana_store::ledger::{Slice, TransactionRecord};
use tana_store::queue::StreamId;

use super::lists::{Place, named, paged, slice};
use crate::ledger::error::LedgerError;
use crate::ledger::service::Ledger;
use crate::ledger::transactions::{Account, Wanted};
use crate::ledger::views;

#[derive(Deserialize)]
pub(super) struct Filter {
    account: Option<String>,
    #[serde(rename = "type")]
    kind: Option<TransactionType>,
    status: Option<TransactionStatus>,
}

#[utoipa::path(get, path = "/transactions", params(("account" = Option<String>, Query), ("type" = Option<String>, Query),
    ("status" = Option<String>, Query, description = "`queued`: what waits; `failed`: dead letters too; absent: what is in blocks"),
    ("limit" = Option<u32>, Query), ("offset" = Option<u32>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "transactions, newest first; go on where there is a Link, also where the page is not full"), (status = 400)))]
pub(super) async fn transactions(
    State(ledger): State<Ledger>,
    Query(filter): Query<Filter>,
    page: PageQuery,
) -> ApiResult<Paged<TransactionView>> {
    let account = match &filter.account {
        None => None,
        Some(text) => {
            let party: Party = text
                .parse()
                .map_err(|error| ApiError::new(Code::Malformed, format!("account: {error}")))?;
            Some(ledger.account(&party).await?)
        }
    };
    list(&ledger, &page, account, &filter).await
}

async fn list(
    ledger: &Ledger,
    page: &PageQuery,
    account: Option<Account>,
    filter: &Filter,
) -> ApiResult<Paged<TransactionView>> {
    let wanted = Wanted {
        account,
        kind: filter.kind,
    };
    match filter.status {
        Some(TransactionStatus::Queued) => {
            let (found, next) = ledger.waiting(&wanted, slice(page)?).await?;
            Ok(page.answer(found, next.map(|place| place.to_string())))
        }
        Some(TransactionStatus::Failed) => {
            let Slice {
                after,
                offset,
                limit,
            } = slice::<Place<u64, StreamId>>(page)?;
            let slice = Slice {
                after: after.map(|place| place.0),
                offset,
                limit,
            };
            let (found, next) = ledger.failed(&wanted, slice).await?;
            Ok(page.answer(found, next.map(|(seq, grave)| format!("{seq}.{grave}"))))
        }
        status => {
            let found = ledger.in_blocks(&wanted, status, slice(page)?).await?;
            let place = |record: &TransactionRecord| record.seq.to_string();
            Ok(paged(page, found, place, views::transaction))
        }
    }
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
    if account.id.is_none() {
        return Err(LedgerError::not_found(format!("account {party}")).into());
    }
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
    let account = Account::of(id, ledger.user_state(id).await?);
    list(&ledger, &page, Some(account), &filter).await
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

//! Contracts and what they store.

use std::collections::BTreeMap;

use axum::extract::State;
use tana_kit::{ApiResult, Json, PageQuery, Paged, Path};
use tana_protocol::api::ledger::ContractView;
use tana_protocol::{ContractId, Timestamp, UserId};
use tana_store::ledger::Slice;

use super::lists::{Place, named, paged};
use crate::ledger::error::LedgerError;
use crate::ledger::service::Ledger;
use crate::ledger::views;

#[utoipa::path(get, path = "/contracts", responses((status = 200, description = "contracts without their source, newest first"), (status = 400)))]
pub(super) async fn contracts(
    State(ledger): State<Ledger>,
    page: PageQuery,
) -> ApiResult<Paged<ContractView>> {
    list_contracts(&ledger, &page, None).await
}

async fn list_contracts(
    ledger: &Ledger,
    page: &PageQuery,
    owner: Option<UserId>,
) -> ApiResult<Paged<ContractView>> {
    let after = page.cursor::<Place<u64, ContractId>>()?;
    let slice = Slice {
        after: after.map(|Place((at, id))| (Timestamp::from_ms(at), id)),
        offset: page.offset,
        limit: page.limit,
    };
    let found = ledger.store().contracts(owner, slice).await;
    let found = found.map_err(LedgerError::from)?;
    let place = |record: &tana_store::ledger::ContractRecord| {
        format!("{}.{}", record.state.created_at.ms(), record.id)
    };
    Ok(paged(page, found, place, |record| {
        views::contract(record.id, record.state)
    }))
}

#[utoipa::path(get, path = "/contracts/owner/{id}", params(("id" = String, Path)), responses((status = 200, description = "a user's contracts, newest first"), (status = 404)))]
pub(super) async fn owner_contracts(
    State(ledger): State<Ledger>,
    Path(id): Path<String>,
    page: PageQuery,
) -> ApiResult<Paged<ContractView>> {
    let id = named("user", &id)?;
    ledger.user_state(id).await?;
    list_contracts(&ledger, &page, Some(id)).await
}

#[utoipa::path(get, path = "/contracts/{id}", params(("id" = String, Path)), responses((status = 200, description = "the contract with its source"), (status = 404)))]
pub(super) async fn contract(
    State(ledger): State<Ledger>,
    Path(id): Path<String>,
) -> ApiResult<Json<ContractView>> {
    Ok(Json(ledger.contract(named("contract", &id)?).await?))
}

#[utoipa::path(get, path = "/contracts/name/{name}", params(("name" = String, Path)), responses((status = 200, description = "the contract that answers to the name, with its source"), (status = 404)))]
pub(super) async fn contract_named(
    State(ledger): State<Ledger>,
    Path(name): Path<String>,
) -> ApiResult<Json<ContractView>> {
    Ok(Json(
        ledger.contract_named(named("contract", &name)?).await?,
    ))
}

#[utoipa::path(get, path = "/contracts/{id}/data", params(("id" = String, Path)), responses((status = 200, description = "all that the contract has stored: texts by key"), (status = 404)))]
pub(super) async fn contract_data(
    State(ledger): State<Ledger>,
    Path(id): Path<String>,
) -> ApiResult<Json<BTreeMap<String, String>>> {
    Ok(Json(ledger.contract_data(named("contract", &id)?).await?))
}

//! Users, what they have, and of what.

use axum::extract::State;
use serde::Deserialize;
use tana_kit::{ApiResult, Json, PageQuery, Paged, Path, Query};
use tana_protocol::api::ledger::{BalanceView, CurrencyView, NonceView, OwnerType, UserView};
use tana_protocol::{CurrencyCode, Timestamp, UserId};
use tana_store::ledger::{BalanceFilter, Slice};

use super::lists::{Place, named, paged};
use crate::ledger::error::LedgerError;
use crate::ledger::service::Ledger;

#[utoipa::path(get, path = "/users", responses((status = 200, description = "users, newest first"), (status = 400)))]
pub(super) async fn users(
    State(ledger): State<Ledger>,
    page: PageQuery,
) -> ApiResult<Paged<UserView>> {
    let after = page.cursor::<Place<u64, UserId>>()?;
    let slice = Slice {
        after: after.map(|Place((ms, id))| (Timestamp::from_ms(ms), id)),
        offset: page.offset,
        limit: page.limit,
    };
    let found = ledger.store().users(slice).await;
    let found = found.map_err(LedgerError::from)?;
    let network = ledger.spec().network;
    let place = |record: &tana_store::ledger::UserRecord| {
        format!("{}.{}", record.state.created_at.ms(), record.id)
    };
    Ok(paged(&page, found, place, |record| {
        UserView::of(record.id, record.state, network)
    }))
}

#[utoipa::path(get, path = "/users/{id}", params(("id" = String, Path)), responses((status = 200, description = "the user"), (status = 404)))]
pub(super) async fn user(
    State(ledger): State<Ledger>,
    Path(id): Path<String>,
) -> ApiResult<Json<UserView>> {
    Ok(Json(ledger.user(named("user", &id)?).await?))
}

#[utoipa::path(get, path = "/users/username/{name}", params(("name" = String, Path)), responses((status = 200, description = "the user"), (status = 404)))]
pub(super) async fn user_named(
    State(ledger): State<Ledger>,
    Path(name): Path<String>,
) -> ApiResult<Json<UserView>> {
    Ok(Json(ledger.user_named(named("user", &name)?).await?))
}

#[utoipa::path(get, path = "/users/publicKey/{key}", params(("key" = String, Path)), responses((status = 200, description = "the user"), (status = 404)))]
pub(super) async fn user_with_key(
    State(ledger): State<Ledger>,
    Path(key): Path<String>,
) -> ApiResult<Json<UserView>> {
    Ok(Json(
        ledger
            .user_with_key(named("user with the key", &key)?)
            .await?,
    ))
}

#[utoipa::path(get, path = "/users/{id}/nonce", params(("id" = String, Path)), responses((status = 200, description = "what the next transaction carries"), (status = 404)))]
pub(super) async fn nonce(
    State(ledger): State<Ledger>,
    Path(id): Path<String>,
) -> ApiResult<Json<NonceView>> {
    Ok(Json(ledger.nonce(named("user", &id)?).await?))
}

#[utoipa::path(get, path = "/users/{id}/balances", params(("id" = String, Path)), responses((status = 200, description = "what the user has"), (status = 404)))]
pub(super) async fn user_balances(
    State(ledger): State<Ledger>,
    Path(id): Path<String>,
) -> ApiResult<Json<Vec<BalanceView>>> {
    Ok(Json(ledger.balances_of(named("user", &id)?).await?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Balances {
    owner_id: Option<UserId>,
    owner_type: Option<OwnerType>,
    currency_code: Option<CurrencyCode>,
}

#[utoipa::path(get, path = "/balances", params(("ownerId" = Option<String>, Query), ("ownerType" = Option<String>, Query),
    ("currencyCode" = Option<String>, Query)), responses((status = 200, description = "balances by owner and currency"), (status = 400)))]
pub(super) async fn balances(
    State(ledger): State<Ledger>,
    Query(query): Query<Balances>,
    page: PageQuery,
) -> ApiResult<Paged<BalanceView>> {
    let filter = BalanceFilter {
        owner: query.owner_id,
        owner_type: query.owner_type,
        currency: query.currency_code,
    };
    let slice = Slice {
        after: page
            .cursor::<Place<UserId, CurrencyCode>>()?
            .map(|place| place.0),
        offset: page.offset,
        limit: page.limit,
    };
    let found = ledger.balances(&filter, slice).await?;
    if filter.owner.is_some() && filter.owner_type.is_some() && filter.currency.is_some() {
        // There is this one, and nothing after it.
        return Ok(page.answer(found, None));
    }
    let place = |view: &BalanceView| format!("{}.{}", view.owner_id, view.currency_code);
    Ok(paged(&page, found, place, |view| view))
}

#[utoipa::path(get, path = "/currencies", responses((status = 200, description = "all currencies")))]
pub(super) async fn currencies(State(ledger): State<Ledger>) -> ApiResult<Json<Vec<CurrencyView>>> {
    Ok(Json(ledger.currencies().await?))
}

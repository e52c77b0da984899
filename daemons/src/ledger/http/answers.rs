//! What goes out: single things and lists.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use tana_kit::{ApiError, ApiResult, Json, PageQuery, Paged, Path, Query};
use tana_protocol::api::ledger::{
    BalanceView, BlockVerification, BlockView, ChainInfo, ContractView, CurrencyView,
    DeadLetterView, NonceView, OwnerType, Pending, QueueView, TransactionStatus, TransactionView,
    UserView,
};
use tana_protocol::problem::Code;
use tana_protocol::transaction::Party;
use tana_protocol::{ContractId, CurrencyCode, StateKey, Timestamp, TransactionType, UserId};
use tana_store::ledger::{BalanceFilter, BlockRef, Slice, TransactionFilter};

use crate::ledger::error::LedgerError;
use crate::ledger::service::Ledger;
use crate::ledger::views;

/// Parses a part of the path; a text that can be no such thing names none.
fn named<T: std::str::FromStr>(what: &str, text: &str) -> Result<T, LedgerError> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(80).collect();
        LedgerError::not_found(format!("{what} {shown:?}"))
    })
}

fn slice<C: std::str::FromStr>(page: &PageQuery) -> ApiResult<Slice<C>> {
    Ok(Slice {
        after: page.cursor()?,
        offset: page.offset,
        limit: page.limit,
    })
}

/// A page and where the next one begins: after its last entry, where it is full.
fn paged<T, V>(
    page: &PageQuery,
    items: Vec<T>,
    place: impl Fn(&T) -> String,
    view: impl Fn(T) -> V,
) -> Paged<V> {
    let full = items.len() >= page.limit as usize;
    let next = items.last().filter(|_| full).map(place);
    page.answer(items.into_iter().map(view).collect(), next)
}

#[utoipa::path(get, path = "/info", responses((status = 200, description = "which chain this is, how high, and who produces its blocks")))]
pub(super) async fn info(State(ledger): State<Ledger>) -> Json<ChainInfo> {
    Json(ledger.info())
}

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

/// Where a page ended in an order of two columns: `<first>.<second>`.
struct Place<A, B>((A, B));

impl<A: std::str::FromStr, B: std::str::FromStr> std::str::FromStr for Place<A, B> {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (first, second) = text.split_once('.').ok_or(())?;
        let first = first.parse().map_err(|_| ())?;
        Ok(Self((first, second.parse().map_err(|_| ())?)))
    }
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
    let place = |view: &BalanceView| format!("{}.{}", view.owner_id, view.currency_code);
    Ok(paged(&page, found, place, |view| view))
}

#[utoipa::path(get, path = "/currencies", responses((status = 200, description = "all currencies")))]
pub(super) async fn currencies(State(ledger): State<Ledger>) -> ApiResult<Json<Vec<CurrencyView>>> {
    Ok(Json(ledger.currencies().await?))
}

#[utoipa::path(get, path = "/blocks", responses((status = 200, description = "blocks without their bodies, newest first"), (status = 400)))]
pub(super) async fn blocks(
    State(ledger): State<Ledger>,
    page: PageQuery,
) -> ApiResult<Paged<BlockView>> {
    let found = ledger.store().blocks(slice(&page)?).await;
    let found = found.map_err(LedgerError::from)?;
    let place = |block: &tana_store::ledger::BlockSummary| block.header.height.to_string();
    Ok(paged(&page, found, place, views::summary))
}

#[utoipa::path(get, path = "/blocks/latest", responses((status = 200, description = "the tip, whole")))]
pub(super) async fn latest_block(State(ledger): State<Ledger>) -> ApiResult<Json<BlockView>> {
    Ok(Json(views::whole(ledger.block(BlockRef::Latest).await?)))
}

#[utoipa::path(get, path = "/blocks/hash/{hash}", params(("hash" = String, Path)), responses((status = 200, description = "the block, whole"), (status = 404)))]
pub(super) async fn block_with_hash(
    State(ledger): State<Ledger>,
    Path(hash): Path<String>,
) -> ApiResult<Json<BlockView>> {
    let hash = named("block with the hash", &hash)?;
    Ok(Json(views::whole(
        ledger.block(BlockRef::Hash(hash)).await?,
    )))
}

#[utoipa::path(get, path = "/blocks/{height}", params(("height" = u64, Path)), responses((status = 200, description = "the block, whole"), (status = 404)))]
pub(super) async fn block(
    State(ledger): State<Ledger>,
    Path(height): Path<String>,
) -> ApiResult<Json<BlockView>> {
    let block = ledger.stored(named("block", &height)?).await?;
    Ok(Json(views::whole(block)))
}

#[utoipa::path(get, path = "/blocks/{height}/verify", params(("height" = u64, Path)), responses((status = 200, description = "the six checks"), (status = 404)))]
pub(super) async fn verify(
    State(ledger): State<Ledger>,
    Path(height): Path<String>,
) -> ApiResult<Json<BlockVerification>> {
    Ok(Json(ledger.verify(named("block", &height)?).await?))
}

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

#[derive(Deserialize)]
pub(super) struct AtHeight {
    height: Option<u64>,
}

#[utoipa::path(get, path = "/proof/{key}", params(("key" = String, Path), ("height" = Option<u64>, Query)),
    responses((status = 200, description = "the value, or that there is none, with the proof against the state root"), (status = 400), (status = 404)))]
pub(super) async fn proof(
    State(ledger): State<Ledger>,
    Path(key): Path<String>,
    Query(at): Query<AtHeight>,
) -> ApiResult<Json<Value>> {
    let key: StateKey = key
        .parse()
        .map_err(|error: tana_protocol::state::StateKeyError| {
            ApiError::new(Code::Malformed, error.to_string())
        })?;
    Ok(Json(ledger.proof(&key, at.height).await?))
}

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

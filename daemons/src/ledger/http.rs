//! The ledger over HTTP: bodies in, bodies out, and which status goes with what. Submissions are in `intake`, what is
//! asked for in a module each.

mod accounts;
mod blocks;
mod contracts;
mod intake;
mod lists;
mod queue;
mod transactions;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::{delete, get, post};
use serde::Deserialize;
use tana_kit::events::{Published, Wanted};
use tana_kit::{ApiError, ApiResult, Json, LastEventId, Query, ServiceGuard};
use tana_protocol::api::content::SyncStatus;
use tana_protocol::api::ledger::event;
use tana_protocol::problem::Code;

use super::content::ContentSync;
use super::service::Ledger;

/// The largest body of a client: 500 transactions of the largest size that is allowed.
const LARGEST_SUBMISSION: usize = 10 << 20;

/// The routes.
pub(super) fn router(ledger: Ledger, guard: ServiceGuard, largest_block: usize) -> Router {
    let producers = Router::new()
        .route("/blocks", post(intake::commit))
        .route("/blocks/build", post(intake::build))
        .route("/queue/dead/{id}", delete(queue::drop_dead))
        .route("/queue/dead/{id}/retry", post(queue::retry))
        .route_layer(axum::middleware::from_fn_with_state(
            guard,
            tana_kit::auth::require,
        ))
        .layer(DefaultBodyLimit::max(largest_block));
    let submissions = Router::new()
        .route("/transactions", post(intake::transactions))
        .route("/users", post(intake::user))
        .route("/balances", post(intake::balance))
        .route("/contracts", post(intake::contract))
        .layer(DefaultBodyLimit::max(LARGEST_SUBMISSION));
    Router::new()
        .route("/info", get(blocks::info))
        .route("/transactions", get(transactions::transactions))
        .route("/transactions/pending", get(transactions::pending_list))
        .route(
            "/transactions/account/{id}",
            get(transactions::account_transactions),
        )
        .route("/transactions/{id}", get(transactions::transaction))
        .route("/transactions/{id}/proof", get(transactions::inclusion))
        .route("/pending", get(transactions::pending))
        .route("/users", get(accounts::users))
        .route("/users/{id}", get(accounts::user))
        .route("/users/username/{name}", get(accounts::user_named))
        .route("/users/publicKey/{key}", get(accounts::user_with_key))
        .route("/users/{id}/nonce", get(accounts::nonce))
        .route("/users/{id}/balances", get(accounts::user_balances))
        .route(
            "/users/{id}/transactions",
            get(transactions::user_transactions),
        )
        .route("/balances", get(accounts::balances))
        .route("/balances/currencies", get(accounts::currencies))
        .route("/currencies", get(accounts::currencies))
        .route("/blocks", get(blocks::blocks))
        .route("/blocks/latest", get(blocks::latest_block))
        .route("/blocks/hash/{hash}", get(blocks::block_with_hash))
        .route("/blocks/{height}", get(blocks::block))
        .route("/blocks/{height}/verify", get(blocks::verify))
        .route("/contracts", get(contracts::contracts))
        .route("/contracts/{id}", get(contracts::contract))
        .route("/contracts/{id}/data", get(contracts::contract_data))
        .route("/contracts/name/{name}", get(contracts::contract_named))
        .route("/contracts/owner/{id}", get(contracts::owner_contracts))
        .route("/proof/{*key}", get(blocks::proof))
        .route("/queue", get(queue::queue))
        .route("/queue/dead", get(queue::dead_letters))
        .route("/queue/dead/{id}", get(queue::dead_letter))
        .route("/events", get(events))
        .merge(submissions)
        .merge(producers)
        .with_state(ledger)
}

/// The routes about content.
pub(super) fn content(sync: ContentSync) -> Router {
    Router::new()
        .route("/content/status", get(content_status))
        .with_state(sync)
}

#[utoipa::path(get, path = "/content/status", responses((status = 200, description = "what the chain refers to and this node lacks, and from where it comes")))]
async fn content_status(State(sync): State<ContentSync>) -> Json<SyncStatus> {
    Json(sync.status())
}

/// The document at `/openapi.json`.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Tana ledger",
        description = "The chain: users, balances, transactions, blocks, proofs"
    ),
    paths(
        intake::transactions,
        intake::user,
        intake::balance,
        intake::contract,
        intake::build,
        intake::commit,
        blocks::info,
        transactions::transactions,
        transactions::pending_list,
        transactions::account_transactions,
        transactions::transaction,
        transactions::inclusion,
        transactions::pending,
        accounts::users,
        accounts::user,
        accounts::user_named,
        accounts::user_with_key,
        accounts::nonce,
        accounts::user_balances,
        transactions::user_transactions,
        accounts::balances,
        accounts::currencies,
        blocks::blocks,
        blocks::latest_block,
        blocks::block_with_hash,
        blocks::block,
        blocks::verify,
        contracts::contracts,
        contracts::contract,
        contracts::contract_named,
        contracts::contract_data,
        contracts::owner_contracts,
        blocks::proof,
        queue::queue,
        queue::dead_letters,
        queue::dead_letter,
        queue::retry,
        queue::drop_dead,
        content_status,
        events
    )
)]
pub(super) struct ApiDoc;

#[derive(Deserialize)]
struct Events {
    /// Names of events with commas between them; absent: all.
    only: Option<String>,
}

#[utoipa::path(get, path = "/events", params(("only" = Option<String>, Query, description = "such as `block,queue`; absent: all")),
    responses((status = 200, description = "blocks, transactions and the queue's length as server-sent events"), (status = 400)))]
async fn events(
    State(ledger): State<Ledger>,
    Query(Events { only }): Query<Events>,
    last: LastEventId,
) -> ApiResult<Response> {
    let Some(only) = only else {
        return Ok(ledger.hub().stream(&last));
    };
    let named = |name: &str| event::ALL.into_iter().find(|event| *event == name);
    let only: Option<Vec<&str>> = only.split(',').map(|name| named(name.trim())).collect();
    let only = only.ok_or_else(|| {
        let wanted = event::ALL.join(", ");
        ApiError::new(
            Code::Malformed,
            format!("only names events with commas between them; there are {wanted}"),
        )
    })?;
    let wanted = move |event: &Published| {
        if only.contains(&event.name()) {
            Wanted::Yes
        } else {
            Wanted::No
        }
    };
    Ok(ledger.hub().stream_where(&last, wanted))
}

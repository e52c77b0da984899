//! The ledger over HTTP: bodies in, bodies out, and which status goes with what. Submissions are in `intake`, lists and
//! single things in `answers`.

mod answers;
mod intake;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::{delete, get, post};
use tana_kit::{Json, LastEventId, ServiceGuard};
use tana_protocol::api::content::SyncStatus;

use super::content::ContentSync;
use super::service::Ledger;

/// The largest body of a client: 500 transactions of the largest size that is allowed.
const LARGEST_SUBMISSION: usize = 10 << 20;

/// The routes.
pub(super) fn router(ledger: Ledger, guard: ServiceGuard, largest_block: usize) -> Router {
    let producers = Router::new()
        .route("/blocks", post(intake::commit))
        .route("/blocks/build", post(intake::build))
        .route("/queue/dead/{id}", delete(intake::drop_dead))
        .route("/queue/dead/{id}/retry", post(intake::retry))
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
        .route("/info", get(answers::info))
        .route("/transactions", get(answers::transactions))
        .route("/transactions/pending", get(answers::pending_list))
        .route(
            "/transactions/account/{id}",
            get(answers::account_transactions),
        )
        .route("/transactions/{id}", get(answers::transaction))
        .route("/pending", get(answers::pending))
        .route("/users", get(answers::users))
        .route("/users/{id}", get(answers::user))
        .route("/users/username/{name}", get(answers::user_named))
        .route("/users/publicKey/{key}", get(answers::user_with_key))
        .route("/users/{id}/nonce", get(answers::nonce))
        .route("/users/{id}/balances", get(answers::user_balances))
        .route("/users/{id}/transactions", get(answers::user_transactions))
        .route("/balances", get(answers::balances))
        .route("/balances/currencies", get(answers::currencies))
        .route("/currencies", get(answers::currencies))
        .route("/blocks", get(answers::blocks))
        .route("/blocks/latest", get(answers::latest_block))
        .route("/blocks/hash/{hash}", get(answers::block_with_hash))
        .route("/blocks/{height}", get(answers::block))
        .route("/blocks/{height}/verify", get(answers::verify))
        .route("/contracts", get(answers::contracts))
        .route("/contracts/{id}", get(answers::contract))
        .route("/contracts/{id}/data", get(answers::contract_data))
        .route("/contracts/name/{name}", get(answers::contract_named))
        .route("/contracts/owner/{id}", get(answers::owner_contracts))
        .route("/proof/{*key}", get(answers::proof))
        .route("/queue", get(answers::queue))
        .route("/queue/dead", get(answers::dead_letters))
        .route("/queue/dead/{id}", get(answers::dead_letter))
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
        intake::retry,
        intake::drop_dead,
        answers::info,
        answers::transactions,
        answers::pending_list,
        answers::account_transactions,
        answers::transaction,
        answers::pending,
        answers::users,
        answers::user,
        answers::user_named,
        answers::user_with_key,
        answers::nonce,
        answers::user_balances,
        answers::user_transactions,
        answers::balances,
        answers::currencies,
        answers::blocks,
        answers::latest_block,
        answers::block_with_hash,
        answers::block,
        answers::verify,
        answers::contracts,
        answers::contract,
        answers::contract_named,
        answers::contract_data,
        answers::owner_contracts,
        answers::proof,
        answers::queue,
        answers::dead_letters,
        answers::dead_letter,
        content_status,
        events
    )
)]
pub(super) struct ApiDoc;

#[utoipa::path(get, path = "/events", responses((status = 200, description = "blocks, transactions and the queue's length as server-sent events")))]
async fn events(State(ledger): State<Ledger>, last: LastEventId) -> Response {
    ledger.hub().stream(&last)
}

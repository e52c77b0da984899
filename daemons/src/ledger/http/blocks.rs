//! The chain itself: what it is, its blocks, proofs.

use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use tana_kit::{ApiError, ApiResult, Json, PageQuery, Paged, Path, Query};
use tana_protocol::StateKey;
use tana_protocol::api::ledger::{BlockVerification, BlockView, ChainInfo};
use tana_protocol::problem::Code;
use tana_store::ledger::BlockRef;

use super::lists::{named, paged, slice};
use crate::ledger::error::LedgerError;
use crate::ledger::service::Ledger;
use crate::ledger::views;

#[utoipa::path(get, path = "/info", responses((status = 200, description = "which chain this is, how high, and who produces its blocks")))]
pub(super) async fn info(State(ledger): State<Ledger>) -> Json<ChainInfo> {
    Json(ledger.info())
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

#[utoipa::path(get, path = "/blocks/{height}/verify", params(("height" = u64, Path)), responses((status = 200, description = "the six checks"), (status = 404), (status = 503, description = "many verifications wait already")))]
pub(super) async fn verify(
    State(ledger): State<Ledger>,
    Path(height): Path<String>,
) -> ApiResult<Json<BlockVerification>> {
    Ok(Json(ledger.verify(named("block", &height)?).await?))
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

//! Opens the transaction queue that the settings name, for the ledger and the producer alike.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tana_store::queue::TxQueue;
use tana_store::redis::RedisQueue;
use tana_store::sqlite::{Durability, SqliteQueue};

/// The queue: on a Redis where there is an address, else in the file. A Redis that is away is no error here: each use of
/// the queue connects, and the readiness says how that goes.
pub(crate) async fn open(
    redis_url: Option<&str>,
    path: &Path,
    durability: Durability,
) -> anyhow::Result<Arc<dyn TxQueue>> {
    if let Some(address) = redis_url {
        let queue = RedisQueue::at(address)
            .context("REDIS_URL is no address of a Redis, such as redis://127.0.0.1:6379")?;
        return Ok(Arc::new(queue));
    }
    let path = path
        .to_str()
        .context("the path of the queue's file is not UTF-8; choose another TANA_HOME")?;
    Ok(Arc::new(SqliteQueue::open(path, durability).await?))
}

/// How the queue is, in one line for the readiness where it is not well.
pub(crate) async fn probe(queue: Arc<dyn TxQueue>) -> Result<(), String> {
    queue
        .stats()
        .await
        .map(drop)
        .map_err(|error| chain_of(&error))
}

/// An error and what caused it, in one line.
pub(crate) fn chain_of(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

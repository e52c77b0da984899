//! Opens the ledger's database and queue, and makes sure that they are this chain's.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use futures::FutureExt;
use futures::future::BoxFuture;
use tana_chain::{genesis, tree};
use tana_protocol::state::ValidatorState;
use tana_protocol::{ChainSpec, Hash32, StateKey, StateValue};
use tana_store::ledger::{BlockRef, Commit, LedgerStore, Tip};
use tana_store::postgres::PostgresLedger;
use tana_store::queue::TxQueue;
use tana_store::sqlite::{Durability, SqliteLedger};

use super::config::Config;
use super::load;

/// What was opened, and how it is closed.
pub(super) struct Opened {
    pub(super) store: Arc<dyn LedgerStore>,
    pub(super) queue: Arc<dyn TxQueue>,
    pub(super) close: BoxFuture<'static, ()>,
}

pub(super) async fn open(config: &Config) -> anyhow::Result<Opened> {
    let (store, close_store) = open_store(&config.database_url).await?;
    let redis_url = config.redis_url.as_deref();
    let queue = crate::queue::open(redis_url, &config.queue_path, Durability::Full).await?;
    let closed_queue = queue.clone();
    Ok(Opened {
        store,
        queue,
        close: async move {
            close_store.await;
            closed_queue.close().await;
        }
        .boxed(),
    })
}

/// The database that an address names, where there is one.
pub(super) async fn open_existing(
    address: &str,
) -> anyhow::Result<(Arc<dyn LedgerStore>, BoxFuture<'static, ()>)> {
    if let Some(path) = address.strip_prefix("sqlite:") {
        let path = path.trim_start_matches("//");
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        if !std::path::Path::new(path).is_file() {
            bail!("there is no database {path}; start the node once, or correct DATABASE_URL");
        }
    }
    open_store(address).await
}

/// The database that an address names, and how it is closed.
pub(super) async fn open_store(
    address: &str,
) -> anyhow::Result<(Arc<dyn LedgerStore>, BoxFuture<'static, ()>)> {
    Ok(match address.split_once(':').map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => {
            let store = PostgresLedger::open(address).await?;
            let closed = store.clone();
            (Arc::new(store), async move { closed.close().await }.boxed())
        }
        Some("sqlite") => {
            let store = SqliteLedger::open(address).await?;
            let closed = store.clone();
            (Arc::new(store), async move { closed.close().await }.boxed())
        }
        _ => bail!(
            "DATABASE_URL begins with neither sqlite: nor postgres://; the chain's data can be nowhere else"
        ),
    })
}

/// Where the chain stands.
pub(super) struct Standing {
    pub(super) genesis_hash: Hash32,
    pub(super) tip: Tip,
    pub(super) validators: ValidatorState,
}

/// Commits the genesis into an empty database; refuses the database of another chain.
pub(super) async fn stand(store: &dyn LedgerStore, spec: &ChainSpec) -> anyhow::Result<Standing> {
    let first = genesis(spec)?;
    let genesis_hash = first.block.content.hash;
    match store.block(BlockRef::Height(0)).await? {
        None => {
            store
                .commit(&Commit {
                    block: &first.block,
                    values: &first.values,
                    nodes: &first.tree.nodes,
                    parties: &[],
                })
                .await
                .context("could not write the first block")?;
            tracing::info!("chain {} begins with block {genesis_hash}", spec.chain_id);
        }
        Some(stored) if stored.content.hash != genesis_hash => bail!(
            "the database holds another chain ({}, first block {}) than the chain file says ({}, first block \
             {genesis_hash}); use the chain file that it was made with, or another database",
            stored.content.header.chain_id,
            stored.content.hash,
            spec.chain_id
        ),
        Some(_) => {}
    }
    let tip = store.tip().await?.context("the chain has no tip")?;
    Ok(Standing {
        genesis_hash,
        validators: validators(store, &tip).await?,
        tip,
    })
}

/// The validator set after the tip, proved against the tip's state root.
async fn validators(store: &dyn LedgerStore, tip: &Tip) -> anyhow::Result<ValidatorState> {
    let key = StateKey::Validators;
    let mut found = store.state(std::slice::from_ref(&key)).await?;
    let Some(StateValue::Validators(validators)) = found.remove(&key) else {
        bail!("the database has no validator set; restore it from a copy");
    };
    let height = tip.header.height;
    let nodes = load::nodes_for_proof(store, height, &key).await?;
    let proof = tree::prove(&nodes, height, &key)?;
    let value = StateValue::Validators(validators.clone()).to_json();
    tree::check_proof(tip.header.state_root, &key, Some(&value), &proof)
        .context("the stored validator set is not what the state root says; restore the database from a copy")?;
    Ok(*validators)
}

//! What the ledger takes from the settings.

use std::path::PathBuf;

use tana_home::Settings;
use tana_protocol::ChainSpec;

use super::content::ContentConfig;

/// What the daemon is built with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The chain.
    pub chain: ChainSpec,
    /// The database's address.
    pub database_url: String,
    /// The embedded queue's file.
    pub queue_path: PathBuf,
    /// Redis for the queue; `None`: embedded.
    pub redis_url: Option<String>,
    /// Queued transactions from which on more are refused.
    pub queue_limit: usize,
    /// The program that runs contracts, where the chain names an engine.
    pub runtime: PathBuf,
    /// Where content is kept and comes from.
    pub content: ContentConfig,
}

impl Config {
    /// From the settings.
    ///
    /// # Errors
    /// When there is no chain file, or it is not right.
    pub fn of(settings: &Settings) -> anyhow::Result<Self> {
        Ok(Self {
            chain: settings.chain()?,
            database_url: settings.database_url.clone(),
            queue_path: settings.queue_path.clone(),
            redis_url: settings.redis_url.clone(),
            queue_limit: usize::try_from(settings.queue_limit).unwrap_or(usize::MAX),
            runtime: crate::contracts::beside_this_program()?,
            content: ContentConfig::of(settings)?,
        })
    }
}

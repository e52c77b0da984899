//! What the mesh daemon takes from the settings.

use std::path::PathBuf;
use std::time::Duration;

use tana_home::{HomeError, KeyFile, Settings};
use tana_protocol::stake::Stake;
use tana_protocol::{PublicKey, ServiceKind};

/// How long a sovereign key that is being replaced still decides on nodes.
pub(super) const OVERLAP: Duration = Duration::from_secs(24 * 3600);
/// Nodes that wait for a sovereign at most: anybody can register.
const WAITING: u64 = 1000;
/// How long heartbeats are kept.
pub(super) const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// What the daemon is built with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its SQLite file.
    pub database: PathBuf,
    /// The first sovereign keys, and whose they are.
    pub sovereigns: Vec<(PublicKey, String)>,
    /// How long a node may be silent.
    pub offline_after: Duration,
    /// Nodes that wait for a sovereign at most.
    pub waiting: u64,
    /// Sovereigns that must agree on who is in, and on further sovereigns.
    pub threshold: usize,
    /// What a node must have on the chain before it is approved, and the ledger that knows.
    pub stake: Option<(Stake, String)>,
}

impl Config {
    /// From the settings. The first sovereign keys are those of the chain file; a coordinator that has no chain takes
    /// the home's own sovereign key.
    ///
    /// # Errors
    /// When a file is there and not right, or several chains are and none is named.
    pub fn of(settings: &Settings) -> Result<Self, HomeError> {
        let none = settings.chain_name.is_none() && settings.home.chains()?.is_empty();
        let mut sovereigns = Vec::new();
        if !none {
            for sovereign in settings.chain()?.sovereigns {
                sovereigns.push((sovereign.public_key, sovereign.username.to_string()));
            }
        } else if let Some(file) = KeyFile::find(&settings.home.sovereign_key_file())? {
            sovereigns.push((file.public_key, "this node's sovereign".to_owned()));
        }
        Ok(Self {
            database: settings.mesh_db_path.clone(),
            sovereigns,
            offline_after: settings.mesh_offline_after,
            waiting: WAITING,
            threshold: settings.mesh_threshold,
            stake: settings
                .mesh_minimum_stake
                .clone()
                .map(|stake| (stake, settings.url(ServiceKind::Ledger))),
        })
    }
}

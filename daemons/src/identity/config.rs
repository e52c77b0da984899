//! What the identity daemon takes from the settings.

use std::time::Duration;

use tana_home::{HomeError, KeyFile, PushSettings, Settings};
use tana_kit::rate::{FailureLimit, RateLimit};
use tana_protocol::node::NodeKey;
use tana_protocol::{NodeId, PublicKey, ServiceKind};

use super::tokens::TokenKey;

/// How long a QR code lives.
const CODE: Duration = Duration::from_secs(5 * 60);
/// How long a login lives.
const LOGIN: Duration = Duration::from_secs(24 * 3600);
/// How long after its answer was lost a ledger may still take a transaction: its own limit of a request.
const LOST: Duration = Duration::from_secs(30);

/// What the daemon is built with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its database's address.
    pub database: String,
    /// The ledger that is asked about users.
    pub ledger: String,
    /// Its own address, as phones reach it.
    pub server: String,
    /// What tokens are made with.
    pub key: TokenKey,
    /// Sessions of one client.
    pub rate: Option<RateLimit>,
    /// Refused logins and tokens of one client.
    pub failures: Option<FailureLimit>,
    /// Who takes notifications to phones.
    pub push: Option<PushSettings>,
    /// This node, and the key that its operator's tools sign with.
    pub operator: (NodeId, PublicKey),
    /// Schemes that a login may return to, besides http and https.
    pub schemes: Vec<String>,
    /// How long a code lives.
    pub code_lives: Duration,
    /// How long a login lives.
    pub login_lives: Duration,
    /// After this time a transaction that the ledger does not know was never handed over.
    pub lost_after: Duration,
}

impl Config {
    /// From the settings and the node's key.
    ///
    /// # Errors
    /// When there is no node key, or it is not right.
    pub fn of(settings: &Settings) -> Result<Self, HomeError> {
        let node = KeyFile::read(&settings.home.node_key_file())?;
        Ok(Self {
            database: settings.identity_db_url.clone(),
            ledger: settings.url(ServiceKind::Ledger),
            server: settings.url(ServiceKind::Identity),
            key: TokenKey::of(&node.secret_key),
            rate: RateLimit::new(settings.session_rate),
            failures: FailureLimit::new(settings.failure_rate),
            push: settings.push.clone(),
            operator: (
                settings.node_id.clone(),
                NodeKey::new(node.secret_key)
                    .service_key(ServiceKind::Identity)
                    .public(),
            ),
            schemes: settings.app_schemes.clone(),
            code_lives: CODE,
            login_lives: LOGIN,
            lost_after: LOST,
        })
    }
}

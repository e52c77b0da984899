//! Which settings hold: flags over the environment over the node's start over `config.json` over defaults.

mod source;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use tana_protocol::service::NodeRole;
use tana_protocol::stake::Stake;
use tana_protocol::{ChainSpec, NodeId, ServiceKind};

use crate::contexts::ContextSpec;
use crate::environment::Environment;
use crate::error::HomeError;
use crate::home::Home;
use crate::push::{PushProvider, PushSettings, Secret};
use crate::run_state::RunState;
use source::{Source, config_file};

/// What flags of the command line say; `None` leaves it to the rest.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--home`.
    pub home: Option<PathBuf>,
    /// `--chain`.
    pub chain: Option<String>,
    /// `--role`.
    pub role: Option<NodeRole>,
    /// `--port-offset`.
    pub port_offset: Option<u16>,
}

/// The setting `keys`: by the name of a console's action the keys that do it. Which actions and keys there are is the
/// console's to say.
#[derive(Clone, Debug, Default)]
pub struct KeyTable {
    /// Where it is from: the file, or `environment`.
    pub origin: String,
    /// Actions with their keys.
    pub changes: Vec<(String, Vec<String>)>,
}

/// The settings that hold. Made once, at the start of a program.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the node's files lie.
    pub home: Home,
    /// The chain's name where one is set; see [`Settings::chain`].
    pub chain_name: Option<String>,
    /// This node's name in the mesh.
    pub node_id: NodeId,
    /// What the node is for.
    pub role: NodeRole,
    /// What all ports are moved by.
    pub port_offset: u16,
    /// The address that the daemons bind.
    pub host: IpAddr,
    /// The ledger's database URL.
    pub database_url: String,
    /// The identity service's database URL.
    pub identity_db_url: String,
    /// Redis for the queue; `None`: embedded.
    pub redis_url: Option<String>,
    /// The mesh's SQLite file.
    pub mesh_db_path: PathBuf,
    /// The embedded queue's SQLite file.
    pub queue_path: PathBuf,
    /// Where t4 keeps content.
    pub content_dir: PathBuf,
    /// How long a node may be silent.
    pub mesh_offline_after: Duration,
    /// Between this node's heartbeats.
    pub heartbeat_interval: Duration,
    /// Sovereigns that must want a decision of the mesh.
    pub mesh_threshold: usize,
    /// What a node must have on the chain before the mesh takes its approval.
    pub mesh_minimum_stake: Option<Stake>,
    /// A service that runs and answers nothing for so long is started anew; `None`: never.
    pub hang_limit: Option<Duration>,
    /// Between two blocks at least.
    pub block_interval: Duration,
    /// After which an empty block is sealed; `None`: never.
    pub empty_block: Option<Duration>,
    /// Queued transactions from which on more are refused.
    pub queue_limit: u64,
    /// Largest content in bytes.
    pub content_max_bytes: u64,
    /// All content together, in bytes; `None`: what the disk holds.
    pub content_quota_bytes: Option<u64>,
    /// How long content that no block references is kept.
    pub content_grace: Duration,
    /// Between two readings of all content against their hashes.
    pub content_scrub_interval: Duration,
    /// Origins that browsers may call from.
    pub cors_origins: Vec<String>,
    /// Requests a second that one client may make; 0: no limit.
    pub rate_limit: u32,
    /// Login sessions a second that one client may make; 0: no limit.
    pub session_rate: u32,
    /// Refused logins and tokens a second of one client, before it has to wait; 0: no limit.
    pub failure_rate: u32,
    /// Who takes notifications to phones; `None`: nobody.
    pub push: Option<PushSettings>,
    /// URL schemes that a login may return to, besides http and https; lower case.
    pub app_schemes: Vec<String>,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub log_level: String,
    /// The console's theme.
    pub theme: String,
    /// What the console's keys are changed to.
    pub keys: KeyTable,
    /// Other nodes, by name.
    pub contexts: BTreeMap<String, ContextSpec>,
    ports: BTreeMap<ServiceKind, u16>,
    /// Ports that the offset does not move.
    fixed: BTreeMap<ServiceKind, u16>,
    urls: BTreeMap<ServiceKind, String>,
}

impl Settings {
    /// Reads them all.
    ///
    /// # Errors
    /// A sentence that names the file, the key and what would be right.
    pub fn load(overrides: &Overrides) -> Result<Self, HomeError> {
        Self::from_environment(overrides, &Environment::read()?)
    }

    /// The same with a given environment.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn from_environment(
        overrides: &Overrides,
        environment: &Environment,
    ) -> Result<Self, HomeError> {
        let home = Home::locate(overrides.home.as_deref(), environment)?;
        let source = Source {
            environment,
            file: config_file(&home)?,
            path: home.config_file(),
        };
        let run = RunState::read(&home)?;
        let mut ports = BTreeMap::new();
        for (kind, key) in [
            (ServiceKind::Ledger, "ledgerPort"),
            (ServiceKind::Identity, "identityPort"),
            (ServiceKind::Edge, "edgePort"),
            (ServiceKind::Mesh, "meshPort"),
            (ServiceKind::T4, "t4Port"),
            (ServiceKind::Producer, "producerPort"),
        ] {
            if let Some(port) = source.parse(key, "a port from 1 to 65535")? {
                ports.insert(kind, port);
            }
        }
        let mut urls = BTreeMap::new();
        for (kind, key) in [
            (ServiceKind::Mesh, "meshUrl"),
            (ServiceKind::Ledger, "ledgerUrl"),
            (ServiceKind::T4, "t4Url"),
            (ServiceKind::Identity, "identityUrl"),
        ] {
            if let Some(url) = source.checked(key, "an http:// or https:// address", |url| {
                url.starts_with("http://") || url.starts_with("https://")
            })? {
                urls.insert(kind, url.trim_end_matches('/').to_owned());
            }
        }
        let data = home.data_dir().to_owned();
        let database = |key: &str, file: &str| -> Result<String, HomeError> {
            let wanted = "a sqlite: or postgres: address";
            let given = source.checked(key, wanted, |url| {
                url.starts_with("sqlite:") || url.starts_with("postgres")
            })?;
            Ok(given.unwrap_or_else(|| format!("sqlite://{}", data.join(file).display())))
        };
        let ms = |key: &str| -> Result<Option<Duration>, HomeError> {
            Ok(source
                .parse::<u64>(key, "a whole number of milliseconds")?
                .map(Duration::from_millis))
        };
        let seconds = Duration::from_secs;
        let environment_role: Option<NodeRole> = source.variable("role")?;
        let environment_offset: Option<u16> = source.variable("portOffset")?;
        let role = overrides.role.or(environment_role).or(run.role);
        let port_offset = overrides
            .port_offset
            .or(environment_offset)
            .or(run.port_offset);
        let settings = Self {
            chain_name: match overrides
                .chain
                .clone()
                .or(source.variable("chain")?)
                .or(run.chain)
            {
                Some(name) => Some(name),
                None => source.text("chain")?,
            },
            node_id: match source.parse("nodeId", "letters, digits, '.', '_' and '-'")? {
                Some(id) => id,
                None => "validator-1".parse().map_err(|_| HomeError::Nowhere)?,
            },
            role: match role {
                Some(role) => role,
                None => source
                    .parse("role", "full, validator, api or coordinator")?
                    .unwrap_or_default(),
            },
            port_offset: match port_offset {
                Some(offset) => offset,
                None => source
                    .parse("portOffset", "a number from 0 to 57000")?
                    .unwrap_or(0),
            },
            host: source
                .parse("host", "an IP address such as 127.0.0.1")?
                .unwrap_or(Ipv4Addr::LOCALHOST.into()),
            database_url: database("databaseUrl", "ledger.db")?,
            identity_db_url: database("identityDbUrl", "identity.db")?,
            redis_url: source.checked("redisUrl", "a redis:// address", |url| {
                url.starts_with("redis")
            })?,
            mesh_db_path: source
                .text("meshDbPath")?
                .map_or_else(|| data.join("mesh.db"), PathBuf::from),
            queue_path: data.join("queue.db"),
            content_dir: source
                .text("contentDir")?
                .map_or_else(|| data.join("content"), PathBuf::from),
            mesh_offline_after: ms("meshOfflineAfterMs")?.unwrap_or(seconds(300)),
            heartbeat_interval: ms("heartbeatIntervalMs")?.unwrap_or(seconds(120)),
            mesh_threshold: source
                .parse::<NonZeroUsize>("meshThreshold", "a whole number from 1")?
                .map_or(1, NonZeroUsize::get),
            mesh_minimum_stake: source.parse(
                "meshMinimumStake",
                "an amount and a currency, such as 100 USD",
            )?,
            hang_limit: Some(ms("hangLimitMs")?.unwrap_or(seconds(60)))
                .filter(|limit| !limit.is_zero()),
            block_interval: ms("blockIntervalMs")?.unwrap_or(Duration::from_millis(200)),
            empty_block: ms("emptyBlockMs")?.filter(|interval| !interval.is_zero()),
            queue_limit: source
                .parse("queueLimit", "a whole number")?
                .unwrap_or(100_000),
            content_max_bytes: source
                .parse("contentMaxBytes", "a whole number of bytes")?
                .unwrap_or(1 << 30),
            content_quota_bytes: source
                .parse("contentQuotaBytes", "a whole number of bytes")?
                .filter(|quota| *quota > 0),
            content_grace: ms("contentGraceMs")?.unwrap_or(seconds(7 * 86_400)),
            content_scrub_interval: ms("contentScrubIntervalMs")?.unwrap_or(seconds(7 * 86_400)),
            cors_origins: source
                .text("corsOrigins")?
                .map(|list| {
                    list.split(',')
                        .map(|origin| origin.trim().to_owned())
                        .collect()
                })
                .unwrap_or_default(),
            rate_limit: source.parse("rateLimit", "a whole number")?.unwrap_or(2000),
            session_rate: source.parse("sessionRate", "a whole number")?.unwrap_or(50),
            failure_rate: source.parse("failureRate", "a whole number")?.unwrap_or(20),
            push: push(&source)?,
            app_schemes: source
                .text("appSchemes")?
                .map(|list| {
                    list.split(',')
                        .map(|scheme| scheme.trim().to_ascii_lowercase())
                        .collect()
                })
                .unwrap_or_default(),
            log_level: source
                .checked("logLevel", "error, warn, info, debug or trace", |level| {
                    ["error", "warn", "info", "debug", "trace"].contains(&level)
                })?
                .unwrap_or_else(|| "info".into()),
            theme: source.text("theme")?.unwrap_or_else(|| "tana-dark".into()),
            keys: source.keys()?,
            contexts: source.contexts()?,
            ports,
            fixed: BTreeMap::new(),
            urls,
            home,
        };
        settings.check_ports()?;
        Ok(settings)
    }

    fn check_ports(&self) -> Result<(), HomeError> {
        for kind in ServiceKind::ALL {
            if self.base_port(kind).checked_add(self.port_offset).is_none() {
                return Err(HomeError::Setting {
                    origin: "portOffset".into(),
                    key: self.port_offset.to_string(),
                    what: format!("moves {kind}'s port beyond 65535; choose a smaller one"),
                });
            }
        }
        Ok(())
    }

    fn base_port(&self, kind: ServiceKind) -> u16 {
        let alone = kind == ServiceKind::T4 && !self.role.services().contains(&ServiceKind::Edge);
        let default = if alone {
            ServiceKind::Edge.default_port()
        } else {
            kind.default_port()
        };
        self.ports.get(&kind).copied().unwrap_or(default)
    }

    /// The port of a service of this node, offset included.
    #[must_use]
    pub fn port(&self, kind: ServiceKind) -> u16 {
        self.fixed
            .get(&kind)
            .copied()
            .unwrap_or_else(|| self.base_port(kind).saturating_add(self.port_offset))
    }

    /// Has a service listen on exactly this port, whatever the offset is: what `--port` of a daemon says.
    pub fn set_port(&mut self, kind: ServiceKind, port: u16) {
        self.fixed.insert(kind, port);
    }

    /// Where a service of this node listens.
    #[must_use]
    pub fn listen(&self, kind: ServiceKind) -> SocketAddr {
        SocketAddr::new(self.host, self.port(kind))
    }

    /// Where a service is asked: the address that is set, else this node's own.
    #[must_use]
    pub fn url(&self, kind: ServiceKind) -> String {
        if let Some(url) = self.urls.get(&kind) {
            return url.clone();
        }
        let host = if self.host.is_unspecified() {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        } else {
            self.host
        };
        format!("http://{}", SocketAddr::new(host, self.port(kind)))
    }

    /// The chain that this node is of: the one that is set, else the only one there is.
    ///
    /// # Errors
    /// When there is none, or several and none is named.
    pub fn chain(&self) -> Result<ChainSpec, HomeError> {
        if let Some(name) = &self.chain_name {
            return self.home.chain(name);
        }
        let chains = self.home.chains()?;
        match chains.as_slice() {
            [] => Err(HomeError::Missing {
                what: format!("there is no chain in {}", self.home.root().display()),
                todo: "make one: tana new chain demo".into(),
            }),
            [name] => self.home.chain(name),
            several => Err(HomeError::Setting {
                origin: self.home.config_file().display().to_string(),
                key: "chain".into(),
                what: format!(
                    "not set, and there are several: {}; set it to one of them",
                    several.join(", ")
                ),
            }),
        }
    }
}

fn push(source: &Source<'_>) -> Result<Option<PushSettings>, HomeError> {
    let named = source.checked("pushProvider", "none, webhook or expo", |name| {
        name == "none" || name.parse::<PushProvider>().is_ok()
    })?;
    let url = source.checked("pushUrl", "an http:// or https:// address", |url| {
        url.starts_with("http://") || url.starts_with("https://")
    })?;
    let secret = source.text("pushSecret")?.map(Secret::new);
    let Some(provider) = named.and_then(|name| name.parse::<PushProvider>().ok()) else {
        return Ok(None);
    };
    let url = url.or_else(|| provider.default_url().map(str::to_owned));
    let url = url.ok_or_else(|| HomeError::Setting {
        origin: source.path.display().to_string(),
        key: "pushUrl".into(),
        what: "not set; a webhook needs the address that notifications are posted to".into(),
    })?;
    Ok(Some(PushSettings {
        provider,
        url,
        secret,
    }))
}

#[cfg(test)]
mod tests;

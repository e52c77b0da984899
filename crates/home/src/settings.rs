//! Which settings hold: flags over the environment over the node's start over `config.json` over defaults.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;
use tana_protocol::service::NodeRole;
use tana_protocol::{ChainSpec, NodeId, ServiceKind};

use crate::environment::Environment;
use crate::error::HomeError;
use crate::files::read_json;
use crate::home::Home;
use crate::run_state::RunState;
use crate::settings_table::{find, nearest_key};

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
    /// Between two blocks at least.
    pub block_interval: Duration,
    /// After which an empty block is sealed; `None`: never.
    pub empty_block: Option<Duration>,
    /// Queued transactions from which on more are refused.
    pub queue_limit: u64,
    /// Largest content in bytes.
    pub content_max_bytes: u64,
    /// Origins that browsers may call from.
    pub cors_origins: Vec<String>,
    /// Requests a second that one client may make; 0: no limit.
    pub rate_limit: u32,
    /// Login sessions a second that one client may make; 0: no limit.
    pub session_rate: u32,
    /// URL schemes that a login may return to, besides http and https; lower case.
    pub app_schemes: Vec<String>,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub log_level: String,
    /// The console's theme.
    pub theme: String,
    /// What the console's keys are changed to.
    pub keys: KeyTable,
    ports: BTreeMap<ServiceKind, u16>,
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
            block_interval: ms("blockIntervalMs")?.unwrap_or(Duration::from_millis(200)),
            empty_block: ms("emptyBlockMs")?.filter(|interval| !interval.is_zero()),
            queue_limit: source
                .parse("queueLimit", "a whole number")?
                .unwrap_or(100_000),
            content_max_bytes: source
                .parse("contentMaxBytes", "a whole number of bytes")?
                .unwrap_or(1 << 30),
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
            ports,
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
        self.base_port(kind).saturating_add(self.port_offset)
    }

    /// Sets the port of a service, offset aside: what `--port` of a daemon says.
    pub fn set_port(&mut self, kind: ServiceKind, port: u16) {
        self.ports
            .insert(kind, port.saturating_sub(self.port_offset));
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

fn config_file(home: &Home) -> Result<BTreeMap<&'static str, Value>, HomeError> {
    let path = home.config_file();
    let invalid = |key: &str, what: String| HomeError::Setting {
        origin: path.display().to_string(),
        key: key.to_owned(),
        what,
    };
    let Some(file) = read_json::<Value>(&path)? else {
        return Ok(BTreeMap::new());
    };
    let Value::Object(entries) = file else {
        return Err(HomeError::Invalid {
            path,
            what: "must be an object such as {\"nodeId\": \"validator-1\"}".into(),
        });
    };
    let mut found = BTreeMap::new();
    for (key, value) in entries {
        let Some(setting) = find(&key) else {
            return Err(invalid(
                &key,
                format!(
                    "there is no such setting; did you mean {}?",
                    nearest_key(&key)
                ),
            ));
        };
        if found.insert(setting.key, value).is_some() {
            return Err(invalid(
                &key,
                "set twice, under two spellings; keep one".into(),
            ));
        }
    }
    Ok(found)
}

/// The environment over the file.
struct Source<'a> {
    environment: &'a Environment,
    file: BTreeMap<&'static str, Value>,
    path: PathBuf,
}

impl Source<'_> {
    fn wrong(
        &self,
        origin: Option<&Path>,
        key: &str,
        value: &str,
        wanted: impl Display,
    ) -> HomeError {
        HomeError::Setting {
            origin: origin.map_or_else(
                || "environment".to_owned(),
                |path| path.display().to_string(),
            ),
            key: key.to_owned(),
            what: format!("{value:?} is not right; it must be {wanted}"),
        }
    }

    /// What the environment alone says.
    fn variable<T: FromStr<Err: Display>>(&self, key: &str) -> Result<Option<T>, HomeError> {
        let variable = find(key).map_or(key, |setting| setting.variable);
        let Some(text) = self.environment.get(variable) else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|error: T::Err| self.wrong(None, variable, text, error))
    }

    /// The value as text, and the file it came from.
    fn raw(&self, key: &str) -> Result<Option<(String, Option<&Path>)>, HomeError> {
        let variable = find(key).map_or(key, |setting| setting.variable);
        if let Some(text) = self.environment.get(variable) {
            return Ok(Some((text.to_owned(), None)));
        }
        let text = match self.file.get(key) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Array(list)) => list
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(","),
            Some(other) => {
                return Err(self.wrong(
                    Some(&self.path),
                    key,
                    &other.to_string(),
                    "a text or a number",
                ));
            }
        };
        Ok(Some((text, Some(&self.path))))
    }

    /// The setting `keys`: an object in the file, the same as JSON text in the environment.
    fn keys(&self) -> Result<KeyTable, HomeError> {
        let wanted = "an object such as {\"approve\": \"f2\", \"quit\": [\"q\", \"f10\"]}";
        let variable = find("keys").map_or("keys", |setting| setting.variable);
        let (value, origin) = match self.environment.get(variable) {
            Some(text) => {
                let value = serde_json::from_str(text)
                    .map_err(|_| self.wrong(None, variable, text, wanted))?;
                (value, None)
            }
            None => match self.file.get("keys") {
                None | Some(Value::Null) => return Ok(KeyTable::default()),
                Some(value) => (value.clone(), Some(self.path.as_path())),
            },
        };
        let wrong = |value: &Value| self.wrong(origin, "keys", &value.to_string(), wanted);
        let Value::Object(entries) = &value else {
            return Err(wrong(&value));
        };
        let mut changes = Vec::new();
        for (action, keys) in entries {
            let keys = match keys {
                Value::String(key) => vec![key.clone()],
                Value::Array(list) => list
                    .iter()
                    .map(|key| key.as_str().map(str::to_owned).ok_or_else(|| wrong(key)))
                    .collect::<Result<_, _>>()?,
                other => return Err(wrong(other)),
            };
            changes.push((action.clone(), keys));
        }
        Ok(KeyTable {
            origin: origin.map_or_else(
                || "environment".to_owned(),
                |path| path.display().to_string(),
            ),
            changes,
        })
    }

    fn text(&self, key: &str) -> Result<Option<String>, HomeError> {
        Ok(self.raw(key)?.map(|(text, _)| text))
    }

    fn parse<T: FromStr>(&self, key: &str, wanted: &str) -> Result<Option<T>, HomeError> {
        let Some((text, origin)) = self.raw(key)? else {
            return Ok(None);
        };
        text.trim()
            .parse()
            .map(Some)
            .map_err(|_| self.wrong(origin, key, &text, wanted))
    }

    fn checked(
        &self,
        key: &str,
        wanted: &str,
        holds: impl Fn(&str) -> bool,
    ) -> Result<Option<String>, HomeError> {
        let Some((text, origin)) = self.raw(key)? else {
            return Ok(None);
        };
        if holds(&text) {
            Ok(Some(text))
        } else {
            Err(self.wrong(origin, key, &text, wanted))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tana_protocol::ServiceKind;
    use tana_protocol::service::NodeRole;

    use super::{Overrides, Settings};
    use crate::environment::Environment;
    use crate::settings_table::SETTINGS;

    fn load(config: &str, variables: &[(&str, &str)]) -> Result<Settings, String> {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("config.json"), config).unwrap();
        let overrides = Overrides {
            home: Some(home.path().into()),
            ..Overrides::default()
        };
        Settings::from_environment(
            &overrides,
            &Environment::from_iter(variables.iter().copied()),
        )
        .map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_offset_moves_all() {
        let settings = load(
            r#"{"ledgerPort": 9000, "EDGE_PORT": "8182", "portOffset": 5}"#,
            &[("PORT", "9100")],
        )
        .unwrap();
        assert_eq!(settings.port(ServiceKind::Ledger), 9105);
        assert_eq!(settings.port(ServiceKind::Edge), 8187);
        assert_eq!(settings.url(ServiceKind::Mesh), "http://127.0.0.1:8195");
    }

    #[test]
    fn t4_takes_the_edges_port_where_there_is_no_edge() {
        let settings = load("{}", &[("TANA_ROLE", "validator")]).unwrap();
        assert_eq!(settings.role, NodeRole::Validator);
        assert_eq!(settings.port(ServiceKind::T4), 8180);
        assert_eq!(load("{}", &[]).unwrap().port(ServiceKind::T4), 8181);
    }

    #[test]
    fn an_error_names_the_file_the_key_and_what_would_be_right() {
        let error = load(r#"{"ledgerPrt": 1}"#, &[]).unwrap_err();
        assert!(
            error.contains("config.json")
                && error.contains("ledgerPrt")
                && error.contains("ledgerPort"),
            "{error}"
        );
        let error = load(r#"{"ledgerPort": "x"}"#, &[]).unwrap_err();
        assert!(
            error.contains("ledgerPort") && error.contains("65535"),
            "{error}"
        );
        let error = load("{}", &[("TANA_ROLE", "king")]).unwrap_err();
        assert!(
            error.contains("environment") && error.contains("coordinator"),
            "{error}"
        );
        let error = load("not json", &[]).unwrap_err();
        assert!(error.contains("config.json"), "{error}");
        let error = load(r#"{"portOffset": 60000}"#, &[]).unwrap_err();
        assert!(error.contains("smaller"), "{error}");
    }

    #[test]
    fn keys_are_a_table_of_actions_in_the_file_or_the_environment() {
        let settings = load(r#"{"keys": {"quit": ["q", "f10"], "approve": "f2"}}"#, &[]).unwrap();
        let mut changes = settings.keys.changes;
        changes.sort();
        assert_eq!(
            changes,
            [
                ("approve".to_owned(), vec!["f2".to_owned()]),
                ("quit".to_owned(), vec!["q".to_owned(), "f10".to_owned()])
            ]
        );
        assert!(settings.keys.origin.ends_with("config.json"));
        let settings = load(r#"{"keys": {"a": "b"}}"#, &[("TANA_KEYS", r#"{"c": "d"}"#)]).unwrap();
        assert_eq!(settings.keys.changes[0].0, "c");
        for bad in [
            r#"{"keys": "q"}"#,
            r#"{"keys": {"quit": 5}}"#,
            r#"{"keys": {"quit": [1]}}"#,
        ] {
            let error = load(bad, &[]).unwrap_err();
            assert!(
                error.contains("keys") && error.contains("\"approve\""),
                "{error}"
            );
        }
    }

    #[test]
    fn no_two_settings_share_a_name() {
        for (at, setting) in SETTINGS.iter().enumerate() {
            assert!(
                SETTINGS
                    .iter()
                    .skip(at + 1)
                    .all(|s| s.key != setting.key && s.variable != setting.variable)
            );
        }
    }
}

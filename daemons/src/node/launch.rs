//! How a service is started: which program, with what environment, and why that may be impossible, in words.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tana_home::{Home, Overrides, SETTINGS, Settings};
use tana_kit::listen::{self, BindError};
use tana_kit::service::LOG_FILE_VARIABLE;
use tana_kit::telemetry;
use tana_kit::{Clock, SystemClock};
use tana_protocol::ServiceKind;
use tana_protocol::api::node::LogLevel;

use super::process::Process;
use super::record::{LOCK_VARIABLE, SERVICE_VARIABLE};

/// Why a service did not start or does not run, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) why: String,
    pub(super) hint: Option<String>,
}

/// What is needed to start services.
#[derive(Clone)]
pub(super) struct Launcher {
    /// As the flags of the supervisor said; the rest is read anew at every start, so that a corrected `config.json`
    /// works with the next try.
    overrides: Overrides,
    home: Home,
    /// Where `tanad` and `tana-edge` lie.
    programs: PathBuf,
}

impl Launcher {
    pub(super) fn new(settings: &Settings) -> std::io::Result<Self> {
        let program = std::env::current_exe()?;
        // Where the file was replaced by a newer one, Linux appends this; the name leads to the newer one.
        let program = program
            .to_str()
            .and_then(|path| path.strip_suffix(" (deleted)"))
            .map_or(program.clone(), PathBuf::from);
        let programs = program.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self {
            overrides: Overrides {
                home: settings.home.single_root().map(Path::to_owned),
                chain: settings.chain_name.clone(),
                role: Some(settings.role),
                port_offset: Some(settings.port_offset),
            },
            home: settings.home.clone(),
            programs,
        })
    }

    /// The settings as they are now.
    pub(super) fn settings(&self) -> Result<Settings, Trouble> {
        Settings::load(&self.overrides).map_err(|error| Trouble {
            why: tana_text(&error),
            hint: Some("correct that setting; the next try reads it anew".into()),
        })
    }

    /// The log file of a service.
    pub(super) fn log_file(&self, kind: ServiceKind) -> PathBuf {
        self.home.logs_dir().join(format!("{kind}.log"))
    }

    /// Starts a service with settings that were just read.
    pub(super) async fn start(
        &self,
        kind: ServiceKind,
        settings: &Settings,
    ) -> Result<Process, Trouble> {
        let program = self.programs.join(match kind {
            ServiceKind::Edge => "tana-edge",
            _ => "tanad",
        });
        if !program.is_file() {
            return Err(Trouble {
                why: format!("{} is not there", program.display()),
                hint: Some(match kind {
                    ServiceKind::Edge => {
                        "build it: cargo xtask up, or cargo build --release -p tana-edge".into()
                    }
                    _ => "install it again: cargo xtask up".into(),
                }),
            });
        }
        // Asked before a process is made: the answer names who has the port, at once.
        match listen::bind(settings.listen(kind)).await {
            Ok(listener) => drop(listener),
            Err(error) => return Err(port_trouble(kind, settings, &error)),
        }
        let mut command = self.command(kind, settings, &program);
        let log = self.log_file(kind);
        let open = || {
            OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(&log)
        };
        let spawned = open()
            .and_then(|out| Ok((out.try_clone()?, out)))
            .and_then(|(err, out)| {
                command.stdin(Stdio::null()).stdout(out).stderr(err);
                Process::spawn(&mut command)
            });
        spawned.map_err(|error| Trouble {
            why: format!("{} could not be started: {error}", program.display()),
            hint: full_disk(&error),
        })
    }

    fn command(&self, kind: ServiceKind, settings: &Settings, program: &Path) -> Command {
        let mut command = Command::new(program);
        if kind != ServiceKind::Edge {
            command.arg(kind.name());
        }
        if let Some(home) = &self.overrides.home {
            command.env("TANA_HOME", home);
        }
        if let Some(chain) = &settings.chain_name {
            command.env("TANA_CHAIN", chain);
        }
        command
            .env("TANA_ROLE", settings.role.name())
            .env("TANA_PORT_OFFSET", settings.port_offset.to_string())
            .env(LOG_FILE_VARIABLE, self.log_file(kind))
            .env(SERVICE_VARIABLE, kind.name())
            .env(LOCK_VARIABLE, self.home.lock_file())
            // glibc makes up to eight arenas a core otherwise; these daemons have two busy threads.
            .env("MALLOC_ARENA_MAX", "2");
        for kind in ServiceKind::ALL {
            let base = settings.port(kind).saturating_sub(settings.port_offset);
            command.env(port_variable(kind), base.to_string());
        }
        for (kind, variable) in [
            (ServiceKind::Mesh, "MESH_URL"),
            (ServiceKind::Ledger, "TANA_LEDGER_URL"),
            (ServiceKind::T4, "T4_URL"),
            (ServiceKind::Identity, "IDENTITY_URL"),
        ] {
            command.env(variable, settings.url(kind));
        }
        command
    }

    /// Writes a line into a service's log, for what happened to it without it: other lines come from itself.
    pub(super) fn note(&self, kind: ServiceKind, text: &str) {
        let line = telemetry::line(SystemClock.now(), LogLevel::Error, text);
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(self.log_file(kind))
            .and_then(|mut log| log.write_all(line.as_bytes()));
        if let Err(error) = written {
            tracing::warn!("{kind}: its log cannot be written: {error}");
        }
    }
}

/// An error of the home with its causes, in one line.
fn tana_text(error: &tana_home::HomeError) -> String {
    let mut text = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        text.push_str(&format!(": {source}"));
    }
    text
}

const fn port_key(kind: ServiceKind) -> &'static str {
    match kind {
        ServiceKind::Mesh => "meshPort",
        ServiceKind::Ledger => "ledgerPort",
        ServiceKind::T4 => "t4Port",
        ServiceKind::Identity => "identityPort",
        ServiceKind::Producer => "producerPort",
        ServiceKind::Edge => "edgePort",
    }
}

/// The variable, and second spelling in `config.json`, of a service's port.
fn port_variable(kind: ServiceKind) -> &'static str {
    let key = port_key(kind);
    SETTINGS
        .iter()
        .find(|setting| setting.key == key)
        .map_or(key, |setting| setting.variable)
}

/// A port that could not be bound, with another that could.
fn port_trouble(kind: ServiceKind, settings: &Settings, error: &BindError) -> Trouble {
    let mut why = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        why.push_str(&format!(": {source}"));
    }
    let hint = match error {
        BindError::Taken { port, .. } => {
            let free = (port.saturating_add(2)..port.saturating_add(100)).find(|candidate| {
                let ours = ServiceKind::ALL
                    .into_iter()
                    .any(|kind| settings.port(kind) == *candidate);
                !ours && std::net::TcpListener::bind((settings.host, *candidate)).is_ok()
            });
            let free = free.unwrap_or(port.saturating_add(2));
            Some(format!(
                "stop that process, or start the {kind} elsewhere: {}={} in config.json",
                port_variable(kind),
                free.saturating_sub(settings.port_offset)
            ))
        }
        BindError::Forbidden(_) => Some(format!(
            "set {} in config.json to a port above 1023",
            port_variable(kind)
        )),
        _ => None,
    };
    Trouble { why, hint }
}

/// What to do about an operating system's error, where we know.
fn full_disk(error: &std::io::Error) -> Option<String> {
    match error.kind() {
        std::io::ErrorKind::StorageFull => Some("make room on the disk".into()),
        std::io::ErrorKind::PermissionDenied => {
            Some("check who owns the files of TANA_HOME".into())
        }
        _ => None,
    }
}

/// What to do about a service that ended with this line in its log.
pub(super) fn hint_for(line: &str) -> Option<&'static str> {
    let line = line.to_lowercase();
    if line.starts_with("panic") {
        return Some("a defect of ours: please report it with this service's log");
    }
    let known = [
        (
            ["no space left", "disk is full", "database or disk is full"].as_slice(),
            "make room on the disk; the next try follows by itself",
        ),
        (
            ["newer version", "newer than this"].as_slice(),
            "install the version that wrote it, or move it away",
        ),
        (
            ["permission denied", "readonly", "read-only"].as_slice(),
            "check who owns the files of TANA_HOME",
        ),
        (
            ["malformed", "not a database", "corrupt"].as_slice(),
            "restore the file from a copy; tana verify names what is damaged",
        ),
        (
            ["too many open files"].as_slice(),
            "raise the limit of open files: ulimit -n 65536",
        ),
    ];
    known
        .into_iter()
        .find(|(signs, _)| signs.iter().any(|sign| line.contains(sign)))
        .map(|(_, hint)| hint)
}

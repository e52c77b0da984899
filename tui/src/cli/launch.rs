//! Starting the supervisor as a process of its own session, which outlives the terminal. Waiting for it is `start`'s.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tana_home::{HomeError, KeyFile, RunState, Settings};
use tana_protocol::service::NodeRole;

use super::exit::{Exit, failure};

/// The first argument that makes `tana` start a session of its own and become the supervisor.
pub(crate) const DETACH: &str = "__detach-node";

/// Between two looks at a socket that is not there yet.
const LOOK: Duration = Duration::from_millis(10);

/// The supervisor's own log.
pub(crate) fn log_file(settings: &Settings) -> PathBuf {
    settings.home.logs_dir().join("node.log")
}

/// A program of ours: next to this one.
pub(crate) fn program(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("this program's own path is not known")?;
    let path = own.with_file_name(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(failure(
        Exit::Failed,
        format!(
            "{name} is not next to tana ({}); build or install it there: cargo build --release",
            path.display()
        ),
    ))
}

/// What the supervisor is told in its environment: the flags of this start, over whatever the environment says.
pub(crate) fn environment(settings: &Settings) -> Vec<(&'static str, OsString)> {
    let mut variables = vec![
        (
            "TANA_PORT_OFFSET",
            OsString::from(settings.port_offset.to_string()),
        ),
        ("TANA_ROLE", settings.role.name().into()),
    ];
    if let Some(root) = settings.home.single_root() {
        variables.push(("TANA_HOME", root.into()));
    }
    if let Some(chain) = &settings.chain_name {
        variables.push(("TANA_CHAIN", chain.into()));
    }
    variables
}

/// What the node cannot do without: its chain, whose name is given back, and its key.
pub(crate) fn required(settings: &Settings) -> anyhow::Result<Option<String>> {
    match settings.chain() {
        Ok(chain) => {
            KeyFile::read(&settings.home.node_key_file())?;
            Ok(Some(chain.name))
        }
        // A registry alone needs none.
        Err(HomeError::Missing { .. }) if settings.role == NodeRole::Coordinator => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Notes the flags of this start, so that later commands find the node.
fn note(settings: &Settings) -> anyhow::Result<()> {
    let chain = required(settings)?;
    settings.home.create()?;
    RunState {
        port_offset: Some(settings.port_offset),
        role: Some(settings.role),
        chain,
    }
    .write(&settings.home)?;
    Ok(())
}

/// Becomes the supervisor, in this terminal. Returns only when that fails.
pub(crate) fn become_node(settings: &Settings) -> anyhow::Result<std::convert::Infallible> {
    let program = program("tanad")?;
    note(settings)?;
    let error = Command::new(&program)
        .arg("node")
        .envs(environment(settings))
        .exec();
    Err(error).with_context(|| format!("{} cannot be run", program.display()))
}

/// A supervisor that has been started and may not answer yet.
#[derive(Debug)]
pub(crate) struct Launched {
    child: Child,
    log: PathBuf,
    log_from: u64,
}

/// Starts the supervisor in a session of its own: no terminal's end reaches it.
pub(crate) fn launch(settings: &Settings) -> anyhow::Result<Launched> {
    let program = program("tanad")?;
    note(settings)?;
    let log = log_file(settings);
    let out = open_log(&log).with_context(|| format!("{} cannot be written", log.display()))?;
    let log_from = out.metadata().map_or(0, |found| found.len());
    let own = std::env::current_exe().context("this program's own path is not known")?;
    // A new session needs a process that leads no group: this one forks another of itself, which becomes the supervisor.
    let child = Command::new(own)
        .arg(DETACH)
        .arg(&program)
        .envs(environment(settings))
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()
        .context("the supervisor cannot be started")?;
    Ok(Launched {
        child,
        log,
        log_from,
    })
}

fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

/// The other side of [`launch`]: leaves the session and becomes the supervisor. Returns only when that fails.
pub(crate) fn detach(program: &Path) -> io::Error {
    if let Err(error) = nix::unistd::setsid() {
        return error.into();
    }
    Command::new(program).arg("node").exec()
}

/// Whether a supervisor listens.
pub(crate) fn answers(settings: &Settings) -> bool {
    UnixStream::connect(settings.home.socket()).is_ok()
}

impl Launched {
    /// Waits until the supervisor listens; its last words where it ends instead.
    pub(crate) async fn until_it_answers(
        &mut self,
        settings: &Settings,
        limit: Duration,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !answers(settings) {
            if let Some(why) = self.ended() {
                let text = format!("the node did not start: {why}");
                return Err(failure(Exit::Failed, text));
            }
            if begun.elapsed() > limit {
                return Err(failure(
                    Exit::TimedOut,
                    format!(
                        "the supervisor does not answer after {} s; see {}",
                        limit.as_secs(),
                        self.log.display()
                    ),
                ));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Why the supervisor has ended already, if it has.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        let said = self.last_words();
        Some(if said.is_empty() {
            format!(
                "the supervisor ended at once ({status}); see {}",
                self.log.display()
            )
        } else {
            said
        })
    }

    /// The last line that it wrote since it was started.
    fn last_words(&self) -> String {
        let read = || -> io::Result<String> {
            let mut log = File::open(&self.log)?;
            let end = log.metadata()?.len();
            // The end of a long log is enough.
            let from = self.log_from.max(end.saturating_sub(16 * 1024));
            log.seek(SeekFrom::Start(from))?;
            let mut text = Vec::new();
            log.take(16 * 1024).read_to_end(&mut text)?;
            Ok(String::from_utf8_lossy(&text).into_owned())
        };
        let text = read().unwrap_or_default();
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        last.map(crate::show::clean).unwrap_or_default()
    }
}

/// Whether a process is there and has not ended.
pub(crate) fn is_alive(pid: u32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        // After the name in parentheses; a zombie has ended and waits for a parent that does not look.
        Ok(stat) => stat
            .rsplit_once(") ")
            .is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X'])),
        Err(_) if Path::new("/proc/self/stat").exists() => false,
        Err(_) => i32::try_from(pid)
            .is_ok_and(|pid| nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_ok()),
    }
}

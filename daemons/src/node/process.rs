//! One process, ours or adopted: its end noticed through a pidfd, signals that cannot hit a process id that was given
//! away again.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// How long a process may take to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process and when it began, which together name it for as long as the machine is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProcessId {
    pub(super) pid: u32,
    /// Clock ticks from the machine's start to the process's (`/proc/<pid>/stat`, field 22).
    pub(super) start_ticks: u64,
}

impl ProcessId {
    /// The living process with this id; `None` for none and for one that has ended and was not collected yet.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything; what follows the last one is fields 3 and up.
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
        let state = fields.next()?;
        let start_ticks = fields.nth(18)?.parse().ok()?;
        (!matches!(state, "Z" | "X")).then_some(Self { pid, start_ticks })
    }
}

/// A process that is watched.
pub(super) struct Process {
    pub(super) id: ProcessId,
    pidfd: AsyncFd<OwnedFd>,
    /// `None` where an earlier supervisor started it: its exit status is then not ours to collect.
    child: Option<Child>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Status(ExitStatus),
    /// It was adopted.
    Unknown,
}

impl Process {
    /// Starts a process in a process group of its own, so that no signal of a terminal reaches it.
    pub(super) fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut child = command.process_group(0).spawn()?;
        let watched = ProcessId::of(child.id())
            .ok_or_else(|| io::Error::other("it ended at once"))
            .and_then(|id| Ok((id, watch(child.id())?)));
        match watched {
            Ok((id, pidfd)) => Ok(Self {
                id,
                pidfd,
                child: Some(child),
            }),
            Err(error) => {
                // Not watched, so not kept: the answer to both is the error that follows.
                let _ended = child.kill();
                let _status = child.wait();
                Err(error)
            }
        }
    }

    /// Takes over a process that an earlier supervisor started, if it is still the same one.
    pub(super) fn adopt(id: ProcessId) -> Option<Self> {
        let pidfd = watch(id.pid).ok()?;
        // Looked at after the pidfd was opened: from here on it cannot be another.
        (ProcessId::of(id.pid) == Some(id)).then_some(Self {
            id,
            pidfd,
            child: None,
        })
    }

    /// Waits until it ends.
    pub(super) async fn ended(&self) -> io::Result<()> {
        self.pidfd.readable().await.map(|_ready| ())
    }

    /// How it ended; only after [`Process::ended`].
    pub(super) fn exit(&mut self) -> Exit {
        match self.child.as_mut().map(Child::wait) {
            Some(Ok(status)) => Exit::Status(status),
            Some(Err(_)) | None => Exit::Unknown,
        }
    }

    /// SIGTERM, and SIGKILL where that does not help.
    pub(super) async fn stop(&mut self) -> Exit {
        for signal in [Signal::TERM, Signal::KILL] {
            // Fails only where it has ended by itself in between.
            let _sent = pidfd_send_signal(self.pidfd.get_ref(), signal);
            if tokio::time::timeout(PATIENCE, self.ended()).await.is_ok() {
                break;
            }
        }
        self.exit()
    }
}

fn watch(pid: u32) -> io::Result<AsyncFd<OwnedFd>> {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(io::ErrorKind::InvalidInput)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    wait_on(pidfd)
}

/// Lets the runtime wait until a descriptor can be read. `T` must own its descriptor, as both users of this do.
// The method that is not deprecated is unsafe, which this workspace denies: it asks for what the line above says.
#[allow(deprecated)]
pub(super) fn wait_on<T: AsRawFd>(owner: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(owner, Interest::READABLE)
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::Status(status) = self else {
            return f.write_str("ended; with what is not known, another supervisor had started it");
        };
        if let Some(code) = status.code() {
            return write!(f, "exit code {code}");
        }
        let number = status.signal().unwrap_or_default();
        match nix::sys::signal::Signal::try_from(number) {
            Ok(signal) => write!(f, "killed by {signal}"),
            Err(_) => write!(f, "killed by signal {number}"),
        }
    }
}

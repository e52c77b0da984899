//! Which processes run, on disk: what a supervisor that was killed leaves to the next one.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tana_protocol::{ServiceKind, Timestamp};

use super::process::ProcessId;

/// The variable that marks a process as a service of a supervised node.
pub(super) const SERVICE_VARIABLE: &str = "TANA_SERVICE";
/// The variable that says of which; the supervisor's lock file.
pub(super) const LOCK_VARIABLE: &str = "TANA_NODE_LOCK";

/// A service's process, as the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Running {
    #[serde(flatten)]
    pub(super) process: ProcessId,
    pub(super) port: u16,
    pub(super) started_at: Timestamp,
    pub(super) restarts: u32,
}

/// `data/node-state.json`. Clones share it.
#[derive(Clone)]
pub(super) struct Record {
    path: PathBuf,
    running: Arc<Mutex<BTreeMap<String, Running>>>,
}

impl Record {
    /// An empty one, to be filled; what the file holds from before is answered beside it. A file that does not parse
    /// counts as none: the processes are found by their environment as well.
    pub(super) fn open(data: &Path) -> (Self, BTreeMap<String, Running>) {
        let path = data.join("node-state.json");
        let before = std::fs::read(&path)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        let record = Self {
            path,
            running: Arc::default(),
        };
        (record, before)
    }

    /// Notes that a service runs, or that it does not.
    pub(super) fn note(&self, kind: ServiceKind, running: Option<Running>) {
        let mut all = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match running {
            Some(running) => all.insert(kind.name().to_owned(), running),
            None => all.remove(kind.name()),
        };
        if let Err(error) = self.write(&all) {
            tracing::warn!(
                "{} cannot be written: {error}; running services are found by their environment instead",
                self.path.display()
            );
        }
    }

    /// Not synced to the disk: no process outlives a loss of power.
    fn write(&self, all: &BTreeMap<String, Running>) -> io::Result<()> {
        let temporary = self.path.with_extension("tmp");
        std::fs::write(&temporary, serde_json::to_vec(all)?)?;
        std::fs::rename(&temporary, &self.path)
    }

    /// Nothing runs any more.
    pub(super) fn remove(&self) {
        // A file that stays names processes that are gone, which the next supervisor notices.
        let _gone = std::fs::remove_file(&self.path);
    }
}

/// The services of the node with this lock file that run without being in the record: started in the moment in which
/// a supervisor was killed.
pub(super) fn unrecorded(lock: &Path) -> Vec<(ServiceKind, ProcessId)> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let of_node = format!("{LOCK_VARIABLE}={}", lock.display());
    processes
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            // Only our own user's processes can be read, which is all that are ours.
            let environment = std::fs::read(entry.path().join("environ")).ok()?;
            let mut variables = environment.split(|byte| *byte == 0);
            variables
                .clone()
                .any(|v| v == of_node.as_bytes())
                .then_some(())?;
            let kind = variables
                .find_map(|v| v.strip_prefix(format!("{SERVICE_VARIABLE}=").as_bytes()))?;
            // A service's own children have its variables too; the service leads its process group.
            let leads =
                nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(i32::try_from(pid).ok()?)))
                    .is_ok_and(|group| u32::try_from(group.as_raw()) == Ok(pid));
            leads.then_some(())?;
            Some((
                std::str::from_utf8(kind).ok()?.parse().ok()?,
                ProcessId::of(pid)?,
            ))
        })
        .collect()
}

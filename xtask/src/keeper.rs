//! A directory for one run, and a small process that clears up after it, however the run ends.
//!
//! The keeper holds the reading end of a pipe. When this program ends (done, failed, interrupted, killed) the pipe
//! closes; the keeper then ends every process that was given the directory in its environment, and removes the directory.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// Names the directory in the environment of everything that belongs to the run.
pub(crate) const DIR: &str = "TANA_TEST_DIR";

const SCRIPT: &str = r#"
dir=$1
cat >/dev/null
belonging() {
    for p in /proc/[0-9]*; do
        grep -qaF "$dir" "$p/environ" 2>/dev/null && echo "${p#/proc/}"
    done
}
for signal in INT TERM KILL; do
    left=$(belonging)
    [ -z "$left" ] && break
    kill -$signal $left 2>/dev/null
    n=0
    while [ $n -lt 30 ] && [ -n "$(belonging)" ]; do n=$((n + 1)); sleep 0.1; done
done
n=0
while [ -e "$dir" ] && [ $n -lt 50 ]; do rm -rf "$dir" 2>/dev/null || sleep 0.1; n=$((n + 1)); done
"#;

pub(crate) struct Keeper {
    dir: PathBuf,
    child: Child,
}

impl Keeper {
    pub(crate) fn start() -> Result<Self> {
        let dir = std::env::temp_dir().join(format!("tana-test-{}", std::process::id()));
        fs::create_dir(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        // The servers in it run as other users.
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755))?;
        let child = Command::new("sh")
            .args(["-c", SCRIPT, "keeper"])
            .arg(&dir)
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("cannot run sh")?;
        Ok(Self { dir, child })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Marks what the command starts as belonging to this run.
    pub(crate) fn mark<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env(DIR, &self.dir)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // The keeper reports its own failures; there is nothing more to do about one here.
        let _ = self.child.wait();
    }
}

/// A server of the run, stopped when dropped. The kernel stops it if this program dies first (`setpriv --pdeathsig`).
pub(crate) struct Server {
    /// Where it listens, as the programs under test want it.
    pub(crate) url: String,
    pub(crate) child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT is a fast and orderly shutdown for PostgreSQL and Redis; `Child::kill` would leave helpers behind.
        let asked = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// A TCP port of the loopback interface that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    let listener =
        std::net::TcpListener::bind(("127.0.0.1", 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_run_ends_with_it() {
        let keeper = Keeper::start().expect("a keeper");
        let dir = keeper.dir().to_owned();
        fs::write(dir.join("file"), "left behind").expect("a file");
        let mut sleep = Command::new("sleep");
        let mut child = keeper.mark(sleep.arg("600")).spawn().expect("a process");
        drop(keeper);
        let status = child.wait().expect("its status");
        assert!(!status.success(), "it was ended, not waited for");
        assert!(!dir.exists(), "the directory is gone");
    }
}

//! The supervisor of a node elsewhere: its socket as one here, each connection carried by a command such as
//! `ssh -T HOST tana node proxy`. Nothing listens on a port anywhere.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::net::{UnixListener, UnixStream};
use tokio::process::Command;
use tokio::task::JoinSet;

/// The near end. Gone when dropped.
pub(super) struct Tunnel {
    dir: PathBuf,
    listener: UnixListener,
    via: Vec<String>,
}

impl Tunnel {
    /// Makes the socket, in a directory of its own below `parent` that nobody else may enter.
    pub(super) fn open(parent: &Path, via: Vec<String>) -> io::Result<Self> {
        let dir = parent.join(format!("console-{}", uuid::Uuid::new_v4().simple()));
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let listener = UnixListener::bind(dir.join("node.sock")).inspect_err(|_| {
            let _ = std::fs::remove_dir(&dir);
        })?;
        Ok(Self { dir, listener, via })
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.dir.join("node.sock")
    }

    /// Carries connections until it is dropped.
    pub(super) async fn run(self) {
        let mut carried = JoinSet::new();
        while let Ok((socket, _)) = self.listener.accept().await {
            carried.spawn(carry(socket, self.via.clone()));
            while carried.try_join_next().is_some() {}
        }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.socket());
        let _ = std::fs::remove_dir(&self.dir);
    }
}

/// One connection. When the command ends, so does the connection, and the client says that the node does not answer.
async fn carry(socket: UnixStream, via: Vec<String>) -> io::Result<()> {
    let Some((program, arguments)) = via.split_first() else {
        return Ok(());
    };
    let mut child = Command::new(program)
        .args(arguments)
        .args(["tana", "node", "proxy"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // What it has to say would stand in the middle of the screen.
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let (Some(mut there), Some(mut back)) = (child.stdin.take(), child.stdout.take()) else {
        return Ok(());
    };
    let (mut read, mut write) = socket.into_split();
    tokio::select! {
        _ = tokio::io::copy(&mut read, &mut there) => {}
        _ = tokio::io::copy(&mut back, &mut write) => {}
    }
    Ok(())
}

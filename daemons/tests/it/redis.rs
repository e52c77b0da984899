//! A Redis of the test's own, which it can kill and start again.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use crate::daemon::until;

pub(crate) struct Redis {
    directory: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Redis {
    /// A place for one; nothing runs yet.
    pub(crate) fn new() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            directory: tempfile::tempdir().unwrap(),
            port: free.local_addr().unwrap().port(),
            child: None,
        }
    }

    pub(crate) async fn running() -> Self {
        let mut redis = Self::new();
        redis.start().await;
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// As production runs it: what is answered is on disk.
    pub(crate) async fn start(&mut self) {
        let port = self.port.to_string();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port, "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
            .arg(self.directory.path())
            .stdout(Stdio::null())
            .spawn();
        self.child = Some(child.expect("redis-server: cargo xtask test installs it"));
        let port = self.port;
        until("Redis to listen", || async move {
            tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .is_ok()
        })
        .await;
    }

    /// SIGKILL: nothing is written any more.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

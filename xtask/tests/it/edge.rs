//! An edge of its own, which serves a directory; ended with the test.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};

use tempfile::TempDir;

use crate::wait::{LONG, until};
use crate::{binary, http, node, process};

pub(crate) struct Edge {
    child: Child,
    pub(crate) port: u16,
    _home: TempDir,
}

impl Edge {
    /// An edge with two workers and no limit on rates, ready.
    pub(crate) fn serving(dir: &Path, more: &[&str]) -> Self {
        let home = TempDir::new().unwrap();
        let port = 8180 + node::free_offset();
        let child = binary::command("tana-edge", home.path())
            .args(["--workers", "2", "--port", &port.to_string(), "--dir"])
            .arg(dir)
            .args(more)
            .env("RATE_LIMIT", "0")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let edge = Self {
            child,
            port,
            _home: home,
        };
        until("the edge to be ready", LONG, || {
            TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
            match http::get(port, "/health").status {
                200 => Ok(()),
                status => Err(status.to_string()),
            }
        });
        edge
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) fn workers(&self) -> Vec<u32> {
        process::children(self.child.id())
    }

    /// MiB that it and its workers have now.
    pub(crate) fn memory(&self) -> f64 {
        let own = std::iter::once(self.child.id()).chain(self.workers());
        own.filter_map(process::proportional_mib).sum()
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

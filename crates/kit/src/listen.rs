//! Binding a port, and saying in words who has it when it is taken.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use tokio::net::TcpListener;

/// The process that has a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its name, such as `nginx`.
    pub name: String,
    /// Its id.
    pub pid: u32,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)
    }
}

/// Why a port could not be bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process listens there.
    #[error("port {port} is taken by {}", holder.as_ref().map_or_else(|| "another process".to_owned(), ToString::to_string))]
    Taken {
        /// The port.
        port: u16,
        /// By whom, where it can be seen.
        holder: Option<Holder>,
    },
    /// Ports below 1024 are for root.
    #[error("port {0} may be bound only by root; choose one above 1023")]
    Forbidden(u16),
    /// The address is none of this machine.
    #[error("{0} is no address of this machine; set TANA_HOST to one that is, such as 127.0.0.1")]
    NoSuchAddress(IpAddr),
    /// Anything else.
    #[error("could not listen on {address}")]
    Other {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// Binds `address`.
///
/// # Errors
/// One clear sentence.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => BindError::Taken {
                port: address.port(),
                holder: holder_of(address.port()),
            },
            std::io::ErrorKind::PermissionDenied => BindError::Forbidden(address.port()),
            std::io::ErrorKind::AddrNotAvailable => BindError::NoSuchAddress(address.ip()),
            _ => BindError::Other {
                address,
                source: error,
            },
        })
}

/// Who listens on a TCP port of this machine: its socket's inode from `/proc/net/tcp`, then the process that has that
/// inode open. `None` where the process belongs to somebody else or there is no `/proc`.
#[must_use]
pub fn holder_of(port: u16) -> Option<Holder> {
    let sockets: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if sockets.is_empty() {
        return None;
    }
    std::fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .find(|(_, process)| holds(process, &sockets))
        .map(|(pid, process)| Holder {
            name: std::fs::read_to_string(process.join("comm"))
                .map_or_else(|_| "a process".to_owned(), |name| name.trim().to_owned()),
            pid,
        })
}

/// The inodes of the listening sockets (state 0A) on `port`, from the text of `/proc/net/tcp`.
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    let local = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let matches = fields.get(1)?.ends_with(&local) && *fields.get(3)? == "0A";
            matches.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
        })
        .collect()
}

fn holds(process: &Path, sockets: &[String]) -> bool {
    let Ok(files) = std::fs::read_dir(process.join("fd")) else {
        return false;
    };
    files.flatten().any(|file| {
        std::fs::read_link(file.path())
            .is_ok_and(|target| sockets.iter().any(|socket| target.as_os_str() == &**socket))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    #[tokio::test]
    async fn a_taken_port_names_its_holder() {
        let first = super::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = first.local_addr().unwrap();
        let error = super::bind(address).await.unwrap_err().to_string();
        let pid = std::process::id();
        let name = std::fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!(
            error,
            format!(
                "port {} is taken by {} (pid {pid})",
                address.port(),
                name.trim()
            )
        );
    }
}

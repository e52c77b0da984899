//! Asking a service for its health: one small request on a connection of its own. No retries, no pool, no TLS, because
//! the supervisor asks often while a service starts, and only on this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use tana_protocol::ServiceKind;
use tana_protocol::api::health::{Health, HealthStatus};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A service that does not answer by then does not answer.
const LIMIT: Duration = Duration::from_secs(3);
/// A longer answer is none of ours.
const LARGEST: u64 = 64 << 10;

/// What a service says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Ready,
    /// In words: what is not.
    NotReady(String),
    /// None, or none of this service.
    None,
}

/// Asks.
pub(super) async fn ask(kind: ServiceKind, listen: SocketAddr) -> Answer {
    let asked = tokio::time::timeout(LIMIT, health(reachable(listen))).await;
    match asked {
        Ok(Ok(health)) if health.service == kind.name() => judge(&health),
        _ => Answer::None,
    }
}

/// How long another node's service takes to answer on a connection that stands; `None` where it does not.
pub(super) async fn round_trip(host: &str, port: u16) -> Option<Duration> {
    let asked = async {
        let mut connection = TcpStream::connect((host, port)).await?;
        connection.set_nodelay(true)?;
        let request = format!("GET /health HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let began = Instant::now();
        connection.write_all(request.as_bytes()).await?;
        let mut first = [0; 5];
        connection.read_exact(&mut first).await?;
        Ok::<_, std::io::Error>((first == *b"HTTP/").then(|| began.elapsed()))
    };
    tokio::time::timeout(LIMIT, asked).await.ok()?.ok()?
}

fn judge(health: &Health) -> Answer {
    if health.status == HealthStatus::Ok {
        return Answer::Ready;
    }
    let failing: Vec<String> = health
        .checks
        .iter()
        // Every service has the check "start" while it is being built: the others say more.
        .filter(|check| !check.ok && (check.name != "start" || health.checks.len() == 1))
        .map(|check| match &check.detail {
            Some(detail) => format!("{}: {detail}", check.name),
            None => check.name.clone(),
        })
        .collect();
    Answer::NotReady(failing.join(", "))
}

/// A service that listens on all addresses is asked on this machine's own.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn health(address: SocketAddr) -> std::io::Result<Health> {
    let mut connection = TcpStream::connect(address).await?;
    let request = format!("GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    connection.take(LARGEST).read_to_end(&mut answer).await?;
    let body = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map(|end| &answer[end + 4..])
        .ok_or(std::io::ErrorKind::InvalidData)?;
    Ok(serde_json::from_slice(body)?)
}

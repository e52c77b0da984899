//! Whether this machine is in a Tailscale network, and as what: asked of its own client program, nothing else.

use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

/// The client answers at once or is not well.
const LIMIT: Duration = Duration::from_secs(2);
/// Its answer about this machine alone is a few KiB; a larger one would fill the pipe and is given up with the limit.
const ARGUMENTS: [&str; 3] = ["status", "--json", "--peers=false"];

/// This machine in its Tailscale network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tailscale {
    /// Its name there, such as `host.example.ts.net`.
    pub hostname: String,
    /// Its address there.
    pub ip: IpAddr,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Status {
    backend_state: String,
    #[serde(rename = "Self")]
    own: Own,
}

#[derive(Deserialize)]
struct Own {
    #[serde(rename = "DNSName")]
    dns_name: String,
    #[serde(rename = "TailscaleIPs", default)]
    ips: Vec<IpAddr>,
}

impl Tailscale {
    /// Asks `tailscale status --json`; `None` where there is none, or it is not connected. Blocks for up to two seconds.
    #[must_use]
    pub fn detect() -> Option<Self> {
        let mut child = Command::new("tailscale")
            .args(ARGUMENTS)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let began = Instant::now();
        while child.try_wait().ok()?.is_none() {
            if began.elapsed() > LIMIT {
                let _ended_by_itself = child.kill();
                let _status = child.wait();
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let output = child.wait_with_output().ok()?;
        Self::parse(&output.stdout)
    }

    /// What the client's answer says.
    fn parse(answer: &[u8]) -> Option<Self> {
        let status: Status = serde_json::from_slice(answer).ok()?;
        if status.backend_state != "Running" {
            return None;
        }
        let hostname = status.own.dns_name.trim_end_matches('.').to_owned();
        // Both families have one; the shorter one is what people know.
        let ip = status
            .own
            .ips
            .iter()
            .find(|ip| ip.is_ipv4())
            .or_else(|| status.own.ips.first())
            .copied()?;
        (!hostname.is_empty()).then_some(Self { hostname, ip })
    }
}

#[cfg(test)]
mod tests {
    use super::Tailscale;

    #[test]
    fn the_clients_answer_is_read() {
        let answer =
            br#"{"Version":"1.80.2","BackendState":"Running","TailscaleIPs":["100.101.102.103"],
            "Self":{"ID":"n1","HostName":"host","DNSName":"host.example.ts.net.",
            "TailscaleIPs":["fd7a:115c:a1e0::1","100.101.102.103"],"Online":true},"Peer":null}"#;
        let found = Tailscale::parse(answer).unwrap();
        assert_eq!(found.hostname, "host.example.ts.net");
        assert_eq!(found.ip.to_string(), "100.101.102.103");
        let stopped = br#"{"BackendState":"Stopped","Self":{"DNSName":"","TailscaleIPs":null}}"#;
        assert_eq!(Tailscale::parse(stopped), None);
        assert_eq!(Tailscale::parse(b"is Tailscale running?"), None);
    }
}

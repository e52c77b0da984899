//! The network between three nodes: namespaces and a bridge, or loopback addresses where those may not be made.

use std::process::Command;

use nix::sys::signal::Signal;

use super::place::Place;
use crate::process;

pub(super) enum Net {
    /// Four namespaces: one for each node, and one with the bridge that joins them and the test.
    Namespaces {
        name: String,
        subnet: String,
    },
    Loopback,
}

fn ip(args: &str) -> Result<(), String> {
    let ran = Command::new("ip")
        .args(args.split(' '))
        .output()
        .map_err(|error| format!("ip: {error}"))?;
    if ran.status.success() {
        Ok(())
    } else {
        Err(format!(
            "ip {args}: {}",
            String::from_utf8_lossy(&ran.stderr)
        ))
    }
}

impl Net {
    pub(super) fn make() -> Self {
        let pid = std::process::id();
        let net = Self::Namespaces {
            name: format!("tana{pid}"),
            subnet: format!("10.77.{}", pid % 250),
        };
        match net.build() {
            Ok(()) => net,
            // Dropped here: what was made of it goes.
            Err(why) => {
                println!("no network namespaces here ({})", why.trim());
                Self::Loopback
            }
        }
    }

    fn build(&self) -> Result<(), String> {
        let Self::Namespaces { name, subnet } = self else {
            return Ok(());
        };
        let hub = format!("{name}-hub");
        ip(&format!("netns add {hub}"))?;
        ip(&format!("-n {hub} link add br0 type bridge"))?;
        ip(&format!("-n {hub} link set br0 up"))?;
        // The test's own leg, to ask the nodes by.
        ip(&format!(
            "link add {name} type veth peer name test netns {hub}"
        ))?;
        ip(&format!("-n {hub} link set test master br0 up"))?;
        ip(&format!("addr add {subnet}.254/24 dev {name}"))?;
        ip(&format!("link set {name} up"))?;
        for number in 0..3 {
            let node = format!("{name}-{number}");
            ip(&format!("netns add {node}"))?;
            ip(&format!(
                "-n {hub} link add port{number} type veth peer name eth0 netns {node}"
            ))?;
            ip(&format!("-n {hub} link set port{number} master br0 up"))?;
            ip(&format!(
                "-n {node} addr add {subnet}.{}/24 dev eth0",
                number + 1
            ))?;
            ip(&format!("-n {node} link set eth0 up"))?;
            ip(&format!("-n {node} link set lo up"))?;
        }
        Ok(())
    }

    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::Namespaces { .. } => "in three network namespaces",
            Self::Loopback => "on three loopback addresses",
        }
    }

    pub(super) fn address(&self, number: usize) -> String {
        match self {
            Self::Namespaces { subnet, .. } => format!("{subnet}.{}", number + 1),
            Self::Loopback => format!("127.0.77.{}", number + 1),
        }
    }

    /// The namespace of a node, where it has one.
    pub(super) fn namespace(&self, number: usize) -> Option<String> {
        match self {
            Self::Namespaces { name, .. } => Some(format!("{name}-{number}")),
            Self::Loopback => None,
        }
    }

    /// Cuts nodes off from all others.
    pub(super) fn cut(&self, nodes: &[&Place], others: &[&Place]) {
        self.link(nodes, others, "down", Signal::SIGSTOP);
    }

    /// Joins them again.
    pub(super) fn mend(&self, nodes: &[&Place], others: &[&Place]) {
        self.link(nodes, others, "up", Signal::SIGCONT);
    }

    fn link(&self, nodes: &[&Place], others: &[&Place], state: &str, signal: Signal) {
        match self {
            Self::Namespaces { name, .. } => {
                for node in nodes {
                    ip(&format!(
                        "-n {name}-hub link set port{} {state}",
                        node.number()
                    ))
                    .unwrap();
                }
            }
            // What the cut-off nodes would ask does not answer: the mesh, or their peers' stores.
            Self::Loopback => {
                let frozen = if nodes.iter().any(|node| node.number() == 0) {
                    nodes
                        .iter()
                        .map(|node| node.pid("mesh"))
                        .collect::<Vec<_>>()
                } else {
                    let mesh = others.iter().filter(|other| other.number() == 0);
                    let mesh = mesh.map(|first| first.pid("mesh"));
                    mesh.chain(others.iter().map(|other| other.pid("t4")))
                        .collect()
                };
                for pid in frozen {
                    process::signal(pid, signal);
                }
            }
        }
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if let Self::Namespaces { name, .. } = self {
            for part in ["hub", "0", "1", "2"] {
                // One that was not made is none to take away.
                let _gone = ip(&format!("netns del {name}-{part}"));
            }
        }
    }
}

//! The machine: programs, disk, ports, clock.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::statvfs::statvfs;

use super::Finding;
use crate::cli::context::Context;
use crate::cli::launch;

/// A node with less room than this stops soon.
const LITTLE: u64 = 1024 * 1024 * 1024;
const NOTHING: u64 = 50 * 1024 * 1024;
/// Before this, the clock was never set. 2025-01-01.
const EARLIEST_MS: u64 = 1_735_689_600_000;

pub(super) async fn look(context: &Context, node_runs: bool) -> Vec<Finding> {
    let mut findings = vec![clock()];
    findings.extend(disk(context.home().root()));
    findings.extend(["tanad", "tana-runtime", "tana-edge"].map(program));
    if !node_runs && !context.is_remote() {
        findings.extend(ports(context));
    }
    findings
}

fn clock() -> Finding {
    let now = tana_client::now();
    if now.ms() < EARLIEST_MS {
        Finding::wrong(
            "clock",
            format!("this machine's clock says {now}"),
            "set it, and keep it right with NTP: signatures carry the time",
        )
    } else {
        Finding::ok("clock", now.to_string())
    }
}

fn disk(home: &Path) -> Option<Finding> {
    // A home that is not there yet lies on the disk of what is above it.
    let there = home.ancestors().find(|path| path.exists())?;
    let found = statvfs(there).ok()?;
    let free = found
        .blocks_available()
        .saturating_mul(found.fragment_size());
    let says = format!("{} MiB free at {}", free / (1024 * 1024), there.display());
    Some(if free < NOTHING {
        Finding::wrong(
            "disk",
            says,
            "make room; the node refuses writes on a full disk",
        )
    } else if free < LITTLE {
        Finding::warning("disk", says, "make room before the disk is full")
    } else {
        Finding::ok("disk", says)
    })
}

fn program(name: &'static str) -> Finding {
    let path = match launch::program(name) {
        Ok(path) => path,
        Err(error) => {
            return Finding::wrong(name, error.to_string(), "cargo xtask up builds all of them");
        }
    };
    let own = env!("CARGO_PKG_VERSION");
    let said = Command::new(&path)
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    match said {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            let version = text.split_whitespace().last().unwrap_or_default();
            if version == own {
                Finding::ok(name, text)
            } else {
                Finding::warning(
                    name,
                    format!("{text}, tana is {own}"),
                    "build them from one checkout: cargo xtask up",
                )
            }
        }
        Ok(output) => Finding::wrong(
            name,
            format!("{} --version gave {}", path.display(), output.status),
            "build it again: cargo xtask up",
        ),
        Err(error) => Finding::wrong(
            name,
            format!("{} cannot be run: {error}", path.display()),
            "build it again: cargo xtask up",
        ),
    }
}

fn ports(context: &Context) -> Vec<Finding> {
    let settings = &context.settings;
    let taken: Vec<Finding> = settings
        .role
        .services()
        .iter()
        .filter_map(|&kind| {
            let port = settings.port(kind);
            let error = TcpListener::bind(SocketAddr::new(settings.host, port)).err()?;
            Some(Finding::wrong(
                "port",
                format!("{kind} cannot listen on port {port}: {error}"),
                "stop what has it, or start with --port-offset N",
            ))
        })
        .collect();
    if taken.is_empty() {
        vec![Finding::ok("ports", "all free")]
    } else {
        taken
    }
}

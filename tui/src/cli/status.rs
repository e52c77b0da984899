//! `tana status`: the node in one table; exit 0 only when every service is ready.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use serde_json::json;
use tana_client::{LedgerClient, NodeClient};
use tana_protocol::api::mesh::NodeStatus;
use tana_protocol::api::node::{Membership, NodeView, ServiceState};
use tana_protocol::{ServiceKind, Timestamp};

use super::context::Context;
use super::exit::Exit;
use super::output::{Side, Table};
use super::start::{brief, why};
use crate::show::{Clock, clean};

pub(crate) async fn execute(context: &Context) -> anyhow::Result<Exit> {
    if context.is_remote() {
        return remote(context).await;
    }
    let view = match context.node()?.status().await {
        Ok(view) => view,
        Err(error) if error.is_unreachable() => {
            // An answer of its own on standard output, since scripts ask this to learn it.
            context
                .out
                .show(&json!({"running": false, "services": []}), || {
                    format!("no node runs in {}\n", context.home().root().display())
                })?;
            context.out.hint(if super::stop::orphans(context) {
                "its supervisor is gone and services of it still run; take them over: tana start --wait"
            } else {
                "start it: tana start --wait"
            })?;
            return Ok(Exit::Unreachable);
        }
        Err(error) => return Err(error.into()),
    };
    context.out.show(&view, || text(context, &view))?;
    let unready = view
        .services
        .iter()
        .find(|service| service.state != ServiceState::Ready);
    match unready {
        None => {
            context.out.hint("all services are ready")?;
            Ok(Exit::Done)
        }
        Some(service) => {
            let hint = match &service.hint {
                Some(hint) => clean(hint),
                None => format!("see: tana logs {}", service.name),
            };
            context.out.hint(&format!("{}; {hint}", why(service)))?;
            Ok(Exit::Failed)
        }
    }
}

/// The wall clock, in this machine's time zone.
pub(crate) fn clock() -> Clock {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Clock {
        now: Timestamp::from_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
        zone: TimeZone::system(),
    }
}

/// The node and its services.
pub(crate) fn text(context: &Context, view: &NodeView) -> String {
    let clock = clock();
    let mut table = Table::new(&[
        ("service", Side::Left),
        ("state", Side::Left),
        ("port", Side::Right),
        ("pid", Side::Right),
        ("since", Side::Left),
        ("CPU %", Side::Right),
        ("MiB", Side::Right),
        ("restarts", Side::Right),
        ("why", Side::Left),
    ]);
    for service in &view.services {
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
        table.row([
            service.name.to_string(),
            service.state.to_string(),
            or_dash(service.port.map(|port| port.to_string())),
            or_dash(service.pid.map(|pid| pid.to_string())),
            clock.time(service.since),
            or_dash(
                service
                    .cpu_permille
                    .map(|permille| format!("{}.{}", permille / 10, permille % 10)),
            ),
            or_dash(
                service
                    .memory_bytes
                    .map(|bytes| (bytes / (1024 * 1024)).to_string()),
            ),
            service.restarts.to_string(),
            match service.state {
                ServiceState::Ready => String::new(),
                _ => service.why.as_deref().map(brief).unwrap_or_default(),
            },
        ]);
    }
    format!(
        "{}  chain {}  {}  since {}\n{}{}",
        context.out.accent(view.node_id.as_str()),
        clean(&view.chain),
        view.role,
        clock.time(view.started_at),
        table.text(context.out),
        view.membership.as_ref().map(membership).unwrap_or_default()
    )
}

/// Why the node is no active member of the mesh; nothing where it is one.
fn membership(standing: &Membership) -> String {
    let status = standing.status.map_or("unknown", NodeStatus::as_str);
    match &standing.why {
        Some(why) => format!("in the mesh: {status}; {}\n", clean(why)),
        None if standing.status == Some(NodeStatus::Active) => String::new(),
        None => format!("in the mesh: {status}\n"),
    }
}

/// Another machine's services, by their own health.
async fn remote(context: &Context) -> anyhow::Result<Exit> {
    let mut rows = Vec::new();
    for &kind in context.settings.role.services() {
        // The producer is reached on its own machine only.
        if kind == ServiceKind::Producer {
            continue;
        }
        // Every daemon answers /health alike.
        let url = context.url(kind);
        let state = match LedgerClient::new(&url)?.health().await {
            Ok(health) => serde_json::to_value(health.status)?
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            Err(error) if error.is_unreachable() => "unreachable".to_owned(),
            Err(error) => clean(&error.to_string()),
        };
        rows.push((kind, url, state));
    }
    let value: Vec<_> = rows
        .iter()
        .map(|(kind, url, state)| json!({"name": kind, "url": url, "state": state}))
        .collect();
    context.out.show(&value, || {
        let mut table = Table::new(&[
            ("service", Side::Left),
            ("state", Side::Left),
            ("url", Side::Left),
        ]);
        for (kind, url, state) in &rows {
            table.row([kind.to_string(), state.clone(), url.clone()]);
        }
        table.text(context.out)
    })?;
    if rows.iter().all(|(_, _, state)| state == "ok") {
        Ok(Exit::Done)
    } else if rows.iter().all(|(_, _, state)| state == "unreachable") {
        Ok(Exit::Unreachable)
    } else {
        Ok(Exit::Failed)
    }
}

/// Whether a supervisor answers.
pub(crate) async fn running(node: &NodeClient) -> Option<NodeView> {
    node.status().await.ok()
}

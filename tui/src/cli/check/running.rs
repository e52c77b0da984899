//! The running node: its services, its version, its chain.

use tana_protocol::api::node::{NodeView, ServiceState};

use super::Finding;
use crate::cli::context::Context;
use crate::cli::start::why;
use crate::cli::submit;

pub(super) async fn look(context: &Context, view: Option<&NodeView>) -> Vec<Finding> {
    let mut findings = Vec::new();
    match view {
        None => findings.push(Finding::ok("node", "does not run")),
        Some(view) => services(view, &mut findings),
    }
    if view.is_none() && !context.is_remote() {
        return findings;
    }
    match tip(context).await {
        Ok(finding) => findings.push(finding),
        Err(error) => findings.push(Finding::wrong(
            "ledger",
            crate::show::clean(&error.to_string()),
            "see: tana logs ledger",
        )),
    }
    findings
}

fn services(view: &NodeView, findings: &mut Vec<Finding>) {
    let own = env!("CARGO_PKG_VERSION");
    if view.version == own {
        findings.push(Finding::ok("node", format!("runs as pid {}", view.pid)));
    } else {
        findings.push(Finding::warning(
            "node",
            format!("runs version {}, tana is {own}", view.version),
            "start it again with the new one: tana stop && tana start",
        ));
    }
    for service in &view.services {
        if service.state != ServiceState::Ready {
            findings.push(Finding::wrong(
                "service",
                why(service),
                service
                    .hint
                    .clone()
                    .unwrap_or_else(|| format!("see: tana logs {}", service.name)),
            ));
        }
    }
}

/// The chain is this home's, and its last block lies in the past.
async fn tip(context: &Context) -> anyhow::Result<Finding> {
    let ledger = context.ledger()?;
    submit::chain_id(&context.settings, &ledger).await?;
    let tip = ledger.latest_block().await?;
    let now = tana_client::now();
    if tip.header.timestamp > now {
        return Ok(Finding::wrong(
            "clock",
            format!(
                "the last block is of {}, this machine's clock says {now}",
                tip.header.timestamp
            ),
            "set this machine's clock",
        ));
    }
    Ok(Finding::ok(
        "tip",
        format!("block {} of {}", tip.header.height, tip.header.timestamp),
    ))
}

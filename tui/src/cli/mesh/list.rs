//! `tana mesh list` and `status`.

use clap::Args;
use serde_json::json;
use tana_client::NodeFilter;
use tana_home::KeyFile;
use tana_protocol::Code;
use tana_protocol::api::mesh::{Node, NodeStatus};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, failure};
use crate::cli::output::{Side, Table};
use crate::cli::status::clock;
use crate::show::clean;

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those that are pending, active, denied or offline
    #[arg(long, value_name = "STATUS")]
    status: Vec<NodeStatus>,
}

impl List {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let filter = if self.status.is_empty() {
            NodeFilter::All
        } else {
            NodeFilter::Status(self.status)
        };
        let nodes = context.mesh()?.nodes(&filter).await?;
        context.out.show(&nodes, || table(context, &nodes))?;
        let waits: Vec<&Node> = nodes
            .iter()
            .filter(|node| node.status == NodeStatus::Pending)
            .collect();
        if let Some(node) = waits.first() {
            context.out.hint(&format!(
                "{} waits; compare its fingerprint, then: tana mesh approve {}",
                waits.len(),
                node.id
            ))?;
        } else if nodes.is_empty() {
            context
                .out
                .hint("no such node; one registers with: tana mesh register")?;
        }
        Ok(Exit::Done)
    }
}

fn table(context: &Context, nodes: &[Node]) -> String {
    let clock = clock();
    let mut table = Table::new(&[
        ("node", Side::Left),
        ("status", Side::Left),
        ("heartbeat", Side::Left),
        ("registered", Side::Left),
        ("host", Side::Left),
        ("services", Side::Right),
        ("height", Side::Right),
        ("uptime", Side::Right),
        ("region", Side::Left),
        ("key", Side::Left),
    ]);
    for node in nodes {
        table.row([
            node.id.to_string(),
            node.status.to_string(),
            node.last_heartbeat
                .map_or_else(|| "–".to_owned(), |at| clock.time(at)),
            clock.time(node.registered_at),
            node.tailscale_hostname.clone(),
            node.services.len().to_string(),
            node.height
                .map_or_else(|| "–".to_owned(), |height| height.to_string()),
            node.record
                .uptime
                .map_or_else(|| "–".to_owned(), |uptime| uptime.to_string()),
            node.region.as_deref().map_or_else(|| "–".to_owned(), clean),
            node.public_key.short(),
        ]);
    }
    table.text(context.out)
}

/// How this home's node stands, and how many there are of each status.
pub(crate) async fn status(context: &Context) -> anyhow::Result<Exit> {
    let mesh = context.mesh()?;
    let info = mesh.info().await?;
    let id = &context.settings.node_id;
    let own = match mesh.node(id).await {
        Ok(node) => Some(node),
        Err(error) if error.code() == Some(Code::NotFound) => None,
        Err(error) => return Err(error.into()),
    };
    if let (Some(node), Some(key)) = (&own, KeyFile::find(&context.home().node_key_file())?)
        && node.public_key != key.public_key
    {
        return Err(failure(
            Exit::Failed,
            format!(
                "another node is registered as {id} (key {}); give this one another name: nodeId in config.json",
                node.public_key.short()
            ),
        ));
    }
    context
        .out
        .show(&json!({"node": own, "nodes": info.nodes, "mesh": mesh.base()}), || {
            let stands = own
                .as_ref()
                .map_or("not registered", |node| node.status.as_str());
            let counts = info.nodes;
            format!(
                "mesh     {}\n{id}  {stands}\nnodes    {} active, {} pending, {} offline, {} in all\n",
                mesh.base(),
                counts.active,
                counts.pending,
                counts.offline,
                counts.total
            )
        })?;
    match own.map(|node| node.status) {
        None => context.out.hint("register it: tana mesh register")?,
        Some(NodeStatus::Pending) => context
            .out
            .hint(&format!("a sovereign admits it: tana mesh approve {id}"))?,
        Some(_) if info.nodes.pending > 0 => context
            .out
            .hint("who waits: tana mesh list --status pending")?,
        Some(_) => {}
    }
    Ok(Exit::Done)
}

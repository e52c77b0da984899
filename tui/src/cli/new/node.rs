//! `tana new node`: a node's key, this home's own or a further one's.

use clap::Args;
use serde_json::{Value, json};
use tana_home::{KeyFile, NodeFile, read_json, write_json};
use tana_protocol::{NodeId, SecretKey};

use super::{key_at, key_said};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, failure};
use crate::show::clean;

#[derive(Debug, Args)]
pub(crate) struct NewNode {
    /// The node's name in the mesh
    name: String,
    /// What its ports are moved by
    #[arg(long, value_name = "N", default_value_t = 0)]
    port_offset: u16,
}

impl NewNode {
    pub(super) fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let id: NodeId = self
            .name
            .parse()
            .map_err(|error| failure(Exit::Misuse, format!("{:?}: {error}", clean(&self.name))))?;
        let home = context.home();
        home.create()?;
        let own = home.node_key_file();
        if KeyFile::find(&own)?.is_none() {
            let key = key_at(&own)?;
            name_this_node(context, &id, self.port_offset)?;
            key_said(
                context.out,
                &json!({"nodeId": id, "publicKey": key.public_key, "file": own}),
                &format!("this home's node is {id} now"),
                &key.public_key,
            )?;
            context.out.hint("next: tana mesh register")?;
            return Ok(Exit::Done);
        }
        let (file, made) = further_node(context, &id, self.port_offset)?;
        let what = if made == Made::Now {
            "made"
        } else {
            "is there already; nothing was changed"
        };
        key_said(
            context.out,
            &json!({"nodeId": id, "publicKey": file.public_key, "file": home.node_file(id.as_str())}),
            &format!("node {id} {what}"),
            &file.public_key,
        )?;
        context
            .out
            .hint(&format!("next: tana mesh register --dev --node-id {id}"))?;
        Ok(Exit::Done)
    }
}

/// Whether a file is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    Now,
    Before,
}

/// The key of a further node that is played from this home; a new one where there is none.
pub(crate) fn further_node(
    context: &Context,
    id: &NodeId,
    port_offset: u16,
) -> anyhow::Result<(NodeFile, Made)> {
    let path = context.home().node_file(id.as_str());
    if let Some(found) = NodeFile::find(&path)? {
        return Ok((found, Made::Before));
    }
    let key = SecretKey::generate();
    let file = NodeFile {
        node_id: id.clone(),
        port_offset,
        public_key: key.public(),
        secret_key: key,
    };
    file.create(&path)?;
    Ok((file, Made::Now))
}

/// Writes the node's name, and its offset where it has one, into config.json.
fn name_this_node(context: &Context, id: &NodeId, port_offset: u16) -> anyhow::Result<()> {
    let path = context.home().config_file();
    let mut config: serde_json::Map<String, Value> = read_json(&path)?.unwrap_or_default();
    config.insert("nodeId".to_owned(), json!(id));
    if port_offset != 0 {
        config.insert("portOffset".to_owned(), json!(port_offset));
    }
    write_json(&path, &config)?;
    Ok(())
}

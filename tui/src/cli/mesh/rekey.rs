//! `tana mesh rekey`: another key for this home's node.

use std::fs;

use anyhow::Context as _;
use clap::Args;
use tana_client::{LedgerClient, MeshClient};
use tana_home::KeyFile;
use tana_protocol::api::mesh::{Node, NodeStatus};
use tana_protocol::node::NodeKey;
use tana_protocol::{Code, PublicKey};

use super::register::offers;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, failure};
use crate::validators;

#[derive(Debug, Args)]
pub(crate) struct Rekey {}

impl Rekey {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let id = &context.settings.node_id;
        let path = context.home().node_key_file();
        let old = KeyFile::read(&path)?;
        let mesh = context.mesh()?;
        let node = match mesh.node(id).await {
            Ok(node) => Some(node),
            Err(error) if error.code() == Some(Code::NotFound) => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(node) = &node {
            may(context, node, &old).await?;
        }
        // On disk before the mesh hears of it: a key that the mesh has taken can never be lost with this process.
        let next = path.with_file_name("node-key.next.json");
        let new = match KeyFile::find(&next)? {
            Some(found) => found,
            None => {
                let new = KeyFile::generate();
                new.create(&next)?;
                new
            }
        };
        let member = node.filter(|node| node.status != NodeStatus::Denied);
        if let Some(node) = &member
            && node.public_key != new.public_key
        {
            rotate(context, &mesh, node, &old, &new)
                .await
                .with_context(|| {
                    format!(
                        "the key was not replaced; the new one waits in {} for another try",
                        next.display()
                    )
                })?;
        }
        let kept = path.with_file_name(format!("node-key.{}.json", digits(&old.public_key)));
        fs::rename(&path, &kept)
            .and_then(|()| fs::rename(&next, &path))
            .with_context(|| {
                format!(
                    "the new key is in {}; move it to {} by hand",
                    next.display(),
                    path.display()
                )
            })?;
        let value = serde_json::json!({"nodeId": id, "publicKey": new.public_key, "file": path, "oldFile": kept});
        context.out.show(&value, || {
            format!(
                "{id} has another key\nkey  {}\n",
                new.public_key.fingerprint()
            )
        })?;
        context.out.hint(if member.is_some() {
            "its services have other keys with it: tana stop, then tana start"
        } else {
            "tana stop, then tana start: it registers with the new key, on which a sovereign decides"
        })?;
        Ok(Exit::Done)
    }
}

/// The first digits of a key, for the name of the file that keeps it.
pub(crate) fn digits(key: &PublicKey) -> String {
    key.to_bytes()[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Whether this home may change the node's key now.
async fn may(context: &Context, node: &Node, old: &KeyFile) -> anyhow::Result<()> {
    let next = context
        .home()
        .node_key_file()
        .with_file_name("node-key.next.json");
    let new = KeyFile::find(&next)?.map(|file| file.public_key);
    if node.public_key != old.public_key && Some(node.public_key) != new {
        return Err(failure(
            Exit::Refused,
            format!(
                "the mesh knows {} under another key ({}); this home's cannot replace it",
                node.id,
                node.public_key.short()
            ),
        ));
    }
    if node.status == NodeStatus::Pending {
        return Err(failure(
            Exit::Refused,
            format!(
                "{} waits for a sovereign; once it is decided on, its key can change",
                node.id
            ),
        ));
    }
    let ledger: LedgerClient = context.ledger()?;
    let seals = validators::is_validator(&ledger, &node.id).await;
    if node.status != NodeStatus::Denied && seals.unwrap_or(false) {
        return Err(failure(
            Exit::Refused,
            format!(
                "{} is a validator, and blocks are checked with the old key; first a sovereign: tana mesh remove {}",
                node.id, node.id
            ),
        ));
    }
    Ok(())
}

async fn rotate(
    context: &Context,
    mesh: &MeshClient,
    node: &Node,
    old: &KeyFile,
    new: &KeyFile,
) -> anyhow::Result<()> {
    let services = offers(
        context,
        &NodeKey::new(new.secret_key.clone()),
        context.settings.port_offset,
    )?;
    mesh.rotate_node(
        &node.id,
        &node.tailscale_hostname,
        &old.secret_key,
        &new.secret_key,
        services,
    )
    .await?;
    Ok(())
}

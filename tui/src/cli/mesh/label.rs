//! `tana mesh label`: where a node is.

use clap::Args;
use tana_home::KeyFile;
use tana_protocol::{NodeId, message};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, failure};
use crate::cli::passphrase::signer;
use crate::show::clean;

#[derive(Debug, Args)]
pub(crate) struct Label {
    /// The node's name
    #[arg(value_name = "NODE")]
    id: String,
    /// Where it is, such as eu-west or Lisbon; without, the label is taken off
    #[arg(value_name = "REGION", default_value = "")]
    region: String,
    /// Sign with a key of the ssh-agent: the only sovereign's in it, or the one of this comment or fingerprint
    #[arg(long, value_name = "KEY", num_args = 0..=1, default_missing_value = "")]
    ssh_agent: Option<String>,
}

impl Label {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let id: NodeId = self
            .id
            .parse()
            .map_err(|error| failure(Exit::Misuse, format!("{:?}: {error}", clean(&self.id))))?;
        let mesh = context.mesh()?;
        // Its own operator needs no sovereign.
        let own = match KeyFile::find(&context.home().node_key_file())? {
            Some(own) if self.ssh_agent.is_none() && id == context.settings.node_id => Some(own),
            _ => None,
        };
        let labelled = if let Some(own) = own {
            mesh.label(&id, &self.region, &own.secret_key).await?
        } else {
            let signer = signer(context, self.ssh_agent.as_deref()).await?;
            let at = tana_client::now();
            let signature = signer.sign(&message::label(&id, at, &self.region)).await?;
            mesh.label_signed(&id, &self.region, signer.public(), at, signature)
                .await?
        };
        context.out.show(&labelled, || match &labelled.region {
            Some(region) => format!("{id} is in {}\n", clean(region)),
            None => format!("{id} has no label now\n"),
        })?;
        Ok(Exit::Done)
    }
}

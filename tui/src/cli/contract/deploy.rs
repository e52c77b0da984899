//! `tana deploy contract`.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::{Signer, gas, output};
use crate::cli::context::Context;
use crate::cli::engine;
use crate::cli::exit::Exit;
use crate::cli::submit::{self, in_block};
use crate::cli::wait::{Wait, confirmed};
use crate::draft::{self, Draft};
use crate::show::count;

#[derive(Debug, Args)]
pub(crate) struct DeployContract {
    /// The contract's directory, or one TypeScript file
    path: PathBuf,
    /// What it is called by; default: what contract.json says, else the file's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    signer: Signer,
    #[command(flatten)]
    wait: Wait,
}

impl DeployContract {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let mut draft = Draft::read(&self.path)?;
        if let Some(name) = self.name {
            draft.name = name;
        }
        let deployment = draft.deployment()?;
        let name = deployment.name.clone();
        if let Some(file) = &draft.file {
            engine::check(file)?;
        }
        let ledger = context.ledger()?;
        let sender = self.signer.find(context, &ledger).await?;
        let what = format!("contract {name}");
        let begun = Instant::now();
        let (id, submitted) =
            draft::deploy(&context.settings, &ledger, &sender, &deployment).await?;
        if !self.wait.is_wanted() {
            let value = json!({"contractId": id, "transactionId": submitted.id, "status": submitted.status});
            return submit::queued(context, &submitted, &value, &what, &id);
        }
        let view = confirmed(&ledger, &submitted.id, self.wait.limit()).await?;
        submit::must_be_confirmed(&view, &what)?;
        let value = json!({"contractId": id, "name": name, "transaction": view});
        context.out.show(&value, || {
            format!(
                "{what} deployed{}  {} ms\nid   {id}\ngas  {}\n{}",
                in_block(&view),
                begun.elapsed().as_millis(),
                count(gas(&view)),
                output(&view)
            )
        })?;
        context
            .out
            .hint(&format!("next: tana contract call {name} --wait"))?;
        Ok(Exit::Done)
    }
}

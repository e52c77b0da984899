//! `tana mesh approve` and `deny`.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;
use tana_protocol::api::mesh::Node;
use tana_protocol::message::{self, Decision};
use tana_protocol::{Code, NodeId};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, failure};
use crate::cli::passphrase::signer;
use crate::show::clean;

#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// The node's name
    // Not `node`: that is the id of the flag --node, and clap would take one for the other.
    #[arg(value_name = "NODE")]
    id: String,
    /// Sign with a key of the ssh-agent: the only sovereign's in it, or the one of this comment or fingerprint
    #[arg(long, value_name = "KEY", num_args = 0..=1, default_missing_value = "")]
    ssh_agent: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Decide {
    pub(crate) async fn execute(
        self,
        context: &Context,
        decision: Decision,
    ) -> anyhow::Result<Exit> {
        let id: NodeId = self
            .id
            .parse()
            .map_err(|error| failure(Exit::Misuse, format!("{:?}: {error}", clean(&self.id))))?;
        let mesh = context.mesh()?;
        let node = match mesh.node(&id).await {
            Ok(node) => node,
            Err(error) if error.code() == Some(Code::NotFound) => {
                return Err(failure(
                    Exit::Refused,
                    format!("no node is registered as {id}; see: tana mesh list"),
                ));
            }
            Err(error) => return Err(error.into()),
        };
        // The registry may be wrong about what was signed; this is not asked of it.
        if decision == Decision::Approve && node.verify_registration().is_err() {
            return Err(failure(
                Exit::Refused,
                format!(
                    "the registration of {id} was not signed by the key it names; nothing was signed; deny it: tana mesh deny {id}"
                ),
            ));
        }
        if !self.yes && io::stdin().is_terminal() && !asked(&node, decision)? {
            context.out.hint("nothing was changed")?;
            return Ok(Exit::Done);
        }
        let signer = signer(context, self.ssh_agent.as_deref()).await?;
        let at = tana_client::now();
        let signature = signer
            .sign(&message::decision(decision, &id, &node.public_key, at))
            .await?;
        let decided = mesh
            .decide_signed(decision, &id, signer.public(), at, signature)
            .await
            .map_err(|error| {
                let refusal = error.code().is_some();
                let error = anyhow::Error::from(error);
                if refusal {
                    error.context(format!("{id} was not {}", past(decision)))
                } else {
                    error
                }
            })?;
        context.out.show(&decided, || {
            format!(
                "{id} {}, it is {} now\nkey  {}\n",
                past(decision),
                decided.status,
                node.public_key.fingerprint()
            )
        })?;
        Ok(Exit::Done)
    }
}

const fn past(decision: Decision) -> &'static str {
    match decision {
        Decision::Approve => "approved",
        Decision::Deny => "denied",
    }
}

/// Asks on the terminal; the safe answer is the default.
fn asked(node: &Node, decision: Decision) -> io::Result<bool> {
    let consequence = match decision {
        Decision::Approve => "its services may then speak to this chain's",
        Decision::Deny => "it stays out; its name and key cannot register again",
    };
    let mut err = io::stderr().lock();
    write!(
        err,
        "{} {}, {}\nkey  {}\n{consequence}\n{} it? [y/N] ",
        decision.verb(),
        node.id,
        clean(&node.tailscale_hostname),
        node.public_key.fingerprint(),
        decision.verb(),
    )?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(
        answer.trim().to_ascii_lowercase().as_str(),
        "y" | "yes"
    ))
}

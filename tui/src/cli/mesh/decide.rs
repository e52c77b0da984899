//! `tana mesh approve`, `deny` and `remove`.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;
use tana_protocol::api::mesh::{Decided, Node, NodeStatus};
use tana_protocol::message::{self, Decision};
use tana_protocol::{Code, NodeId};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, failure};
use crate::cli::passphrase::signer;
use crate::show::clean;
use crate::sign::Signer;
use crate::validators::{self, Followed, NotFollowed};

#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// The node's name
    // Not `node`: that is the id of the flag --node, and clap would take one for the other.
    #[arg(value_name = "NODE")]
    id: String,
    /// Sign with a key of the ssh-agent: the only sovereign's in it, or the one of this comment or fingerprint
    #[arg(long, value_name = "KEY", num_args = 0..=1, default_missing_value = "")]
    ssh_agent: Option<String>,
    /// Leave the chain's validator set as it is, also where the node produces blocks
    #[arg(long)]
    only_mesh: bool,
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
        let answer = mesh
            .decide_signed(decision, &id, signer.public(), at, signature)
            .await;
        let decided = match answer {
            Ok(decided) => decided,
            // A sovereign whose validator update did not go through tries that alone again.
            Err(error) if stands(&error, &node, decision) => {
                let followed = self.follow(context, &signer, &node, decision).await;
                let Ok(Followed::Submitted(_)) = &followed else {
                    return Err(refusal(error, &id, decision));
                };
                let decided = Decided {
                    success: true,
                    node_id: id,
                    status: node.status,
                    votes: None,
                    needed: None,
                };
                return said(context, &decided, &node, decision, followed);
            }
            Err(error) => return Err(refusal(error, &id, decision)),
        };
        // While more sovereigns are needed nothing has changed that the chain should follow.
        let followed = if decided.needed.is_some() {
            Ok(Followed::Nothing)
        } else {
            self.follow(context, &signer, &node, decision).await
        };
        said(context, &decided, &node, decision, followed)
    }

    async fn follow(
        &self,
        context: &Context,
        signer: &Signer,
        node: &Node,
        decision: Decision,
    ) -> Result<Followed, NotFollowed> {
        if self.only_mesh {
            return Ok(Followed::Nothing);
        }
        let ledger = context
            .ledger()
            .map_err(|error| NotFollowed::Unreadable(error.to_string()))?;
        let chain = context.settings.chain().ok().map(|chain| chain.chain_id);
        validators::follow(&ledger, chain.as_deref(), signer, node, decision).await
    }
}

/// Whether the mesh refuses only because it stands so already.
fn stands(error: &tana_client::ClientError, node: &Node, decision: Decision) -> bool {
    let so = match decision {
        Decision::Approve => matches!(node.status, NodeStatus::Active | NodeStatus::Offline),
        Decision::Remove => node.record.removed_at.is_some(),
        Decision::Deny => false,
    };
    so && error.code() == Some(Code::AlreadyDecided)
}

fn refusal(error: tana_client::ClientError, id: &NodeId, decision: Decision) -> anyhow::Error {
    let refused = error.code().is_some();
    let error = anyhow::Error::from(error);
    if refused {
        error.context(format!("{id} was not {}", past(decision)))
    } else {
        error
    }
}

fn said(
    context: &Context,
    decided: &Decided,
    node: &Node,
    decision: Decision,
    followed: Result<Followed, NotFollowed>,
) -> anyhow::Result<Exit> {
    let id = &decided.node_id;
    let mut value = serde_json::to_value(decided)?;
    match &followed {
        Ok(Followed::Nothing) => {}
        Ok(Followed::Submitted(transaction)) => {
            value["validatorUpdate"] = serde_json::to_value(transaction)?;
        }
        Err(error) => value["validatorUpdateError"] = error.to_string().into(),
    }
    context.out.show(&value, || {
        let key = node.public_key.fingerprint();
        match (decided.votes, decided.needed) {
            (Some(votes), Some(needed)) => format!(
                "your vote to {} {id} counts: {votes} of {needed} sovereigns; it is {}\nkey  {key}\n",
                decision.verb(),
                decided.status
            ),
            _ => format!(
                "{id} {}, it is {} now\nkey  {key}\n",
                past(decision),
                decided.status
            ),
        }
    })?;
    match followed {
        Ok(Followed::Nothing) => {}
        Ok(Followed::Submitted(transaction)) => context.out.hint(&format!(
            "the chain's validator set changes two blocks after {}",
            transaction.short()
        ))?,
        // Half of what was asked for is not done, and a script has to see it.
        Err(error) => {
            return Err(failure(
                Exit::Failed,
                format!(
                    "{id} was {}, and the chain's validators stay as they are: {error}; to try again: tana mesh {} {id}",
                    past(decision),
                    decision.verb()
                ),
            ));
        }
    }
    Ok(Exit::Done)
}

const fn past(decision: Decision) -> &'static str {
    match decision {
        Decision::Approve => "approved",
        Decision::Deny => "denied",
        Decision::Remove => "removed",
    }
}

/// Asks on the terminal; the safe answer is the default.
fn asked(node: &Node, decision: Decision) -> io::Result<bool> {
    let consequence = match decision {
        Decision::Approve => "its services may then speak to this chain's",
        Decision::Deny => "it stays out; its key cannot register again",
        Decision::Remove => "its services are no longer trusted; its key cannot register again",
    };
    let validator = match validators::producer(node).filter(|_| decision == Decision::Approve) {
        Some(key) => format!(
            "; it becomes a validator: blocks signed with {} are the chain's",
            key.short()
        ),
        None => String::new(),
    };
    let mut err = io::stderr().lock();
    write!(
        err,
        "{} {}, {}\nkey  {}\n{consequence}{validator}\n{} it? [y/N] ",
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

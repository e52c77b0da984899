//! `tana mesh`: registers nodes, decides on them, shows them.

mod decide;
mod decisions;
mod label;
mod list;
mod register;
mod rekey;

use clap::Subcommand;

pub(crate) use rekey::digits;

use super::context::Context;
use super::exit::Exit;

#[derive(Debug, Subcommand)]
pub(crate) enum Mesh {
    /// Ask the mesh to admit this node, or with --dev another one played from this terminal
    Register(register::Register),
    /// Admit a node, signed by the sovereign key of this home
    Approve(decide::Decide),
    /// Keep a node out, signed by the sovereign key of this home
    Deny(decide::Decide),
    /// Put a node out that was let in, signed by the sovereign key of this home
    Remove(decide::Decide),
    /// Say where a node is, signed by its own key or the sovereign key of this home
    Label(label::Label),
    /// Give this home's node another key, named by its old one
    Rekey(rekey::Rekey),
    /// What was decided, each entry checked with the one before
    Decisions(decisions::Decisions),
    /// How this node stands, and how many wait
    Status,
    /// All nodes
    List(list::List),
}

impl Mesh {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        use tana_protocol::message::Decision;
        match self {
            Self::Register(register) => register.execute(context).await,
            Self::Approve(node) => node.execute(context, Decision::Approve).await,
            Self::Deny(node) => node.execute(context, Decision::Deny).await,
            Self::Remove(node) => node.execute(context, Decision::Remove).await,
            Self::Label(label) => label.execute(context).await,
            Self::Rekey(rekey) => rekey.execute(context).await,
            Self::Decisions(decisions) => decisions.execute(context).await,
            Self::Status => list::status(context).await,
            Self::List(list) => list.execute(context).await,
        }
    }
}

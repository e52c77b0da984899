//! `tana mesh`: registers nodes, decides on them, shows them.

mod decide;
mod list;
mod register;

use clap::Subcommand;

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
            Self::Status => list::status(context).await,
            Self::List(list) => list.execute(context).await,
        }
    }
}

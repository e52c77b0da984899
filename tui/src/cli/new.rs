//! `tana new chain|user|node|contract`: files of a home. Idempotent, or refuses with a reason; no key is overwritten.

mod chain;
mod contract;
mod node;
mod user;

use std::io;
use std::path::Path;

use clap::Subcommand;
use serde_json::Value;
use tana_home::{HomeError, KeyFile};
use tana_protocol::PublicKey;

use super::context::Context;
use super::exit::{Exit, failure};
use super::output::Output;
use crate::show::clean;

pub(crate) use node::further_node;

#[derive(Debug, Subcommand)]
pub(crate) enum New {
    /// A chain: its genesis, the sovereign's key and user, this node's key
    Chain(chain::NewChain),
    /// A user's key, in users/NAME.json
    User(user::NewUser),
    /// A node's key: this home's own where it has none, otherwise nodes/NAME.json
    Node(node::NewNode),
    /// A contract's first file, in this directory
    Contract(contract::NewContract),
}

impl New {
    pub(crate) fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::Chain(chain) => chain.execute(context),
            Self::User(user) => user.execute(context),
            Self::Node(node) => node.execute(context),
            Self::Contract(contract) => contract.execute(context.out.is_json()),
        }
    }
}

/// A name that is also a file's.
pub(crate) fn file_name<'a>(what: &str, text: &'a str) -> anyhow::Result<&'a str> {
    let valid = (1..=40).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-');
    if valid {
        Ok(text)
    } else {
        Err(failure(
            Exit::Misuse,
            format!(
                "{:?} is no {what}'s name; it is 1 to 40 of a-z, 0-9 and -, such as demo",
                clean(text)
            ),
        ))
    }
}

/// The key in a file; a new one where there is none.
fn key_at(path: &Path) -> Result<KeyFile, HomeError> {
    if let Some(found) = KeyFile::find(path)? {
        return Ok(found);
    }
    let key = KeyFile::generate();
    match key.create(path) {
        // Another `tana new` was faster: its key is the one.
        Err(HomeError::Exists { .. }) => KeyFile::read(path),
        written => written.map(|()| key),
    }
}

fn key_said(out: Output, value: &Value, what: &str, key: &PublicKey) -> io::Result<()> {
    out.show(value, || format!("{what}\nkey  {}\n", key.fingerprint()))
}

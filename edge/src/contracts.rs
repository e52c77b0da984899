//! Finding a contract by its name: in a directory, on the chain.

mod deployed;
mod directory;

use std::path::PathBuf;
use std::sync::Arc;

use tana_client::LedgerClient;
use tana_protocol::ContractId;
use tana_sandbox::message::Entry;

use crate::chain::Chain;
use deployed::Deployed;
use directory::Directory;

/// A source to run.
#[derive(Debug, Clone)]
pub(crate) struct Contract {
    /// The file's name, for messages.
    pub(crate) file: String,
    /// TypeScript.
    pub(crate) source: Arc<str>,
    /// The id on the chain.
    pub(crate) id: Option<ContractId>,
    /// The owner's id.
    pub(crate) owner: Option<String>,
}

/// Why there is no source.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContractError {
    /// No contract of this name.
    #[error("there is no contract {0}")]
    Unknown(String),
    /// There is one, with a handler for the other method only.
    #[error("the contract {0} has a handler for {1} only")]
    Method(String, &'static str),
    /// It cannot be read now.
    #[error("{0}")]
    Unavailable(String),
}

pub(crate) struct Contracts {
    directory: Directory,
    deployed: Option<Deployed>,
}

impl Contracts {
    /// Those of a directory.
    pub(crate) fn directory(dir: PathBuf) -> Self {
        Self {
            directory: Directory::new(dir),
            deployed: None,
        }
    }

    /// Those of a node's directory, before those of its chain.
    pub(crate) fn node(dir: PathBuf, ledger: LedgerClient, chain: Arc<Chain>) -> Self {
        Self {
            directory: Directory::new(dir),
            deployed: Some(Deployed::new(ledger, chain)),
        }
    }

    pub(crate) async fn find(&self, name: &str, entry: Entry) -> Result<Contract, ContractError> {
        match (self.directory.find(name, entry).await, &self.deployed) {
            (Err(ContractError::Unknown(_)), Some(deployed)) => deployed.find(name).await,
            (found, _) => found,
        }
    }
}

/// Whether a text can name a contract: it becomes part of a path.
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

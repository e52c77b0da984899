//! With which flags the node was started, so that later commands find it.

use serde::{Deserialize, Serialize};
use tana_protocol::service::NodeRole;

use crate::error::HomeError;
use crate::files::{read_json, write_json};
use crate::home::Home;

/// `data/run.json`: written by `tana start`, removed by `tana stop`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunState {
    /// What all ports are moved by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_offset: Option<u16>,
    /// What the node is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<NodeRole>,
    /// The chain it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
}

impl RunState {
    /// What the last start left; nothing where none did.
    ///
    /// # Errors
    /// When the file is there and not right.
    pub fn read(home: &Home) -> Result<Self, HomeError> {
        Ok(read_json(&home.run_file())?.unwrap_or_default())
    }

    /// Notes the flags of a start.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, home: &Home) -> Result<(), HomeError> {
        write_json(&home.run_file(), self)
    }

    /// Forgets them.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn clear(home: &Home) -> Result<(), HomeError> {
        let path = home.run_file();
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(HomeError::Write {
                path,
                source: error,
            }),
            _ => Ok(()),
        }
    }
}

//! The content store's bodies.

use serde::{Deserialize, Serialize};

use crate::hash::Hash32;

/// The answer to `PUT /content/{sha256}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// What it was stored under.
    pub hash: Hash32,
    /// Its size in bytes.
    pub size: u64,
    /// Always true.
    pub stored: bool,
}

/// The answer to `DELETE /content/{sha256}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// What was deleted.
    pub hash: Hash32,
    /// Always true.
    pub deleted: bool,
}

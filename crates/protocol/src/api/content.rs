//! The content store's bodies.

use serde::{Deserialize, Serialize};

use crate::hash::Hash32;
use crate::id::NodeId;
use crate::time::Timestamp;

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

/// An entry of `GET /content`: what the store holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Its SHA-256.
    pub hash: Hash32,
    /// Its size in bytes.
    pub size: u64,
    /// When it was stored.
    pub stored_at: Timestamp,
}

/// The answer to `GET /info`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreInfo {
    /// `t4`.
    pub service: String,
    /// How many contents there are.
    pub count: u64,
    /// Their bytes, uploads on their way included.
    pub bytes: u64,
    /// How many bytes there may be; absent where the disk alone says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota_bytes: Option<u64>,
    /// The largest single content in bytes.
    pub max_bytes: u64,
    /// Contents that rotted on the disk and were not fetched again yet.
    pub quarantined: Vec<Hash32>,
    /// The reading of all content against its hashes.
    pub scrub: ScrubInfo,
}

/// The reading of all content against its hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScrubInfo {
    /// Whether it is under way.
    pub running: bool,
    /// Contents that were read in this pass, or in the last one.
    pub checked: u64,
    /// Contents found rotten in it.
    pub rotten: u64,
    /// When the last pass ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

/// The answer of the ledger to `GET /content/status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncStatus {
    /// The height up to which blocks were looked through and what they refer to was looked for.
    pub height: u64,
    /// Contents that blocks reference.
    pub referenced: u64,
    /// Those of them that this node does not have: what is being fetched first, at most 500.
    pub missing: Vec<MissingContent>,
    /// How many are missing.
    pub missing_count: u64,
    /// Contents that were fetched from other nodes since the start.
    pub fetched: u64,
    /// Their bytes.
    pub fetched_bytes: u64,
    /// Unreferenced contents that were deleted since the start.
    pub collected: u64,
    /// Why nothing can be looked up or fetched now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Content that a block references and this node does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MissingContent {
    /// Its SHA-256.
    pub hash: Hash32,
    /// The first block that references it; absent where rot made it go missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// Bytes that have come so far.
    pub received: u64,
    /// Its size, once a node that has it said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The node that it comes from now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<NodeId>,
    /// Why the last try failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

//! Contracts as they are stored and deployed.

use serde::{Deserialize, Serialize};

use super::TransactionStatus;
use crate::hash::Hash32;
use crate::id::{ContractId, TransactionId, UserId};
use crate::time::Timestamp;

/// A deployed contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContractView {
    /// The id.
    pub id: ContractId,
    /// Who deployed it.
    pub owner_id: UserId,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// A few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// SHA-256 of its source.
    pub code_hash: Hash32,
    /// SHA-256 of the metered code, which is what runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metered_hash: Option<Hash32>,
    /// The version of the gas schedule that it was metered with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gas_schedule: Option<u32>,
    /// Whether it exports `contract`.
    #[serde(default)]
    pub has_contract: bool,
    /// Whether it exports `init`.
    pub has_init: bool,
    /// Whether it exports `get`.
    pub has_get: bool,
    /// Whether it exports `post`.
    pub has_post: bool,
    /// Whether it can be called.
    pub is_active: bool,
    /// The block that deployed it.
    pub deployed_in_block: u64,
    /// The transaction that deployed it.
    pub deployment_tx_id: TransactionId,
    /// The time of that block.
    pub created_at: Timestamp,
    /// Only when one is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_code: Option<String>,
}

/// The answer to `POST /contracts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContractQueued {
    /// The deployment.
    pub transaction_id: TransactionId,
    /// The contract, once that is in a block.
    pub contract_id: ContractId,
    /// SHA-256 of the source, as it was sent.
    pub code_hash: String,
    /// Where the deployment stands.
    pub status: TransactionStatus,
}

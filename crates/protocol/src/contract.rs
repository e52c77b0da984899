//! Contracts as values: what a deployment and a call carry, and what the state holds of a contract.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hash::Hash32;
use crate::id::{ContractName, TransactionId, UserId};
use crate::time::{Timestamp, ms};

/// The largest TypeScript source, in bytes.
pub const MAX_SOURCE_BYTES: usize = 256 * 1024;
/// The longest key of a contract's storage, in bytes.
pub const MAX_DATA_KEY_BYTES: usize = 256;

/// `contractInput` of a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// What the contract is called by.
    pub name: ContractName,
    /// TypeScript.
    pub source_code: String,
    /// SHA-256 of the source.
    pub code_hash: Hash32,
    /// The author's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// A few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Anything the author adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
}

/// What a call's `contractInput` says of money: how much of each currency the contract may take from the caller,
/// besides the transaction's own amount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Decimal texts by currency code.
    #[serde(default)]
    pub allowance: BTreeMap<String, String>,
}

/// Which entry points a contract exports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entries {
    /// `init()`.
    pub init: bool,
    /// `contract()`.
    pub contract: bool,
    /// `get(req)`, in either spelling.
    pub get: bool,
    /// `post(req, body)`, in either spelling.
    pub post: bool,
}

/// `contract/<id>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContractState {
    /// What it was deployed as.
    pub name: ContractName,
    /// The author's version.
    pub version: String,
    /// A few words; "" for none.
    pub description: String,
    /// Who deployed it.
    pub owner: UserId,
    /// SHA-256 of the source.
    pub source_hash: Hash32,
    /// SHA-256 of the metered code.
    pub code_hash: Hash32,
    /// The version of the gas schedule that it was metered with.
    pub gas_schedule: u32,
    /// What it exports.
    pub entries: Entries,
    /// The block that deployed it.
    pub block: u64,
    /// The transaction that deployed it.
    pub transaction: TransactionId,
    /// The time of that block.
    #[serde(with = "ms")]
    pub created_at: Timestamp,
}

/// `code/<id>`: metered once, at deployment, and never again: another compiler might charge differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CodeState {
    /// TypeScript, as it was deployed.
    pub source: String,
    /// JavaScript with its charges, which is what runs.
    pub code: String,
}

/// A text that is no key of a contract's storage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a storage key has 1 to {MAX_DATA_KEY_BYTES} bytes")]
pub struct DataKeyError;

/// A key of a contract's storage: any text. Its form in paths and in the database is percent-encoded, so that neither
/// slashes nor control characters of it mean anything there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataKey(String);

impl DataKey {
    /// A key.
    ///
    /// # Errors
    /// When it is empty or too long.
    pub fn new(text: &str) -> Result<Self, DataKeyError> {
        if (1..=MAX_DATA_KEY_BYTES).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(DataKeyError)
        }
    }

    /// The text, as the contract knows it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What stands for itself.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'@')
}

impl fmt::Display for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            if is_plain(byte) {
                write!(f, "{}", char::from(byte))?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for DataKey {
    type Err = DataKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.bytes());
        while let Some(byte) = rest.next() {
            if byte == b'%' {
                let digits = [rest.next(), rest.next()].map(|d| d.and_then(hex_digit));
                let [Some(high), Some(low)] = digits else {
                    return Err(DataKeyError);
                };
                bytes.push(high << 4 | low);
            } else {
                bytes.push(byte);
            }
        }
        let key = Self::new(std::str::from_utf8(&bytes).map_err(|_| DataKeyError)?)?;
        // One key has one spelling.
        if key.to_string() == text {
            Ok(key)
        } else {
            Err(DataKeyError)
        }
    }
}

const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

crate::json::serde_as_text!(DataKey);

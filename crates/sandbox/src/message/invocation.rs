//! What a host asks for: a contract, the world around it, and how much it may use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::HttpRequest;

/// Which of the two accepted spellings of an edge handler a contract exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryName {
    /// `get`, `post`.
    Lower,
    /// `Get`, `Post`.
    Upper,
}

/// The entry points that a contract exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Exports {
    /// `init()`.
    pub init: bool,
    /// `contract()`.
    pub contract: bool,
    /// `get(req)`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub get: Option<EntryName>,
    /// `post(req, body)`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub post: Option<EntryName>,
}

impl Exports {
    /// No entry point at all: the file is a script, which runs but cannot be deployed.
    #[must_use]
    pub fn is_script(self) -> bool {
        self == Self::default()
    }
}

/// What of a contract is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entry {
    /// `contract()` where it is exported, otherwise the top level of a script.
    #[default]
    Auto,
    /// `init()`.
    Init,
    /// `contract()`.
    Contract,
    /// `get(req)`.
    Get,
    /// `post(req, body)`.
    Post,
}

/// A user as contracts see one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The id, a UUID on a chain.
    pub id: String,
    /// The name, with its `@`.
    #[serde(default)]
    pub username: String,
    /// Everything else that is known.
    #[serde(flatten)]
    pub more: serde_json::Map<String, Value>,
}

/// The block in which, or on top of which, a contract runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BlockContext {
    /// Height.
    pub height: u64,
    /// Milliseconds since the epoch; what `Date` says.
    pub timestamp: u64,
    /// Hash, empty while the block is being made.
    pub hash: String,
    /// Hash of the block before.
    pub previous_hash: Option<String>,
    /// Id of the user on whose behalf the contract runs.
    pub executor: String,
}

/// How far a contract may go with money.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Authority {
    /// Anything: development, where nothing is committed.
    #[default]
    Unrestricted,
    /// A call in a block: the contract's own funds, and the caller's as far as the caller signed for.
    #[serde(rename_all = "camelCase")]
    Signed {
        /// What may leave the caller's account, decimal text by currency.
        allowances: BTreeMap<String, String>,
        /// Whether `setBalance` is permitted (core contracts of the sovereign).
        #[serde(default)]
        set_balance: bool,
    },
}

/// How much an execution may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Gas.
    pub gas: u32,
    /// Bytes of heap.
    pub heap_bytes: usize,
    /// Processor time, milliseconds.
    pub cpu_ms: u64,
    /// Wall time, milliseconds.
    pub wall_ms: u64,
    /// Bytes of a result.
    pub result_bytes: usize,
    /// Bytes of captured output.
    pub log_bytes: usize,
}

impl Limits {
    /// The most gas that an execution can have.
    pub const MAX_GAS: u32 = 2_000_000_000;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            gas: 100_000_000,
            heap_bytes: 64 << 20,
            cpu_ms: 5_000,
            wall_ms: 5_000,
            result_bytes: 1 << 20,
            log_bytes: 256 << 10,
        }
    }
}

/// A source as it is kept once it was compiled: what runs from then on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metered {
    /// JavaScript with its charges.
    pub code: String,
    /// What it exports.
    pub exports: Exports,
}

/// One execution that a host asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invocation {
    /// The name of the file, for messages.
    pub file: String,
    /// TypeScript source.
    pub source: String,
    /// What the source became when it was deployed; compiled anew where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metered: Option<Metered>,
    /// What to run.
    #[serde(default)]
    pub entry: Entry,
    /// The block around it.
    #[serde(default)]
    pub block: BlockContext,
    /// Who calls.
    #[serde(default)]
    pub caller: Option<User>,
    /// Who owns the contract.
    #[serde(default)]
    pub owner: Option<User>,
    /// The contract's id.
    #[serde(default)]
    pub contract_id: Option<String>,
    /// What `context.input()` gives.
    #[serde(default)]
    pub input: Value,
    /// The transaction that caused it, seed of everything that looks random.
    #[serde(default)]
    pub transaction_id: Option<String>,
    /// How far it may go with money.
    #[serde(default)]
    pub authority: Authority,
    /// Hosts that `fetch` may reach; empty inside a block.
    #[serde(default)]
    pub fetch_hosts: Vec<String>,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
    /// The request, for `get` and `post`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<HttpRequest>,
    /// Whether the host takes an answer in parts, as they are made.
    #[serde(default)]
    pub in_parts: bool,
}

impl Invocation {
    /// An execution of a source with everything at its default.
    #[must_use]
    pub fn new(file: impl Into<String>, source: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            source: source.into(),
            metered: None,
            entry: Entry::Auto,
            block: BlockContext::default(),
            caller: None,
            owner: None,
            contract_id: None,
            input: Value::Null,
            transaction_id: None,
            authority: Authority::Unrestricted,
            fetch_hosts: Vec::new(),
            limits: Limits::default(),
            request: None,
            in_parts: false,
        }
    }
}

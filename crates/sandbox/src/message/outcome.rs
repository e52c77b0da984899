//! What came of an execution.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Failure, HttpResponse};

/// A change that an execution asks the chain to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Change {
    /// Money from one account to another.
    Transfer {
        /// Id of who pays.
        from: String,
        /// Id of who receives.
        to: String,
        /// Decimal text.
        amount: String,
        /// Currency code.
        currency: String,
    },
    /// A balance set outright.
    BalanceUpdate {
        /// Whose.
        to: String,
        /// Decimal text.
        amount: String,
        /// Currency code.
        currency: String,
    },
    /// A key of the contract's storage; no value means that it is deleted.
    DataUpdate {
        /// Key.
        key: String,
        /// What is stored.
        value: Option<String>,
    },
}

/// Which stream a line of output went to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// `console.log`.
    Log,
    /// `console.error`.
    Error,
}

/// One call of `console.log` or `console.error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Which.
    pub level: LogLevel,
    /// The text.
    pub text: String,
}

/// What an execution cost beside gas. Differs from run to run: never part of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Processor time, microseconds.
    pub cpu_us: u64,
    /// Wall time, microseconds.
    pub wall_us: u64,
    /// Heap in use at the end, bytes.
    pub heap_bytes: u64,
}

/// What came of an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Whether its changes count.
    pub success: bool,
    /// What it returned.
    pub result: Value,
    /// Why it failed.
    pub error: Option<Failure>,
    /// Gas.
    pub gas_used: u32,
    /// What it asks the chain to change; empty when it failed.
    pub changes: Vec<Change>,
    /// What it printed.
    pub logs: Vec<LogLine>,
    /// The answer of an edge handler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<HttpResponse>,
    /// Cost beside gas.
    #[serde(default)]
    pub usage: Usage,
}

impl Outcome {
    /// An execution that did not take place.
    #[must_use]
    pub fn failed(error: Failure) -> Self {
        Self {
            success: false,
            result: Value::Null,
            error: Some(error),
            gas_used: 0,
            changes: Vec::new(),
            logs: Vec::new(),
            response: None,
            usage: Usage::default(),
        }
    }
}

//! The lines themselves: what a host and a worker say to each other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Body, Failure, Invocation, Metered, Outcome, Part};

/// A question of a running contract about the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "camelCase")]
pub enum Question {
    /// The user with this id or name; answered with the user or `null`.
    User {
        /// Id or name.
        user: String,
    },
    /// A balance; answered with decimal text.
    Balance {
        /// Id.
        user: String,
        /// Currency code.
        currency: String,
    },
    /// A currency; answered with `{"decimals"}` or `null`.
    Currency {
        /// Code.
        code: String,
    },
    /// A transaction or `null`.
    Transaction {
        /// Id.
        id: String,
    },
    /// A block or `null`.
    Block {
        /// Height; none for the latest.
        height: Option<u64>,
    },
    /// All storage of the contract: an object of texts.
    Storage,
    /// A request to a host that the invocation allows; answered with [`HttpResponse`].
    Fetch {
        /// URL.
        url: String,
        /// Method.
        method: String,
        /// Headers.
        headers: BTreeMap<String, String>,
        /// Body.
        body: Option<Body>,
    },
}

/// From the host to a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum ToWorker {
    /// Run this.
    Run {
        /// Comes back with the outcome.
        id: u64,
        /// What.
        invocation: Box<Invocation>,
    },
    /// Compile this.
    Compile {
        /// Comes back with what it became.
        id: u64,
        /// The name of the file, for messages.
        file: String,
        /// TypeScript source.
        source: String,
    },
    /// The answer to a question.
    Answer {
        /// Number of the question.
        question: u64,
        /// What there is, or why it cannot be said.
        answer: Result<Value, String>,
    },
}

/// What a worker exits with that could not run anything: its machine has no process, thread or memory left.
pub const NO_MEANS: i32 = 75;

/// From a worker to its host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum FromWorker {
    /// Warm and waiting.
    Ready {
        /// `v8` or `quickjs`.
        engine: String,
        /// Version of the engine.
        version: String,
        /// Version of the gas schedule.
        schedule: u32,
        /// What the kernel refused of the fences around the worker; empty where it is shut in.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        gaps: Vec<String>,
    },
    /// A question of the running contract.
    Ask {
        /// Number for the answer.
        question: u64,
        /// What.
        #[serde(flatten)]
        ask: Question,
    },
    /// A part of an answer, where the invocation takes parts.
    Part {
        /// What.
        part: Part,
    },
    /// What a source became, or what is wrong with it.
    Compiled {
        /// Of which request.
        id: u64,
        /// What.
        metered: Result<Metered, Failure>,
    },
    /// Nothing is left of what was asked for last: it can be asked for more. One that ends instead costs nobody anything.
    Idle,
    /// What came of a run.
    Done {
        /// Of which.
        id: u64,
        /// What.
        outcome: Box<Outcome>,
    },
}

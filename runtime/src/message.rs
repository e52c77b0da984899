//! What crosses the border between a host (ledger, edge, command line) and a worker: one JSON message a line.
//! No engine here: the daemons use these types without linking one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What went wrong, in a word that stays the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// The source is larger than a contract may be.
    SourceTooLarge,
    /// The source is nested deeper than a contract may be.
    TooDeep,
    /// The source does not parse.
    Syntax,
    /// The source uses a name that the meter needs.
    Reserved,
    /// The source uses what a contract may not.
    Forbidden,
    /// The source imports what there is not.
    Module,
    /// The contract lacks the export that was called.
    NoExport,
    /// The contract threw.
    Threw,
    /// The contract returned an object with an `error`.
    Refused,
    /// What the contract returned cannot be written as JSON or is too large.
    BadResult,
    /// A promise that the contract awaits can never settle.
    NeverSettles,
    /// The gas limit was used up.
    OutOfGas,
    /// The heap or buffer limit was reached.
    OutOfMemory,
    /// The processor or wall time limit was reached.
    TimedOut,
    /// A string, array, integer or the stack grew beyond its limit.
    TooLarge,
    /// The worker process ended during the execution.
    WorkerDied,
    /// The request to the runtime itself makes no sense.
    Misuse,
    /// A fault of the runtime.
    Internal,
}

impl ErrorCode {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SourceTooLarge => "source-too-large",
            Self::TooDeep => "too-deep",
            Self::Syntax => "syntax",
            Self::Reserved => "reserved",
            Self::Forbidden => "forbidden",
            Self::Module => "module",
            Self::NoExport => "no-export",
            Self::Threw => "threw",
            Self::Refused => "refused",
            Self::BadResult => "bad-result",
            Self::NeverSettles => "never-settles",
            Self::OutOfGas => "out-of-gas",
            Self::OutOfMemory => "out-of-memory",
            Self::TimedOut => "timed-out",
            Self::TooLarge => "too-large",
            Self::WorkerDied => "worker-died",
            Self::Misuse => "misuse",
            Self::Internal => "internal",
        }
    }
}

/// Why a contract did not succeed, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The stable word.
    pub code: ErrorCode,
    /// A sentence that says what to do.
    pub message: String,
    /// Line of the TypeScript source, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

impl Failure {
    /// A failure without a place.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            line: None,
            column: None,
        }
    }

    /// The same, at a place of the source.
    #[must_use]
    pub fn at(mut self, line: u32, column: u32) -> Self {
        self.line = Some(line);
        self.column = Some(column);
        self
    }
}

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

/// Bytes of an HTTP message: text as it is, everything else in Base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Body {
    /// UTF-8.
    Text(String),
    /// Any bytes.
    Base64(String),
}

/// A request to an edge handler.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// The path below the contract, with a leading slash.
    pub path: String,
    /// Query parameters; the last of a name counts.
    pub query: BTreeMap<String, String>,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Path segments by position and, where a route names them, by name.
    pub params: BTreeMap<String, String>,
    /// The client's address.
    pub ip: String,
    /// The body of a `POST`.
    pub body: Option<Body>,
}

/// The answer of an edge handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Body.
    pub body: Body,
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
        }
    }
}

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
    },
    /// A question of the running contract.
    Ask {
        /// Number for the answer.
        question: u64,
        /// What.
        #[serde(flatten)]
        ask: Question,
    },
    /// What a source became, or what is wrong with it.
    Compiled {
        /// Of which request.
        id: u64,
        /// What.
        metered: Result<Metered, Failure>,
    },
    /// What came of a run.
    Done {
        /// Of which.
        id: u64,
        /// What.
        outcome: Box<Outcome>,
    },
}

//! Why a contract did not succeed: stable codes, a sentence, a place.

use serde::{Deserialize, Serialize};

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

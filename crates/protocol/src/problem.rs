//! Errors on the wire: RFC 9457 problem documents with a stable code.

use std::fmt;

/// Stable codes; clients branch on them, never on texts. Their wire form is kebab case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    // 400
    /// The body or a parameter does not parse.
    Malformed,
    /// A value lies outside what is allowed.
    OutOfRange,
    /// A signed time lies too far from the server's clock.
    StaleTimestamp,
    /// A signed message is not about what it is sent for.
    MessageMismatch,
    /// The bytes do not have the hash they were sent under.
    HashMismatch,
    // 401
    /// A signature is missing or wrong.
    BadSignature,
    /// A token is missing, wrong or expired.
    BadToken,
    // 403
    /// The key is known and may not do this.
    Forbidden,
    /// The ledger knows another key for this user.
    WrongKey,
    /// The node is not active.
    NodeNotActive,
    // 404, 405
    /// There is no such thing.
    NotFound,
    /// The path knows other methods.
    MethodNotAllowed,
    // 409
    /// The present state forbids it.
    Conflict,
    /// An id, name or key is in use.
    AlreadyExists,
    /// It was decided before.
    AlreadyDecided,
    /// The same signed message was used before.
    Replayed,
    /// The block does not follow the tip.
    WrongHeight,
    // 410
    /// It has expired.
    Expired,
    // 413, 415
    /// The body is larger than allowed.
    TooLarge,
    /// The body is of another media type.
    UnsupportedMediaType,
    // 422
    /// The sender's balance does not suffice.
    InsufficientBalance,
    /// The nonce is not the next one.
    BadNonce,
    /// The recipient does not exist.
    UnknownRecipient,
    /// The sender does not exist.
    UnknownSender,
    /// The currency does not exist.
    UnknownCurrency,
    /// The username is taken.
    UsernameTaken,
    /// The key belongs to another user.
    KeyTaken,
    /// The amount is zero, too precise or too large.
    BadAmount,
    /// The transaction is for another chain.
    WrongChain,
    /// The transaction's time lies outside the chain's window.
    OutsideWindow,
    /// The role does not allow this type of transaction.
    RoleForbids,
    /// A field that this type needs is missing or wrong.
    BadTransaction,
    /// The chain does not execute this type yet.
    UnsupportedType,
    /// The contract failed.
    ContractError,
    /// The gas limit was reached.
    OutOfGas,
    /// A block does not hold what executing it gives.
    BadBlock,
    // 429, 5xx
    /// Too many requests.
    RateLimited,
    /// The queue is longer than configured.
    QueueFull,
    /// Something this needs is not there now.
    Unavailable,
    /// No room is left.
    InsufficientStorage,
    /// It took too long.
    Timeout,
    /// A defect of ours.
    Internal,
}

impl Code {
    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed
            | Self::OutOfRange
            | Self::StaleTimestamp
            | Self::MessageMismatch
            | Self::HashMismatch => 400,
            Self::BadSignature | Self::BadToken => 401,
            Self::Forbidden | Self::WrongKey | Self::NodeNotActive => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict
            | Self::AlreadyExists
            | Self::AlreadyDecided
            | Self::Replayed
            | Self::WrongHeight => 409,
            Self::Expired => 410,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::InsufficientBalance
            | Self::BadNonce
            | Self::UnknownRecipient
            | Self::UnknownSender
            | Self::UnknownCurrency
            | Self::UsernameTaken
            | Self::KeyTaken
            | Self::BadAmount
            | Self::WrongChain
            | Self::OutsideWindow
            | Self::RoleForbids
            | Self::BadTransaction
            | Self::UnsupportedType
            | Self::ContractError
            | Self::OutOfGas
            | Self::BadBlock => 422,
            Self::RateLimited | Self::QueueFull => 429,
            Self::Unavailable => 503,
            Self::Timeout => 504,
            Self::InsufficientStorage => 507,
            Self::Internal => 500,
        }
    }

    /// The wire form, such as `insufficient-balance`.
    #[must_use]
    pub fn as_str(self) -> String {
        let quoted = crate::json::compact(&self);
        quoted.trim_matches('"').to_owned()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.as_str())
    }
}

/// An RFC 9457 problem document, with `error` = `detail` for older clients.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[error("{detail}")]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// A URI that names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened and what to do, for a person.
    pub detail: String,
    /// For programs.
    pub code: Code,
    /// The same text as `detail`.
    pub error: String,
    /// Seconds after which another try makes sense; also in `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// The height a rejected block should have had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_height: Option<u64>,
}

impl Problem {
    /// A problem with its code's status.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let name = code.as_str();
        Self {
            kind: format!("urn:tana:problem:{name}"),
            title: name.replace('-', " "),
            status: code.status(),
            error: detail.clone(),
            detail,
            code,
            retry_after: None,
            expected_height: None,
        }
    }

    /// Says after how many seconds another try makes sense.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

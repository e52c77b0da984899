//! What can be wrong with a request to the identity service, and how it is answered.

use std::time::Duration;

use tana_client::ClientError;
use tana_kit::ApiError;
use tana_protocol::api::approval::RequestStatus;
use tana_protocol::login::SessionStatus;
use tana_protocol::problem::{Code, Problem};
use tana_protocol::{UserId, Username};
use tana_store::StoreError;

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum IdentityError {
    #[error("{0}")]
    Malformed(String),
    #[error("there is no such session; it may have been forgotten after its time")]
    UnknownSession,
    #[error("this session's code has expired; make a new session")]
    Expired,
    #[error("this session is {0} already")]
    NotOpen(SessionStatus),
    #[error("the {0} that was signed is not the one that it is sent for")]
    Differs(&'static str),
    #[error(
        "the time that was signed is {} s away from the service's clock, more than the 300 s allowed; set the phone's clock",
        .0.as_secs()
    )]
    Stale(Duration),
    #[error(
        "the signature does not fit the message and the key; sign the SHA-256 of exactly the message"
    )]
    Signature,
    #[error("the ledger knows no user {0}")]
    UnknownUser(UserId),
    #[error("the ledger knows another key for {0}")]
    WrongKey(Username),
    #[error("the ledger knows this user as {0}")]
    WrongName(Username),
    #[error("the session token is missing, wrong, expired or revoked; log in again")]
    Token,
    #[error("the ledger cannot be asked now: {0}")]
    Ledger(Box<ClientError>),
    #[error("there is no such transaction request; it may have been forgotten after its time")]
    UnknownRequest,
    #[error("this transaction request is {0} already")]
    RequestNotOpen(RequestStatus),
    #[error("this transaction request has expired; ask for the transaction again")]
    RequestExpired,
    #[error("there is no such device")]
    UnknownDevice,
    #[error("a user has at most {0} devices; remove one first")]
    TooManyDevices(u32),
    #[error(
        "a user is asked for at most {most} transactions in {} s, not counting those that were signed; try again later",
        within.as_secs()
    )]
    TooManyRequests { most: u32, within: Duration },
    #[error(
        "the ledger did not say whether it took the transaction ({0}); the request stays approved until that is known, look at it before trying again"
    )]
    Unknown(Box<ClientError>),
    #[error(transparent)]
    Refused(Box<Problem>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IdentityError {
    fn code(&self) -> Code {
        match self {
            Self::Malformed(_) => Code::Malformed,
            Self::UnknownSession | Self::UnknownRequest | Self::UnknownDevice => Code::NotFound,
            Self::Expired | Self::RequestExpired => Code::Expired,
            Self::NotOpen(_) | Self::RequestNotOpen(_) | Self::TooManyDevices(_) => Code::Conflict,
            Self::Differs(_) => Code::MessageMismatch,
            Self::Stale(_) => Code::StaleTimestamp,
            Self::Signature => Code::BadSignature,
            Self::UnknownUser(_) | Self::WrongName(_) => Code::Forbidden,
            Self::WrongKey(_) => Code::WrongKey,
            Self::Token => Code::BadToken,
            Self::Ledger(_) | Self::Unknown(_) => Code::Unavailable,
            Self::TooManyRequests { .. } => Code::RateLimited,
            Self::Refused(problem) => problem.code,
            Self::Store(_) => Code::Internal,
        }
    }
}

impl From<IdentityError> for ApiError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Store(error) => crate::store_error::answer(&error),
            IdentityError::Refused(problem) => (*problem).into(),
            IdentityError::Ledger(_) | IdentityError::Unknown(_) => {
                Self::new(Code::Unavailable, error.to_string()).retry_after(2)
            }
            IdentityError::TooManyRequests { .. } => {
                Self::new(Code::RateLimited, error.to_string()).retry_after(30)
            }
            refused => Self::new(refused.code(), refused.to_string()),
        }
    }
}

//! What can be wrong with a request to the ledger, and how it is answered.

use tana_chain::{Failure, StateError, TreeError};
use tana_kit::ApiError;
use tana_protocol::problem::{Code, Problem};
use tana_store::StoreError;

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum LedgerError {
    /// A chain rule, or something like it that has a code of its own.
    #[error(transparent)]
    Refused(#[from] Failure),
    #[error("the block does not follow the tip; height {expected} is expected")]
    WrongHeight { expected: u64 },
    #[error("{queued} transactions are queued already, as many as may; try again in a moment")]
    QueueFull { queued: usize },
    /// Work of which only one piece is done at a time.
    #[error("{waiting} requests like this one wait already; try again in a moment")]
    ManyWait { waiting: usize },
    #[error("the ledger is stopping")]
    Stopping,
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A defect of ours, or a damaged tree.
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error("a block could not be made")]
    Seal(#[from] tana_chain::SealError),
    #[error("a computation ended before its result")]
    Computation(#[from] tokio::task::JoinError),
}

impl LedgerError {
    pub(super) fn refused(code: Code, text: impl Into<String>) -> Self {
        Self::Refused(Failure::new(code, text))
    }

    pub(super) fn not_found(what: impl std::fmt::Display) -> Self {
        Self::refused(Code::NotFound, format!("there is no {what}"))
    }
}

impl From<LedgerError> for ApiError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Refused(failure) => Self::new(failure.code, failure.message),
            LedgerError::WrongHeight { expected } => {
                let mut problem = Problem::new(Code::WrongHeight, error.to_string());
                problem.expected_height = Some(expected);
                problem.into()
            }
            LedgerError::QueueFull { .. } => {
                Self::new(Code::QueueFull, error.to_string()).retry_after(1)
            }
            LedgerError::ManyWait { .. }
            | LedgerError::Stopping
            | LedgerError::State(StateError::Unavailable(_)) => {
                Self::new(Code::Unavailable, error.to_string()).retry_after(1)
            }
            LedgerError::Store(error) => crate::store_error::answer(&error),
            LedgerError::State(_)
            | LedgerError::Tree(_)
            | LedgerError::Seal(_)
            | LedgerError::Computation(_) => Self::internal(&error),
        }
    }
}

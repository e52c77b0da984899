//! What a client is told when a store fails: the one mapping from a store's errors to problem documents.

use tana_kit::ApiError;
use tana_protocol::problem::Code;
use tana_store::StoreError;

/// The answer; what the client can do nothing about goes to the log.
pub(crate) fn answer(error: &StoreError) -> ApiError {
    match error {
        StoreError::Full => ApiError::new(Code::InsufficientStorage, error.to_string()),
        StoreError::Conflict(why) => ApiError::new(Code::Conflict, why),
        StoreError::OutcomeUnknown { .. } | StoreError::Failed { .. } => {
            tracing::error!(cause = ?error, "{error}");
            ApiError::new(
                Code::Unavailable,
                format!("{error}; look whether it was done, then try again"),
            )
            .retry_after(1)
        }
        StoreError::Unanswered { .. } => {
            tracing::debug!(cause = ?error, "{error}");
            let text = format!("{error}; nothing was done, try again in a moment");
            ApiError::new(Code::Unavailable, text).retry_after(1)
        }
        StoreError::Damaged { .. }
        | StoreError::Newer { .. }
        | StoreError::Foreign { .. }
        | StoreError::NotADatabase { .. }
        | StoreError::Unreachable { .. }
        | StoreError::Away { .. }
        | StoreError::Login { .. }
        | StoreError::NoDatabase { .. } => ApiError::internal(error),
    }
}

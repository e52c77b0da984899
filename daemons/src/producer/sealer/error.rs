//! Why no block was sealed, and what is to be done with its transactions then.

use tana_client::ClientError;
use tana_protocol::TransactionId;
use tana_store::StoreError;
use tana_store::queue::QueueEntry;

/// Why a block was not sealed. All of it is tried again: the entries stay taken until they are acknowledged.
#[derive(Debug, thiserror::Error)]
pub(super) enum SealError {
    #[error(transparent)]
    Queue(#[from] StoreError),
    /// The ledger will never make a block of what it was asked to.
    #[error("the ledger does not make a block of {count} transactions")]
    Unbuildable {
        count: usize,
        /// Of the first of them.
        first: Option<TransactionId>,
        #[source]
        source: ClientError,
    },
    #[error(transparent)]
    Ledger(#[from] ClientError),
    #[error("the validators did not agree on the block")]
    Consensus(#[source] anyhow::Error),
}

/// Whether the ledger cannot have meant these entries, or only not now.
pub(super) fn refused(entries: &[QueueEntry], source: ClientError) -> SealError {
    let for_ever = match &source {
        ClientError::TooLarge { .. } => true,
        ClientError::Problem(problem) => matches!(problem.status, 400 | 413),
        _ => false,
    };
    if for_ever {
        SealError::Unbuildable {
            count: entries.len(),
            first: entries.first().map(|entry| entry.id),
            source,
        }
    } else {
        SealError::Ledger(source)
    }
}

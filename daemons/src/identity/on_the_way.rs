//! Who watches transaction requests, and which approved transactions are on their way to a block, as far as this process
//! knows.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tana_protocol::TransactionId;
use tana_protocol::login::RequestId;
use tana_store::identity::requests::TransactionRequest;
use tokio::sync::Notify;

use super::streams::{Streams, Told};

/// How a request stands.
impl Told for TransactionRequest {
    fn is_last(&self) -> bool {
        self.status.is_last()
    }
}

/// How far a transaction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It is being handed to the ledger at this moment.
    HandingOver,
    /// Since then nobody hands it over, and whether the ledger has it is not known.
    Unknown(Instant),
    /// The ledger has it.
    Taken,
}

/// A transaction that is on its way.
#[derive(Clone, Debug)]
pub(super) struct OnTheWay {
    pub(super) transaction: TransactionId,
    pub(super) request: RequestId,
    pub(super) way: Way,
}

/// Who watches requests, and which transactions are on their way.
#[derive(Default)]
pub(super) struct Approvals {
    pub(super) streams: Streams<RequestId, TransactionRequest>,
    on_their_way: Mutex<HashMap<TransactionId, (RequestId, Way)>>,
    more: Notify,
    /// A transaction was asked for: its user's phones are to be told.
    asked: Notify,
}

impl Approvals {
    fn lock(&self) -> MutexGuard<'_, HashMap<TransactionId, (RequestId, Way)>> {
        self.on_their_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows a transaction until it is settled.
    pub(super) fn follow(&self, transaction: TransactionId, request: RequestId, way: Way) {
        self.lock().insert(transaction, (request, way));
        self.more.notify_one();
    }

    pub(super) fn forget(&self, transaction: &TransactionId) {
        self.lock().remove(transaction);
    }

    /// Notes that the ledger has it, unless it is settled already.
    pub(super) fn taken(&self, transaction: &TransactionId) {
        if let Some((_, way)) = self.lock().get_mut(transaction) {
            *way = Way::Taken;
        }
    }

    /// A transaction that is on its way.
    pub(super) fn of(&self, transaction: &TransactionId) -> Option<OnTheWay> {
        let (request, way) = self.lock().get(transaction).cloned()?;
        Some(OnTheWay {
            transaction: *transaction,
            request,
            way,
        })
    }

    pub(super) fn all(&self) -> Vec<OnTheWay> {
        let followed = self.lock();
        followed
            .iter()
            .map(|(transaction, (request, way))| OnTheWay {
                transaction: *transaction,
                request: request.clone(),
                way: *way,
            })
            .collect()
    }

    /// A transaction was asked for.
    pub(super) fn tell_asked(&self) {
        self.asked.notify_one();
    }

    /// Waits until a transaction is asked for.
    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Waits until another one is followed.
    pub(super) async fn more(&self) {
        self.more.notified().await;
    }
}

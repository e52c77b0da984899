//! Learns from the ledger what became of transactions that phones approved: from its events, and by asking where it is not
//! known whether the ledger has one. It listens only while there are any.

use std::time::{Duration, Instant};

use tana_client::{LedgerEvent, StreamItem};
use tana_kit::Shutdown;
use tana_protocol::api::approval::RequestStatus;
use tana_protocol::problem::Code;
use tokio::time::MissedTickBehavior;

use super::error::IdentityError;
use super::on_the_way::{OnTheWay, Way};
use super::service::Identity;

/// After a database or ledger that did not answer.
const AGAIN: Duration = Duration::from_secs(5);
/// Between two questions whether the ledger has a transaction.
const ASK: Duration = Duration::from_secs(1);

/// Follows until the shutdown.
pub(super) async fn watch(identity: Identity, shutdown: Shutdown) {
    while let Err(error) = take_up(&identity).await {
        tracing::warn!("approved transactions cannot be taken up: {error}");
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = shutdown.begun() => return,
        }
    }
    loop {
        if identity.approvals().all().is_empty() {
            tokio::select! {
                () = identity.approvals().more() => {}
                () = shutdown.begun() => return,
            }
            continue;
        }
        tokio::select! {
            () = listen(&identity) => {}
            () = shutdown.begun() => return,
        }
    }
}

/// What was on its way when this service last ended.
async fn take_up(identity: &Identity) -> Result<(), IdentityError> {
    for request in identity.store().unsettled().await? {
        let Some(transaction) = request.transaction_id else {
            tracing::warn!(request = %request.id, "is approved and names no transaction");
            continue;
        };
        // Nobody hands one over any more that is only approved.
        let way = if request.status == RequestStatus::Approved {
            Way::Unknown(Instant::now())
        } else {
            Way::Taken
        };
        identity.approvals().follow(transaction, request.id, way);
    }
    Ok(())
}

/// Listens until nothing is on its way. Of what the ledger has there will be an event; what it may have is asked for.
async fn listen(identity: &Identity) {
    let mut events = identity.ledger().events();
    let mut asking = tokio::time::interval(ASK);
    asking.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let followed = identity.approvals().all();
        if followed.is_empty() {
            return;
        }
        let doubtful = followed
            .iter()
            .any(|one| matches!(one.way, Way::Unknown(_)));
        let item = tokio::select! {
            item = events.next() => item,
            _ = asking.tick(), if doubtful => {
                for one in followed {
                    if matches!(one.way, Way::Unknown(_)) {
                        look(identity, one).await;
                    }
                }
                continue;
            }
            // It may be a doubtful one.
            () = identity.approvals().more() => continue,
        };
        match item {
            Some(StreamItem::Connected) => look_at_all(identity).await,
            Some(StreamItem::Event(LedgerEvent::Transaction(event))) => {
                if let Some(one) = identity.approvals().of(&event.id) {
                    look(identity, one).await;
                }
            }
            Some(StreamItem::Event(_) | StreamItem::Lost { .. }) => {}
            Some(StreamItem::Refused(error)) => {
                tracing::warn!("the ledger's events cannot be followed: {error}");
                tokio::time::sleep(AGAIN).await;
                return;
            }
            None => return,
        }
    }
}

async fn look_at_all(identity: &Identity) {
    for one in identity.approvals().all() {
        look(identity, one).await;
    }
}

async fn look(identity: &Identity, one: OnTheWay) {
    let request = &one.request;
    let done = match identity.ledger().transaction(&one.transaction).await {
        Ok(found) => identity.settle(request, &found).await,
        Err(error) if error.code() == Some(Code::NotFound) => not_there(identity, &one).await,
        // It is looked at again when the stream stands again.
        Err(_) => Ok(()),
    };
    if let Err(error) = done {
        tracing::warn!(%request, "what became of its transaction cannot be written: {error}");
    }
}

/// The ledger does not know it. One that is being handed over is left alone; one that may have been is lost after a while.
async fn not_there(identity: &Identity, one: &OnTheWay) -> Result<(), IdentityError> {
    match one.way {
        Way::Unknown(since) if since.elapsed() >= identity.config().lost_after => {
            identity.reopen(&one.request, one.transaction).await
        }
        _ => Ok(()),
    }
}

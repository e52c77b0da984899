//! Learns from the ledger's events what became of transactions that phones approved. It listens only while there are any.

use std::time::Duration;

use tana_client::{LedgerEvent, StreamItem};
use tana_kit::Shutdown;
use tana_protocol::TransactionId;
use tana_protocol::api::approval::RequestStatus;
use tana_protocol::login::RequestId;
use tana_protocol::problem::Code;

use super::error::IdentityError;
use super::service::Identity;

/// After a database or ledger that did not answer.
const AGAIN: Duration = Duration::from_secs(5);

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
        match request.transaction_id {
            Some(transaction) => identity.approvals().follow(transaction, request.id),
            None => tracing::warn!(request = %request.id, "is approved and names no transaction"),
        }
    }
    Ok(())
}

/// Listens until nothing is on its way.
async fn listen(identity: &Identity) {
    let mut events = identity.ledger().events();
    while !identity.approvals().all().is_empty() {
        match events.next().await {
            Some(StreamItem::Connected) => look_at_all(identity).await,
            Some(StreamItem::Event(LedgerEvent::Transaction(event))) => {
                if let Some(request) = identity.approvals().of(&event.id) {
                    look(identity, event.id, request).await;
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
    for (transaction, request) in identity.approvals().all() {
        look(identity, transaction, request).await;
    }
}

async fn look(identity: &Identity, transaction: TransactionId, request: RequestId) {
    let done = match identity.ledger().transaction(&transaction).await {
        Ok(found) => identity.settle(&request, &found).await,
        Err(error) if error.code() == Some(Code::NotFound) => {
            lost(identity, transaction, &request).await
        }
        // It is looked at again when the stream stands again.
        Err(_) => Ok(()),
    };
    if let Err(error) = done {
        tracing::warn!(%request, "what became of its transaction cannot be written: {error}");
    }
}

/// Approved before a crash, and never handed over. One that is being handed over at this moment is left alone.
async fn lost(
    identity: &Identity,
    transaction: TransactionId,
    request: &RequestId,
) -> Result<(), IdentityError> {
    let stands = identity.request(request.as_str()).await?;
    let old = identity.now().since(stands.created_at) > identity.config().code_lives;
    if stands.status == RequestStatus::Approved && old {
        identity.approvals().forget(&transaction);
        identity.reopen(request).await?;
    }
    Ok(())
}

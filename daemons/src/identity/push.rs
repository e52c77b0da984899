//! Tells a user's phones of transactions that wait for them. The database is the list of what is to be told: a restart
//! loses nothing, and what is over is told to nobody. `provider` knows in which form.

mod provider;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tana_kit::{Backoff, Shutdown};
use tana_protocol::api::approval::RequestStatus;
use tana_protocol::login::RequestId;
use tana_store::identity::requests::{Device, TransactionRequest};

use super::error::IdentityError;
use super::requests::asked_for;
use super::service::Identity;
pub(super) use provider::{Notification, Outcome, PushProvider, open};

/// Requests whose phones are told at the same time.
const TOGETHER: usize = 32;
/// After a database that did not answer.
const AGAIN: Duration = Duration::from_secs(5);
/// Before the second try, and at most before a later one.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Tells phones until the shutdown.
pub(super) async fn watch(identity: Identity, provider: Arc<dyn PushProvider>, shutdown: Shutdown) {
    tokio::select! {
        () = keep_telling(&identity, &*provider) => {}
        () = shutdown.begun() => {}
    }
}

async fn keep_telling(identity: &Identity, provider: &dyn PushProvider) {
    let mut under_way: HashSet<RequestId> = HashSet::new();
    let mut telling = FuturesUnordered::new();
    loop {
        let mut again = None;
        match identity.store().untold(identity.now()).await {
            Ok(untold) => {
                for request in untold {
                    if telling.len() < TOGETHER && under_way.insert(request.id.clone()) {
                        telling.push(tell(identity, provider, request));
                    }
                }
            }
            Err(error) => {
                tracing::warn!("whom to notify cannot be read: {error}");
                again = Some(AGAIN);
            }
        }
        let pause = async {
            match again {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(id) = telling.next(), if !telling.is_empty() => {
                under_way.remove(&id);
            }
            () = identity.approvals().asked() => {}
            () = pause => {}
        }
    }
}

/// Tells every phone of one request, and notes that.
async fn tell(
    identity: &Identity,
    provider: &dyn PushProvider,
    request: TransactionRequest,
) -> RequestId {
    let id = request.id.clone();
    if let Err(error) = tell_all(identity, provider, request).await {
        tracing::warn!(request = %id, "its user's phones cannot be told: {error}");
    }
    while let Err(error) = identity.store().told(&id, identity.now()).await {
        // Unless it is noted it would be told again and again.
        tracing::warn!(request = %id, "that its phones were told cannot be noted: {error}");
        tokio::time::sleep(AGAIN).await;
    }
    id
}

async fn tell_all(
    identity: &Identity,
    provider: &dyn PushProvider,
    request: TransactionRequest,
) -> Result<(), IdentityError> {
    let mut devices = identity.store().devices(&request.user_id).await?;
    let notification = Notification {
        transaction: asked_for(&request)?,
        request,
    };
    let (first, most) = PAUSES;
    let mut backoff = Backoff::new(first, most);
    while !devices.is_empty() {
        let outcomes = provider.deliver(&notification, &devices).await;
        let (left, after) = sorted(identity, devices, outcomes).await?;
        devices = left;
        if devices.is_empty() {
            break;
        }
        let pause = backoff.next_delay().max(after.unwrap_or_default());
        tokio::time::sleep(pause).await;
        let id = notification.request.id.as_str();
        if identity.request(id).await?.status != RequestStatus::Pending {
            let count = devices.len();
            tracing::info!(request = id, "is over; {count} phones were not reached");
            break;
        }
    }
    Ok(())
}

/// Removes the phones that are gone, and answers those that are to be tried again, not before when.
async fn sorted(
    identity: &Identity,
    devices: Vec<Device>,
    outcomes: Vec<Outcome>,
) -> Result<(Vec<Device>, Option<Duration>), IdentityError> {
    let (mut left, mut after) = (Vec::new(), None);
    for (device, outcome) in devices.into_iter().zip(outcomes) {
        match outcome {
            Outcome::Delivered => {}
            Outcome::Gone => {
                tracing::info!(
                    device = device.id,
                    "is gone, says the push service; removed"
                );
                identity
                    .store()
                    .remove_device(&device.user_id, &device.id)
                    .await?;
            }
            Outcome::Refused(why) => {
                tracing::warn!(device = device.id, "cannot be told: {why}");
            }
            Outcome::Again { why, not_before } => {
                tracing::debug!(device = device.id, "could not be told yet: {why}");
                after = after.max(not_before);
                left.push(device);
            }
        }
    }
    Ok((left, after))
}

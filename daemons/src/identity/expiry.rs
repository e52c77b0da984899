//! Ends codes when their time is over: asleep until the first does, not polling.

use std::time::Duration;

use tana_kit::Shutdown;

use super::service::Identity;

/// After a database that did not answer.
const AGAIN: Duration = Duration::from_secs(5);
/// Between two looks for what can be forgotten.
const TIDY: Duration = Duration::from_secs(600);

/// Ends codes until the shutdown.
pub(super) async fn watch(identity: Identity, shutdown: Shutdown) {
    loop {
        let sleep = match identity.end_codes().await {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!("codes that are over cannot be ended: {error}");
                Some(AGAIN)
            }
        };
        tokio::select! {
            () = pause(sleep) => {}
            () = identity.sooner_code() => {}
            () = shutdown.begun() => return,
        }
    }
}

async fn pause(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Forgets what is long over, until the shutdown.
pub(super) async fn tidy(identity: Identity, shutdown: Shutdown) {
    loop {
        match identity.forget_old().await {
            Ok(0) => {}
            Ok(count) => tracing::debug!("{count} old sessions forgotten"),
            Err(error) => tracing::warn!("old sessions cannot be forgotten: {error}"),
        }
        tokio::select! {
            () = tokio::time::sleep(TIDY) => {}
            () = shutdown.begun() => return,
        }
    }
}

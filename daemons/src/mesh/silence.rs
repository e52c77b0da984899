//! Marks nodes offline that have been silent too long: asleep until the first of them can be, not polling.

use std::time::Duration;

use tana_kit::Shutdown;
use tana_protocol::Timestamp;
use tana_store::StoreResult;

use super::config::KEPT;
use super::service::Mesh;

/// After a database that did not answer.
const AGAIN: Duration = Duration::from_secs(5);
/// Between two looks for old heartbeats.
const TIDY: Duration = Duration::from_secs(3600);

/// Watches until the shutdown. Nodes could not be heard before `started`: silence counts from there at the earliest.
pub(super) async fn watch(mesh: Mesh, started: Timestamp, shutdown: Shutdown) {
    loop {
        let sleep = match step(&mesh, started).await {
            Ok(sleep) => sleep,
            Err(error) => {
                tracing::warn!("silent nodes cannot be looked for: {error}");
                Some(AGAIN)
            }
        };
        tokio::select! {
            () = pause(sleep) => {}
            () = mesh.woken() => {}
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

/// Marks those that are due, and answers how long until the next can be.
async fn step(mesh: &Mesh, started: Timestamp) -> StoreResult<Option<Duration>> {
    let limit = mesh.offline_after();
    loop {
        let Some(oldest) = mesh.store().longest_silent().await? else {
            return Ok(None);
        };
        let now = mesh.now();
        let due = oldest.max(started).plus(limit);
        if due > now {
            return Ok(Some(due.since(now)));
        }
        let cut = Timestamp::from_ms(
            now.ms()
                .saturating_sub(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)),
        );
        mesh.mark_offline(cut).await?;
    }
}

/// Forgets heartbeats after their time.
pub(super) async fn tidy(mesh: Mesh, shutdown: Shutdown) {
    loop {
        let kept = u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX);
        let before = Timestamp::from_ms(mesh.now().ms().saturating_sub(kept));
        match mesh.store().forget_beats(before).await {
            Ok(0) => {}
            Ok(count) => tracing::debug!("{count} old heartbeats forgotten"),
            Err(error) => tracing::warn!("old heartbeats cannot be forgotten: {error}"),
        }
        tokio::select! {
            () = tokio::time::sleep(TIDY) => {}
            () = shutdown.begun() => return,
        }
    }
}

//! The content store: bytes by their SHA-256, in files.
//!
//! `files` is the disk, `unfinished` what is on its way in, `room` the quota, `scrub` looks for rot, `parts` reads,
//! `checked` reads against the hash, `http` is the face.

mod checked;
mod config;
mod error;
mod files;
mod http;
mod parts;
mod room;
mod scrub;
mod unfinished;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use tana_home::Settings;
use tana_kit::{App, Context, ServiceGuard, ServiceKeys, ServiceSpec, run_service};
use tana_protocol::ServiceKind;
use utoipa::OpenApi as _;

use crate::content::ContentPeers;
use crate::service_keys::MeshServiceKeys;
pub use config::Config;
use files::Files;
use scrub::Scrub;

/// An upload of a large body takes its time; each part of it has a limit of its own.
const LONGEST_UPLOAD: Duration = Duration::from_secs(4 * 3600);

/// Runs it until it is told to stop.
///
/// # Errors
/// One sentence that says what failed.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let mut spec = ServiceSpec::new(ServiceKind::T4, crate::VERSION, &settings);
    spec.limits.time = LONGEST_UPLOAD;
    let config = Config::of(&settings);
    run_service(spec, |context| async move {
        let keys = Arc::new(MeshServiceKeys::new(&settings, context.clock.clone())?);
        let follow = keys.clone().follow(context.shutdown.clone());
        context.tasks.spawn("service keys", follow);
        let peers = ContentPeers::new(&settings)?;
        build(config, keys, peers, context).await
    })
    .await
}

/// Builds it within a context: for [`run`], and for tests that bring their own listener and keys.
///
/// # Errors
/// One sentence that says what failed.
pub async fn build(
    config: Config,
    keys: Arc<dyn ServiceKeys>,
    peers: ContentPeers,
    context: Context,
) -> anyhow::Result<App> {
    let files = Files::open(config.directory.clone(), config.quota_bytes).await?;
    let probed = files.clone();
    context.readiness.probe("content directory", move || {
        let files = probed.clone();
        async move { files.probe().await }
    });
    let guard =
        ServiceGuard::new(keys, context.clock.clone(), &[ServiceKind::Ledger]).at(ServiceKind::T4);
    let clock = context.clock.clone();
    let scrub = Scrub::new(files.clone(), clock, config.scrub_interval).await;
    let passes = scrub.clone().passes(context.shutdown.clone());
    context.tasks.spawn("scrub", passes);
    let repairs = scrub
        .clone()
        .repairs(peers, config.max_bytes, context.shutdown.clone());
    context.tasks.spawn("repair of rotten content", repairs);
    let router = http::router(files, scrub, &config, guard);
    Ok(App::new(router, http::ApiDoc::openapi))
}

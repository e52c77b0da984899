//! The content store: bytes by their SHA-256, in files.
//!
//! `files` is the disk, `range` the rules of partial and conditional reads, `http` the face.

mod config;
mod error;
mod files;
mod http;
mod range;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use tana_home::Settings;
use tana_kit::{App, Context, ServiceGuard, ServiceKeys, ServiceSpec, run_service};
use tana_protocol::ServiceKind;
use utoipa::OpenApi as _;

use crate::service_keys::MeshServiceKeys;
pub use config::Config;
use files::Files;

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
        let keys = MeshServiceKeys::new(&settings, context.clock.clone())?;
        build(config, Arc::new(keys), context).await
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
    context: Context,
) -> anyhow::Result<App> {
    let files = Files::open(config.directory.clone()).await?;
    let probed = files.clone();
    context.readiness.probe("content directory", move || {
        let files = probed.clone();
        async move { files.probe().await }
    });
    let guard = ServiceGuard::new(keys, context.clock.clone(), &[ServiceKind::Ledger]);
    let router = http::router(files, config.max_bytes, guard);
    Ok(App::new(router, http::ApiDoc::openapi))
}

//! The mesh daemon: the registry of nodes, who may decide on them, and how they are.
//!
//! `rules` decides over values, `service` does what was decided, `silence` and `beats` are its tasks, `http` is its face.

mod beats;
mod config;
mod error;
mod http;
mod registry;
mod rules;
mod service;
mod silence;
mod stake;

use anyhow::Context as _;
use tana_home::Settings;
use tana_kit::{App, Context, ServiceSpec, run_service};
use tana_protocol::decisions::check_log;
use tana_protocol::{Hash32, ServiceKind};
use tana_store::mesh::MeshStore;
use tana_store::sqlite::SqliteMesh;
use utoipa::OpenApi as _;

pub use config::Config;
use service::Mesh;

/// Entries of the log of decisions that are checked at a time.
const LOG_PAGE: u32 = 1000;

/// Runs it until it is told to stop.
///
/// # Errors
/// One sentence that says what failed.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let spec = ServiceSpec::new(ServiceKind::Mesh, crate::VERSION, &settings);
    let config = Config::of(&settings)?;
    run_service(spec, |context| build(config, context)).await
}

/// Builds it within a context: for [`run`], and for tests that bring their own listener.
///
/// # Errors
/// One sentence that says what failed.
pub async fn build(config: Config, context: Context) -> anyhow::Result<App> {
    let path = config
        .database
        .to_str()
        .context("the path of the mesh's database is not UTF-8; set MESH_DB_PATH")?;
    let store = SqliteMesh::open(path).await?;
    let seeded = store
        .seed(&config.sovereigns, context.clock.now())
        .await
        .context("could not add the first sovereign keys")?;
    if seeded > 0 {
        tracing::info!("sovereign keys added from this node's chain file: {seeded}");
    }
    look_through_log(&store, &context).await?;
    let probed = store.clone();
    context.readiness.probe("database", move || {
        let store = probed.clone();
        async move { store.ping().await.map_err(|error| error.to_string()) }
    });
    let mesh = Mesh::start(store.clone(), &config, &context).await?;
    Ok(
        App::new(http::router(mesh), http::ApiDoc::openapi).at_end(move || async move {
            store.close().await;
        }),
    )
}

/// Reads the whole log of decisions: one that was tampered with is said at every health check, and the mesh still runs,
/// since without it the other services could not.
async fn look_through_log(store: &SqliteMesh, context: &Context) -> anyhow::Result<()> {
    let check = context.readiness.check("log of decisions", "reading");
    let (mut number, mut hash) = (0, Hash32::ZERO);
    loop {
        let entries = store.log(number + 1, LOG_PAGE).await?;
        if entries.is_empty() {
            // The chain of hashes does not show that its end was cut off; what was decided does.
            match store.unlogged().await? {
                None => check.ok(),
                Some(what) => {
                    let text = format!("the log of decisions does not have {what}");
                    tracing::error!("{text}; compare mesh.db with a copy of it");
                    check.not_ok(text);
                }
            }
            return Ok(());
        }
        match check_log(number, hash, &entries) {
            Ok(last) => (number, hash) = last,
            Err(error) => {
                tracing::error!("{error}; compare mesh.db with a copy of it");
                check.not_ok(error.to_string());
                return Ok(());
            }
        }
    }
}

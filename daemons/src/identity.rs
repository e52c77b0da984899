//! The identity daemon: logins that a phone approves by signing.
//!
//! `rules` decides over values, `service` does what was decided on logins, `requests` and `approve` on transactions,
//! `on_the_way` holds those that were approved, `follow` learns what became of them, `devices` knows a user's phones, `push`
//! tells them of requests, `streams` tells who listens, `expiry` ends codes, `tokens` makes secrets, `users` knows who the
//! ledger says a user is, `open` remembers new sessions, `operator` knows this node's own key, `http` is the face, with the page
//! of `page/`.

mod approve;
mod config;
mod devices;
mod error;
mod expiry;
mod follow;
mod http;
mod on_the_way;
mod open;
mod operator;
mod push;
mod requests;
mod rules;
mod service;
mod streams;
mod tokens;
mod users;

use std::sync::Arc;

use tana_client::LedgerClient;
use tana_home::Settings;
use tana_kit::{App, Context, ServiceSpec, run_service};
use tana_protocol::ServiceKind;
use tana_protocol::api::health::HealthStatus;
use tana_store::identity::IdentityStore;
use tana_store::postgres::PostgresIdentity;
use tana_store::sqlite::SqliteIdentity;
use utoipa::OpenApi as _;

pub use config::Config;
use service::Identity;

/// Runs it until it is told to stop.
///
/// # Errors
/// One sentence that says what failed.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let spec = ServiceSpec::new(ServiceKind::Identity, crate::VERSION, &settings);
    let config = Config::of(&settings)?;
    run_service(spec, |context| build(config, context)).await
}

/// Builds it within a context: for [`run`], and for tests that bring their own listener.
///
/// # Errors
/// One sentence that says what failed.
pub async fn build(config: Config, context: Context) -> anyhow::Result<App> {
    let store = open(&config.database).await?;
    let probed = store.clone();
    context.readiness.probe("database", move || {
        let store = probed.clone();
        async move { store.ping().await.map_err(|error| error.to_string()) }
    });
    let ledger = LedgerClient::new(&config.ledger)?;
    let asked = ledger.clone();
    context.readiness.probe("ledger", move || {
        let ledger = asked.clone();
        async move {
            match ledger.health().await {
                Ok(health) if health.status == HealthStatus::Ok => Ok(()),
                Ok(_) => Err("not ready".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        }
    });
    let push = config.push.as_ref().map(push::open).transpose()?;
    let identity = Identity::start(store.clone(), ledger, config, &context);
    if let Some(provider) = push {
        let telling = push::watch(identity.clone(), provider, context.shutdown.clone());
        context.tasks.spawn("notifications", telling);
    }
    Ok(
        App::new(http::router(identity), http::ApiDoc::openapi).at_end(move || async move {
            store.close().await;
        }),
    )
}

/// The database that the address names.
async fn open(address: &str) -> anyhow::Result<Arc<dyn IdentityStore>> {
    if address.starts_with("postgres") {
        return Ok(Arc::new(PostgresIdentity::open(address).await?));
    }
    Ok(Arc::new(SqliteIdentity::open(address).await?))
}

//! The ledger daemon: the chain's data and rules, the only writer of both.
//!
//! `submit` takes transactions in, `blocks` builds and commits, `verify` verifies what is stored, one block at a time by
//! `turns`, `queries` answers what is stored, `transactions` also what waits and what no block can take, `mempool` remembers
//! what is queued, `load` fetches what execution needs, `http` is its face. Rules are in `tana-chain`.

mod blocks;
mod config;
mod content;
mod error;
mod http;
mod keys;
mod load;
mod mempool;
mod queries;
mod service;
mod start;
mod submit;
mod transactions;
mod turns;
mod verify;
mod views;
mod world;

use std::io::Write as _;
use std::sync::Arc;

use tana_home::Settings;
use tana_kit::{App, Context, ServiceGuard, ServiceSpec, run_service};
use tana_protocol::ServiceKind;
use tana_protocol::api::ledger::VerificationLine;
use utoipa::OpenApi as _;

use crate::contracts::Engine;
pub use config::Config;
use content::ContentSync;
use keys::ValidatorKeys;
use service::Ledger;
pub use verify::{Heights, Offline};

/// A block of many transactions travels as JSON; a client's body is held to less by its own routes.
const LARGEST_BLOCK: usize = 64 << 20;

/// Runs it until it is told to stop.
///
/// # Errors
/// One sentence that says what failed.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let spec = ServiceSpec::new(ServiceKind::Ledger, crate::VERSION, &settings);
    let config = Config::of(&settings)?;
    run_service(spec, |context| build(config, context)).await
}

/// Verifies what the database holds, without any service, and prints what is found: a [`VerificationLine`] a line.
///
/// # Errors
/// One sentence where the database cannot be read, or has no such blocks.
pub async fn print_verification(settings: &Settings, heights: Heights) -> anyhow::Result<()> {
    let config = Config::of(settings)?;
    let mut out = std::io::stdout().lock();
    let offline = Offline::open(&config).await?;
    let outcome = offline
        .verify(heights, |line: VerificationLine| {
            serde_json::to_writer(&mut out, &line)?;
            out.write_all(b"\n")?;
            Ok(out.flush()?)
        })
        .await;
    offline.close().await;
    outcome
}

/// Builds it within a context: for [`run`], and for tests that bring their own listener.
///
/// # Errors
/// One sentence that says what failed.
pub async fn build(config: Config, context: Context) -> anyhow::Result<App> {
    let check = context.readiness.check("chain", "opening the database");
    let (opened, engine) = futures::try_join!(
        start::open(&config),
        Engine::start(&config.chain, &config.runtime)
    )?;
    if let Some(engine) = &engine {
        let check = context.readiness.check("engine", "starting");
        check.ok_with(engine.gaps());
    }
    let probed = opened.queue.clone();
    context
        .readiness
        .probe("queue", move || crate::queue::probe(probed.clone()));
    check.not_ok("verifying the tip");
    let content = config.content.clone();
    let ledger = Ledger::start(config, opened.store, opened.queue, engine, &context).await?;
    check.ok();
    let probed = ledger.clone();
    context.readiness.probe("database", move || {
        let ledger = probed.clone();
        async move {
            ledger
                .store()
                .tip()
                .await
                .map(drop)
                .map_err(|error| error.to_string())
        }
    });
    let keys = Arc::new(ValidatorKeys::new(ledger.clone()));
    let guard = ServiceGuard::new(keys, context.clock.clone(), &[ServiceKind::Producer])
        .at(ServiceKind::Ledger);
    let sync = ContentSync::start(ledger.clone(), content, &context);
    let router = http::router(ledger, guard, LARGEST_BLOCK).merge(http::content(sync));
    let close = opened.close;
    Ok(App::new(router, http::ApiDoc::openapi).at_end(move || close))
}

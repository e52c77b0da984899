//! The life of a daemon: log, bind, answer `/health` while it starts, serve, drain with a limit, end.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use tana_home::Settings;
use tana_protocol::ServiceKind;
use tokio::net::TcpListener;

use crate::clock::{Clock, SystemClock};
use crate::http::{Gate, Limits, routes, shell};
use crate::rate::RateLimit;
use crate::readiness::Readiness;
use crate::shutdown::Shutdown;
use crate::tasks::Tasks;
use crate::{listen, metrics};

/// How long connections and tasks get to end once the shutdown has begun.
/// With a second for the tasks this stays below the five after which the supervisor kills.
pub const DRAIN: Duration = Duration::from_secs(3);

/// What a daemon is and where it listens.
#[derive(Clone, Debug)]
pub struct ServiceSpec {
    /// Which service.
    pub kind: ServiceKind,
    /// Its version.
    pub version: &'static str,
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Its limits.
    pub limits: Limits,
}

impl ServiceSpec {
    /// As the settings say.
    #[must_use]
    pub fn new(kind: ServiceKind, version: &'static str, settings: &Settings) -> Self {
        Self {
            kind,
            version,
            listen: settings.listen(kind),
            limits: Limits {
                rate: RateLimit::new(settings.rate_limit),
                cors_origins: settings.cors_origins.clone(),
                ..Limits::default()
            },
        }
    }
}

/// What a daemon is built with.
#[derive(Clone)]
pub struct Context {
    /// Its checks.
    pub readiness: Readiness,
    /// What ends it.
    pub shutdown: Shutdown,
    /// Its tasks.
    pub tasks: Tasks,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where it listens, with the port that it really has.
    pub address: SocketAddr,
}

/// What a daemon serves.
pub struct App {
    /// Its routes, state included; `/health`, `/metrics`, `/openapi.json` and the answers to unknown paths are added.
    pub routes: Router,
    /// Its OpenAPI document, such as `ApiDoc::openapi`.
    pub openapi: fn() -> utoipa::openapi::OpenApi,
    /// What is done after the last answer, before the process ends: closing a database, for example.
    pub at_end: Option<AtEnd>,
}

/// What is done after the last answer.
pub type AtEnd = Box<dyn FnOnce() -> futures::future::BoxFuture<'static, ()> + Send>;

impl App {
    /// Routes and their document.
    #[must_use]
    pub fn new(routes: Router, openapi: fn() -> utoipa::openapi::OpenApi) -> Self {
        Self {
            routes,
            openapi,
            at_end: None,
        }
    }

    /// Does something after the last answer.
    #[must_use]
    pub fn at_end<F, Fut>(mut self, end: F) -> Self
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.at_end = Some(Box::new(move || Box::pin(end())));
        self
    }
}

/// Runs a daemon until SIGTERM, SIGINT or a failed task.
///
/// The port is bound first, so that a taken one is known before a database is touched; while `build` works,
/// `/health` answers 503 with the checks and everything else 503.
///
/// # Errors
/// One sentence that says what failed.
pub async fn run_service<F, Fut>(spec: ServiceSpec, build: F) -> anyhow::Result<()>
where
    F: FnOnce(Context) -> Fut,
    Fut: Future<Output = anyhow::Result<App>>,
{
    let shutdown = Shutdown::new();
    let signals = shutdown.clone();
    let tasks = Tasks::new(shutdown);
    tasks.spawn("signals", async move { signals.on_signals().await });
    let listener = listen::bind(spec.listen).await?;
    serve(spec, listener, tasks, build).await
}

/// The same on a listener and tasks that the caller has: for tests, which end it by [`Shutdown::begin`].
///
/// # Errors
/// As [`run_service`].
pub async fn serve<F, Fut>(
    spec: ServiceSpec,
    listener: TcpListener,
    tasks: Tasks,
    build: F,
) -> anyhow::Result<()>
where
    F: FnOnce(Context) -> Fut,
    Fut: Future<Output = anyhow::Result<App>>,
{
    metrics::install();
    let shutdown = tasks.shutdown().clone();
    let address = listener.local_addr().context("could not listen")?;
    let readiness = Readiness::new(spec.kind, spec.version);
    let starting = readiness.check("start", "starting");
    let gate = Gate::default();
    let server = {
        let router = shell(gate.clone(), readiness.clone(), &spec.limits, &tasks);
        crate::serve::connections(listener, router, tasks.clone(), spec.limits)
    };
    let ended = tokio_util::sync::CancellationToken::new();
    let end_of_server = ended.clone().drop_guard();
    tasks.spawn("http server", async move {
        server.await;
        drop(end_of_server);
    });
    let built = build(Context {
        readiness: readiness.clone(),
        shutdown: shutdown.clone(),
        tasks: tasks.clone(),
        clock: Arc::new(SystemClock),
        address,
    });
    let app = tokio::select! {
        built = built => match built {
            Ok(app) => Some(app),
            Err(error) => {
                shutdown.begin();
                return Err(error);
            }
        },
        () = shutdown.begun() => None,
    };
    let mut at_end = None;
    if let Some(app) = app {
        gate.open(routes(app.routes, app.openapi));
        at_end = app.at_end;
        starting.ok();
        tracing::info!("listening on {address}");
        shutdown.begun().await;
    }
    // Connections first: their handlers may still need the tasks.
    if tokio::time::timeout(DRAIN, ended.cancelled())
        .await
        .is_err()
    {
        tracing::warn!(
            "connections were still open {} s after the stop and are closed",
            DRAIN.as_secs()
        );
    }
    let result = tasks.finish(Duration::from_secs(1)).await;
    if let Some(end) = at_end {
        end().await;
    }
    if result.is_ok() {
        tracing::info!("stopped");
    }
    result
}

/// The log file that the supervisor leads a service's standard output to; the service rotates it itself.
pub const LOG_FILE_VARIABLE: &str = "TANA_LOG_FILE";

/// Runs the `main` of a daemon: a small runtime, logging, and one clear sentence when it fails.
///
/// `level` and `run` come from settings that were read before; what failed until then is printed by [`fail`].
pub fn main<Fut>(level: &str, run: Fut) -> std::process::ExitCode
where
    Fut: Future<Output = anyhow::Result<()>>,
{
    main_with_log(level, None, run)
}

/// The same for one that may know its log file; without, the supervisor has named it. Where standard output leads there,
/// it is rotated.
pub fn main_with_log<Fut>(level: &str, file: Option<PathBuf>, run: Fut) -> std::process::ExitCode
where
    Fut: Future<Output = anyhow::Result<()>>,
{
    // The one place in a daemon that reads the environment besides tana-home.
    #[allow(clippy::disallowed_methods)]
    let file = file.or_else(|| std::env::var_os(LOG_FILE_VARIABLE).map(PathBuf::from));
    let is_output = |path: &PathBuf| {
        let named = nix::sys::stat::stat(path).ok();
        named.map(|stat| (stat.st_dev, stat.st_ino)) == place(std::io::stdout().as_fd())
    };
    let output = file.filter(is_output).map_or(
        crate::telemetry::Output::Standard,
        crate::telemetry::Output::File,
    );
    match run_to_end(level, &output, run) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            fail(&error)
        }
    }
}

/// The same for a command that prints its result: nothing else comes to standard output, and what is logged goes to
/// standard error.
pub fn command_main<Fut>(level: &str, run: Fut) -> std::process::ExitCode
where
    Fut: Future<Output = anyhow::Result<()>>,
{
    match run_to_end(level, &crate::telemetry::Output::Error, run) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tana: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn run_to_end<Fut>(level: &str, output: &crate::telemetry::Output, run: Fut) -> anyhow::Result<()>
where
    Fut: Future<Output = anyhow::Result<()>>,
{
    crate::telemetry::start(level, output)?;
    crate::places::raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(16)
        .enable_all()
        .build()
        .context("could not start the runtime")?;
    let result = runtime.block_on(run);
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Which file a descriptor leads to.
fn place(fd: BorrowedFd<'_>) -> Option<(u64, u64)> {
    let stat = nix::sys::stat::fstat(fd).ok()?;
    Some((stat.st_dev, stat.st_ino))
}

/// Prints an error's sentence on standard error, unless standard output leads to the same place and has it already.
#[must_use]
pub fn fail(error: &anyhow::Error) -> std::process::ExitCode {
    let same = place(std::io::stdout().as_fd()) == place(std::io::stderr().as_fd());
    if !same || !tracing::enabled!(tracing::Level::ERROR) {
        eprintln!("tana: {error:#}");
    }
    std::process::ExitCode::FAILURE
}

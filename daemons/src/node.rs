//! `tanad node`: the supervisor. Starts the node's services in order, keeps them running, keeps their logs, speaks for
//! the node in the mesh, and offers all of that over HTTP on a Unix socket.
//!
//! A supervisor that is killed leaves the services running; the next one takes them over.

mod board;
mod health;
mod http;
mod launch;
mod logs;
mod membership;
mod peers;
mod process;
mod record;
mod service;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use tana_home::{Lock, Settings};
use tana_kit::http::Limits;
use tana_kit::{Clock, EventHub, Readiness, Shutdown, SystemClock, Tasks};
use tana_protocol::api::node::{NodeView, event};
use tana_protocol::genesis::Engine;
use tana_protocol::service::NodeRole;
use tana_protocol::{ServiceKind, Timestamp};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot, watch};
use utoipa::OpenApi;

use board::Board;
use http::{Document, NodeApi};
use launch::Launcher;
use logs::Logs;
use membership::Membership;
use process::Process;
use record::{Record, Running};
use service::{Order, Service};

/// Orders of one service that wait at most.
const ORDERS: usize = 16;
/// How long connections on the socket get to end.
const DRAIN: Duration = Duration::from_secs(1);
/// The longest path of a Unix socket (`sun_path`, with its terminating zero).
const LONGEST_SOCKET_PATH: usize = 107;

/// The supervisor's own log, where who starts it leads its output.
#[must_use]
pub fn log_file(settings: &Settings) -> PathBuf {
    settings.home.logs_dir().join("node.log")
}

/// Runs the supervisor until it is told to stop; then all services have ended.
///
/// # Errors
/// One sentence that says what failed.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    // What this node writes is its owner's alone; services inherit it.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    settings.home.create()?;
    let _lock = Lock::take(&settings.home.lock_file())?;
    let about = describe(&settings)?;
    let socket = settings.home.socket();
    let listener = listen(&socket)?;

    let kinds = settings.role.services();
    let stop = Shutdown::new();
    let end = Shutdown::new();
    let tasks = Tasks::new(stop.clone());
    let signals = stop.clone();
    tasks.spawn("signals", async move { signals.on_signals().await });

    let events = EventHub::new(&end);
    let board = Board::new(kinds, events.clone());
    let logs = Logs::new(settings.home.logs_dir(), kinds, board.clone());
    tasks.spawn("log reader", logs.clone().follow_files(end.clone()));
    let launcher = Launcher::new(&settings)?;
    let (record, mut running) = take_over(&settings).await;
    let (stands, standing) = watch::channel(None);
    if let Some(membership) = Membership::new(&settings, board.clone(), stands, stop.clone())? {
        tasks.spawn("membership", membership.run());
    }
    let mut orders = Vec::new();
    for kind in kinds {
        let (sender, receiver) = mpsc::channel(ORDERS);
        orders.push((*kind, sender));
        let service = Service::new(
            *kind,
            board.clone(),
            launcher.clone(),
            record.clone(),
            logs.clone(),
            receiver,
        );
        tasks.spawn("service", service.run(running.remove(kind)));
    }

    let api = NodeApi {
        about,
        standing,
        board,
        logs,
        events: events.clone(),
        orders: orders.clone(),
        stop: stop.clone(),
        end: end.clone(),
    };
    let router = tana_kit::http::whole(
        http::routes(api),
        Document::openapi,
        Readiness::named("node", crate::VERSION),
        &Limits::default(),
        &tasks,
    );
    let closed = end.begun_owned();
    tasks.spawn("http server", async move {
        axum::serve(listener, router)
            .with_graceful_shutdown(closed)
            .await
    });
    tracing::info!(
        "supervising {} services of {} in {}",
        kinds.len(),
        settings.node_id,
        settings.home.root().display()
    );

    stop.begun().await;
    // A supervisor that fails leaves the services as they are, for the next one to take over.
    if !tasks.has_failed() {
        tracing::info!("stopping all services");
        events.publish(event::STOPPING, &serde_json::Map::new());
        stop_all(&orders).await;
        record.remove();
    }
    drop(orders);
    end.begin();
    let result = tasks.finish(DRAIN).await;
    // Ours: the lock is still held.
    let _gone = std::fs::remove_file(&socket);
    tracing::info!("stopped");
    result
}

/// Stops the services in reverse order, each once those that may need it have ended.
async fn stop_all(orders: &[(ServiceKind, mpsc::Sender<Order>)]) {
    for (_, sender) in orders.iter().rev() {
        let (stopped, has_stopped) = oneshot::channel();
        if sender.send(Order::Stop(Some(stopped))).await.is_ok() {
            // An error says that its task is gone, and with it what could be waited for.
            let _stopped = has_stopped.await;
        }
    }
}

/// The processes that an earlier supervisor left. Those that this node's role does not have are stopped.
async fn take_over(settings: &Settings) -> (Record, BTreeMap<ServiceKind, (Process, Running)>) {
    let (record, before) = Record::open(settings.home.data_dir());
    let mut found = BTreeMap::new();
    let recorded = before
        .into_iter()
        .filter_map(|(name, running)| Some((name.parse().ok()?, running)));
    let unrecorded = record::unrecorded(&settings.home.lock_file())
        .into_iter()
        .map(|(kind, process)| {
            let running = Running {
                process,
                port: settings.port(kind),
                started_at: SystemClock.now(),
                restarts: 0,
            };
            (kind, running)
        });
    let all: Vec<(ServiceKind, Running)> = recorded.chain(unrecorded).collect();
    for (kind, running) in all {
        let known = found
            .get(&kind)
            .is_some_and(|(_, known): &(Process, Running)| known.process == running.process);
        let Some(mut process) = (!known).then(|| Process::adopt(running.process)).flatten() else {
            continue;
        };
        if settings.role.services().contains(&kind) && !found.contains_key(&kind) {
            record.note(kind, Some(running));
            found.insert(kind, (process, running));
        } else {
            tracing::info!(
                "stopping a {kind} (pid {}) that is not wanted",
                running.process.pid
            );
            process.stop().await;
        }
    }
    (record, found)
}

/// What the supervisor says of the node.
fn describe(settings: &Settings) -> anyhow::Result<NodeView> {
    let chain = match settings.chain() {
        Ok(chain) => Some(chain),
        // A registry alone needs no chain.
        Err(_) if settings.role == NodeRole::Coordinator => None,
        Err(error) => return Err(error.into()),
    };
    Ok(NodeView {
        node_id: settings.node_id.clone(),
        role: settings.role,
        engine: chain
            .as_ref()
            .and_then(|chain| chain.engine)
            .map(|engine| match engine {
                Engine::V8 => "V8".to_owned(),
                Engine::Quickjs => "QuickJS".to_owned(),
            }),
        chain: chain.map_or_else(|| "none".to_owned(), |chain| chain.name),
        version: crate::VERSION.to_owned(),
        pid: std::process::id(),
        started_at: now(),
        port_offset: settings.port_offset,
        services: Vec::new(),
        membership: None,
    })
}

fn now() -> Timestamp {
    SystemClock.now()
}

/// Binds the socket, for the owner alone. One that is there is a killed supervisor's: the lock is ours.
fn listen(socket: &Path) -> anyhow::Result<UnixListener> {
    if socket.as_os_str().len() > LONGEST_SOCKET_PATH {
        bail!(
            "the path of the socket {} is longer than the {LONGEST_SOCKET_PATH} bytes that are possible; choose a shorter TANA_HOME",
            socket.display()
        );
    }
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error)
                .with_context(|| format!("the old socket {} is in the way", socket.display()));
        }
        _ => {}
    }
    let listener = UnixListener::bind(socket)
        .with_context(|| format!("could not listen on {}", socket.display()))?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("could not make {} private", socket.display()))?;
    Ok(listener)
}

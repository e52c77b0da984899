//! The life of one service: wait for those before it, start it or take it over, watch its health and its end, start it
//! again with growing delays, stop it when told.

use std::net::SocketAddr;
use std::time::Duration;

use tana_home::Settings;
use tana_kit::{Backoff, Clock, SystemClock};
use tana_protocol::ServiceKind;
use tana_protocol::api::node::{ServiceState, ServiceView};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::board::{Board, Gate, Meter};
use super::health::{self, Answer};
use super::launch::{Launcher, Trouble, hint_for};
use super::logs::Logs;
use super::process::{Exit, Process};
use super::record::{Record, Running};

/// Between two looks while a service starts: what waits for it starts that much sooner.
const LOOK_STARTING: Duration = Duration::from_millis(25);
/// After this long a start is a slow one, such as a replay, and is looked at less often.
const SLOW_START: Duration = Duration::from_secs(5);
const LOOK_SLOW_START: Duration = Duration::from_millis(250);
/// Between two looks at a service that is ready; its end is noticed at once without looking.
const LOOK_READY: Duration = Duration::from_secs(5);
/// Between two looks at one that is not well.
const LOOK_DEGRADED: Duration = Duration::from_secs(1);
/// A service that was ready for this long has its delays and its restarts forgiven.
const HEALTHY: Duration = Duration::from_secs(60);

/// What an operator wants of a service.
#[derive(Debug)]
pub(super) enum Order {
    Start,
    /// Answered once it has ended.
    Stop(Option<oneshot::Sender<()>>),
    Restart,
}

/// One service of the node.
pub(super) struct Service {
    pub(super) kind: ServiceKind,
    pub(super) board: Board,
    pub(super) launcher: Launcher,
    pub(super) record: Record,
    pub(super) logs: Logs,
    pub(super) orders: mpsc::Receiver<Order>,
    backoff: Backoff,
    stopped: Vec<oneshot::Sender<()>>,
    last_trouble: Option<String>,
}

/// Where its life goes on.
enum Next {
    Stopped,
    Wait(Gate),
    Start,
    Watch(Box<Process>, SocketAddr),
    Retry(Trouble),
    /// The supervisor ends.
    End,
}

impl Service {
    pub(super) fn new(
        kind: ServiceKind,
        board: Board,
        launcher: Launcher,
        record: Record,
        logs: Logs,
        orders: mpsc::Receiver<Order>,
    ) -> Self {
        Self {
            kind,
            board,
            launcher,
            record,
            logs,
            orders,
            backoff: Backoff::new(Duration::from_millis(200), Duration::from_secs(60)),
            stopped: Vec::new(),
            last_trouble: None,
        }
    }

    /// Lives until the supervisor drops the other end of `orders`; `running` is its process where an earlier
    /// supervisor left one.
    pub(super) async fn run(mut self, running: Option<(Process, Running)>) {
        let mut next = match running {
            None => Next::Wait(Gate::Order),
            Some((process, running)) => self.take_over(process, running).await,
        };
        loop {
            next = match next {
                Next::Stopped => self.stay_stopped().await,
                Next::Wait(gate) => self.wait(gate).await,
                Next::Start => self.start().await,
                Next::Watch(process, listen) => self.watch(*process, listen).await,
                Next::Retry(trouble) => self.retry(trouble).await,
                Next::End => return,
            };
        }
    }

    fn show(&self, change: impl FnOnce(&mut ServiceView)) {
        self.board.update(self.kind, change);
    }

    /// An earlier supervisor's process, unless the settings have moved its port since.
    async fn take_over(&mut self, mut process: Process, running: Running) -> Next {
        let Ok(settings) = self.launcher.settings() else {
            // A bad setting must not end what runs.
            let listen = SocketAddr::new(std::net::Ipv4Addr::LOCALHOST.into(), running.port);
            return self.begin_watch(process, listen, running);
        };
        let listen = settings.listen(self.kind);
        if listen.port() != running.port {
            tracing::info!(
                "{} runs on port {}, the settings say {}: starting it anew",
                self.kind,
                running.port,
                listen.port()
            );
            process.stop().await;
            return Next::Wait(Gate::Order);
        }
        tracing::info!("took over {} (pid {})", self.kind, running.process.pid);
        self.begin_watch(process, listen, running)
    }

    async fn stay_stopped(&mut self) -> Next {
        self.show(|view| {
            clear_process(view);
            view.state = ServiceState::Stopped;
            view.why = None;
            view.hint = None;
            view.next_try = None;
        });
        self.record.note(self.kind, None);
        for waiting in self.stopped.drain(..) {
            // Who asked may have gone.
            let _asked = waiting.send(());
        }
        self.backoff.reset();
        self.last_trouble = None;
        match self.orders.recv().await {
            None => Next::End,
            Some(Order::Start | Order::Restart) => Next::Wait(Gate::Order),
            Some(Order::Stop(answer)) => {
                self.stopped.extend(answer);
                Next::Stopped
            }
        }
    }

    /// Waits until what it needs is ready.
    async fn wait(&mut self, gate: Gate) -> Next {
        let mut changes = self.board.changes();
        loop {
            changes.mark_unchanged();
            let Some(why) = self.board.blocked_by(self.kind, gate) else {
                return Next::Start;
            };
            self.show(|view| {
                clear_process(view);
                view.state = ServiceState::Waits;
                view.why = Some(why);
                view.hint = None;
                view.next_try = None;
            });
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return Next::End },
                order = self.orders.recv() => match order {
                    None => return Next::End,
                    Some(Order::Stop(answer)) => {
                        self.stopped.extend(answer);
                        return Next::Stopped;
                    }
                    // It starts as soon as it can anyway.
                    Some(Order::Start | Order::Restart) => {}
                },
            }
        }
    }

    async fn start(&mut self) -> Next {
        let settings = match self.launcher.settings() {
            Ok(settings) => settings,
            Err(trouble) => return Next::Retry(trouble),
        };
        match self.launcher.start(self.kind, &settings).await {
            Ok(process) => {
                let listen = settings.listen(self.kind);
                let restarts = self.board.get(self.kind).map_or(0, |view| view.restarts);
                let running = Running {
                    process: process.id,
                    port: listen.port(),
                    started_at: SystemClock.now(),
                    restarts,
                };
                self.show_url(&settings);
                self.begin_watch(process, listen, running)
            }
            Err(trouble) => {
                if self.last_trouble.as_ref() != Some(&trouble.why) {
                    self.launcher.note(self.kind, &trouble.why);
                }
                self.show(|view| view.port = Some(settings.port(self.kind)));
                Next::Retry(trouble)
            }
        }
    }

    fn show_url(&self, settings: &Settings) {
        let listen = health::reachable(settings.listen(self.kind));
        self.show(|view| view.url = Some(format!("http://{listen}")));
    }

    fn begin_watch(&mut self, process: Process, listen: SocketAddr, running: Running) -> Next {
        self.record.note(self.kind, Some(running));
        self.logs.expect_lines(self.kind);
        self.show(|view| {
            view.state = ServiceState::Starting;
            view.why = None;
            view.hint = None;
            view.next_try = None;
            view.pid = Some(running.process.pid);
            view.port = Some(listen.port());
            view.url = Some(format!("http://{}", health::reachable(listen)));
            view.started_at = Some(running.started_at);
            view.restarts = running.restarts;
        });
        Next::Watch(Box::new(process), listen)
    }

    /// Watches a process until it ends or is told to.
    async fn watch(&mut self, mut process: Process, listen: SocketAddr) -> Next {
        let kind = self.kind;
        let began = Instant::now();
        let mut ready_since = None;
        let mut meter = Meter::default();
        let mut pause = Duration::ZERO;
        let hang_limit = self
            .launcher
            .settings()
            .map_or(None, |settings| settings.hang_limit);
        let mut silent_since = None;
        loop {
            let look = async {
                tokio::time::sleep(pause).await;
                health::ask(kind, listen).await
            };
            let answer = tokio::select! {
                biased;
                ended = process.ended() => {
                    if let Err(error) = ended {
                        tracing::warn!("{kind} cannot be watched: {error}");
                    }
                    let exit = process.exit();
                    return Next::Retry(self.ended(exit));
                }
                order = self.orders.recv() => match order {
                    // The supervisor ends without a stop: the service stays, and the next one takes it over.
                    None => return Next::End,
                    Some(Order::Start) => continue,
                    Some(Order::Stop(answer)) => {
                        self.stopped.extend(answer);
                        self.end(process).await;
                        return Next::Stopped;
                    }
                    Some(Order::Restart) => {
                        self.end(process).await;
                        self.backoff.reset();
                        self.show(clear_process);
                        return Next::Wait(Gate::Needs);
                    }
                },
                answer = look => answer,
            };
            pause = self.show_answer(&answer, began, &mut ready_since);
            silent_since = match answer {
                Answer::None => silent_since.or_else(|| Some(Instant::now())),
                Answer::Ready | Answer::NotReady(_) => None,
            };
            let silent = silent_since.map_or(Duration::ZERO, |since: Instant| since.elapsed());
            if hang_limit.is_some_and(|limit| silent >= limit) {
                let trouble = hung(silent);
                self.launcher.note(kind, &trouble.why);
                tracing::warn!("{kind}: {}", trouble.why);
                self.end(process).await;
                return Next::Retry(trouble);
            }
            if ready_since.is_some_and(|since: Instant| since.elapsed() >= HEALTHY) {
                self.backoff.reset();
            }
            if ready_since.is_some() {
                let (cpu, memory) = meter.sample(process.id.pid);
                self.show(|view| {
                    view.cpu_permille = cpu;
                    view.memory_bytes = memory;
                });
            }
        }
    }

    /// Shows what a look gave; answers when to look next.
    fn show_answer(
        &mut self,
        answer: &Answer,
        began: Instant,
        ready_since: &mut Option<Instant>,
    ) -> Duration {
        let was_ready = self
            .board
            .get(self.kind)
            .is_some_and(|view| matches!(view.state, ServiceState::Ready | ServiceState::Degraded));
        let starting = if began.elapsed() < SLOW_START {
            LOOK_STARTING
        } else {
            LOOK_SLOW_START
        };
        let (state, why, pause) = match (answer, was_ready) {
            (Answer::Ready, _) => (ServiceState::Ready, None, LOOK_READY),
            (Answer::NotReady(why), false) => (ServiceState::Starting, Some(why.clone()), starting),
            (Answer::NotReady(why), true) => {
                (ServiceState::Degraded, Some(why.clone()), LOOK_DEGRADED)
            }
            (Answer::None, false) => (ServiceState::Starting, None, starting),
            (Answer::None, true) => (
                ServiceState::Degraded,
                Some("it runs and does not answer".to_owned()),
                LOOK_DEGRADED,
            ),
        };
        if state == ServiceState::Ready {
            if ready_since.is_none() {
                *ready_since = Some(Instant::now());
                self.last_trouble = None;
            }
        } else {
            *ready_since = None;
        }
        self.show(|view| {
            view.state = state;
            view.why = why;
            view.hint = None;
        });
        pause
    }

    async fn end(&mut self, mut process: Process) {
        self.show(|view| {
            view.state = ServiceState::Stopping;
            view.why = None;
        });
        let exit = process.stop().await;
        self.logs.catch_up(self.kind);
        self.show(|view| view.last_exit = Some(exit.to_string()));
        self.record.note(self.kind, None);
    }

    /// It ended by itself: says why, as well as can be known.
    fn ended(&self, exit: Exit) -> Trouble {
        self.record.note(self.kind, None);
        let said = self.logs.last_error(self.kind);
        let why = match (&said, exit) {
            // A signal from outside is the reason, whatever the log said before.
            (Some(line), Exit::Status(status)) if status.code().is_some() => line.clone(),
            (Some(line), Exit::Unknown) => line.clone(),
            _ => exit.to_string(),
        };
        let hint = said.as_deref().and_then(hint_for).map(str::to_owned);
        tracing::warn!("{} ended by itself: {exit}", self.kind);
        self.show(|view| view.last_exit = Some(exit.to_string()));
        Trouble { why, hint }
    }

    /// Waits before the next try.
    async fn retry(&mut self, trouble: Trouble) -> Next {
        let delay = self.backoff.next_delay();
        self.show(|view| {
            clear_process(view);
            view.state = ServiceState::Failed;
            view.why = Some(trouble.why.clone());
            view.hint = trouble.hint;
            view.next_try = Some(SystemClock.now().plus(delay));
            view.restarts += 1;
        });
        self.last_trouble = Some(trouble.why);
        tokio::select! {
            () = tokio::time::sleep(delay) => Next::Wait(Gate::Needs),
            order = self.orders.recv() => match order {
                None => Next::End,
                Some(Order::Start | Order::Restart) => {
                    self.backoff.reset();
                    Next::Wait(Gate::Needs)
                }
                Some(Order::Stop(answer)) => {
                    self.stopped.extend(answer);
                    Next::Stopped
                }
            },
        }
    }
}

/// It runs, and nothing comes of it: a deadlock, a disk that does not answer, or somebody stopped it.
fn hung(silent: Duration) -> Trouble {
    Trouble {
        why: format!(
            "it ran and answered nothing for {} s; it was ended",
            silent.as_secs()
        ),
        hint: Some("it is started anew; its log may say what it waited for".into()),
    }
}

fn clear_process(view: &mut ServiceView) {
    view.pid = None;
    view.started_at = None;
    view.cpu_permille = None;
    view.memory_bytes = None;
}

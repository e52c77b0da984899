//! What the supervisor shows: a view of each service, events when a shown value changed, and a signal for those parts
//! that wait for another service.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tana_kit::{Clock, EventHub, SystemClock};
use tana_protocol::ServiceKind;
use tana_protocol::api::node::{ServiceState, ServiceView, event};
use tokio::sync::watch;

/// The views of all services of the node, in start order. Clones share it.
#[derive(Clone)]
pub(super) struct Board {
    views: Arc<Mutex<Vec<ServiceView>>>,
    events: EventHub,
    changed: Arc<watch::Sender<u64>>,
}

impl Board {
    pub(super) fn new(kinds: &[ServiceKind], events: EventHub) -> Self {
        let now = SystemClock.now();
        let views = kinds
            .iter()
            .map(|kind| ServiceView {
                name: *kind,
                state: ServiceState::Waits,
                why: None,
                hint: None,
                pid: None,
                port: None,
                url: None,
                started_at: None,
                since: now,
                cpu_permille: None,
                memory_bytes: None,
                restarts: 0,
                last_exit: None,
                next_try: None,
                last_line: None,
            })
            .collect();
        Self {
            views: Arc::new(Mutex::new(views)),
            events,
            changed: Arc::new(watch::Sender::new(0)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<ServiceView>> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All views, in start order.
    pub(super) fn all(&self) -> Vec<ServiceView> {
        self.lock().clone()
    }

    /// One view; `None` for a service that this node's role does not have.
    pub(super) fn get(&self, kind: ServiceKind) -> Option<ServiceView> {
        self.lock().iter().find(|view| view.name == kind).cloned()
    }

    /// Changes a view; where something is different afterwards, all who listen are told.
    pub(super) fn update(&self, kind: ServiceKind, change: impl FnOnce(&mut ServiceView)) {
        let mut views = self.lock();
        let Some(view) = views.iter_mut().find(|view| view.name == kind) else {
            return;
        };
        let before = view.clone();
        change(view);
        if view.state != before.state {
            view.since = SystemClock.now();
        }
        if *view != before {
            self.events.publish(event::SERVICE, view);
            self.changed.send_modify(|count| *count += 1);
        }
    }

    /// Tells of every change.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// What `kind` has to wait for before it may start; `None` when nothing.
    pub(super) fn blocked_by(&self, kind: ServiceKind, gate: Gate) -> Option<String> {
        let views = self.lock();
        let place = views.iter().position(|view| view.name == kind)?;
        let needed: Vec<&ServiceView> = match gate {
            // The nearest one before it that is to run; that one waited for those before itself.
            Gate::Order => views[..place]
                .iter()
                .rev()
                .find(|view| view.state != ServiceState::Stopped)
                .into_iter()
                .collect(),
            Gate::Needs => views[..place]
                .iter()
                .filter(|view| needs(kind).contains(&view.name))
                .filter(|view| view.state != ServiceState::Stopped)
                .collect(),
        };
        needed
            .into_iter()
            .find(|view| !matches!(view.state, ServiceState::Ready | ServiceState::Degraded))
            .map(|view| match &view.why {
                Some(why) if view.state == ServiceState::Starting => {
                    format!("for {}: {why}", view.name)
                }
                _ => format!("for {}, which {}", view.name, doing(view.state)),
            })
    }
}

/// What a service waits for before it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// All before it in the start order, as when the node starts.
    Order,
    /// Only what it cannot work without, as when it is started again.
    Needs,
}

/// What a service cannot work without.
const fn needs(kind: ServiceKind) -> &'static [ServiceKind] {
    match kind {
        ServiceKind::Producer => &[ServiceKind::Ledger],
        _ => &[],
    }
}

const fn doing(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Stopped => "is stopped",
        ServiceState::Waits => "waits",
        ServiceState::Starting => "is starting",
        ServiceState::Ready => "is ready",
        ServiceState::Degraded => "is degraded",
        ServiceState::Failed => "failed",
        ServiceState::Stopping => "is stopping",
    }
}

/// Processor time and memory as shown: steps with hysteresis, so that an idle service shows the same for hours.
#[derive(Debug, Default)]
pub(super) struct Meter {
    last: Option<(std::time::Instant, f64)>,
    smoothed: f64,
    shown_cpu: Option<u32>,
    shown_memory: Option<u64>,
}

impl Meter {
    /// Takes a sample of a process; answers what is shown now (tenths of a percent, bytes).
    pub(super) fn sample(&mut self, pid: u32) -> (Option<u32>, Option<u64>) {
        if let Some(usage) = tana_kit::metrics::usage(&format!("/proc/{pid}")) {
            let now = std::time::Instant::now();
            if let Some((at, seconds)) = self.last {
                let time = now.duration_since(at);
                if time >= Duration::from_millis(500) {
                    let share = (usage.cpu_seconds - seconds).max(0.0) / time.as_secs_f64();
                    self.smoothed = self.smoothed.mul_add(0.5, share * 500.0);
                    self.shown_cpu = Some(step_cpu(self.shown_cpu, self.smoothed));
                    self.last = Some((now, usage.cpu_seconds));
                }
            } else {
                self.last = Some((now, usage.cpu_seconds));
                self.shown_cpu = Some(0);
            }
            self.shown_memory = Some(step_memory(self.shown_memory, usage.resident_bytes));
        }
        (self.shown_cpu, self.shown_memory)
    }
}

/// The shown value moves once the measured one is 1 % of a core and a quarter away.
fn step_cpu(shown: Option<u32>, measured: f64) -> u32 {
    // At most a few thousand: a core is 1000.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let measured = measured.clamp(0.0, 1e9).round() as u32;
    match shown {
        Some(shown) if measured.abs_diff(shown) < (shown / 4).max(10) => shown,
        // What hardly works shows as nothing rather than as noise.
        _ if measured < 5 => 0,
        _ => measured,
    }
}

/// The shown value moves once the measured one is 2 MiB and a tenth away; it is rounded to a tenth of a MiB.
fn step_memory(shown: Option<u64>, measured: u64) -> u64 {
    const TENTH: u64 = (1 << 20) / 10;
    match shown {
        Some(shown) if measured.abs_diff(shown) < (shown / 10).max(2 << 20) => shown,
        _ => measured.div_ceil(TENTH) * TENTH,
    }
}

#[cfg(test)]
mod tests {
    use super::{step_cpu, step_memory};

    #[test]
    fn an_idle_service_shows_the_same_whatever_is_measured() {
        let mut shown = step_cpu(None, 2.0);
        assert_eq!(shown, 0);
        for measured in [1.0, 9.0, 3.0, 0.0, 8.0] {
            shown = step_cpu(Some(shown), measured);
            assert_eq!(shown, 0);
        }
        assert_eq!(step_cpu(Some(0), 300.0), 300);
        assert_eq!(step_cpu(Some(300), 0.0), 0);
    }

    #[test]
    fn memory_moves_in_steps() {
        let shown = step_memory(None, 18 << 20);
        assert_eq!(step_memory(Some(shown), 19 << 20), shown);
        assert!(step_memory(Some(shown), 25 << 20) >= 25 << 20);
    }
}

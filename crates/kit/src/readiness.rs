//! What a daemon needs to be ready, as named checks; `GET /health` answers from here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tana_protocol::ServiceKind;
use tana_protocol::api::health::{Check as CheckView, Health, HealthStatus};

/// Looks at a part when somebody asks for the health; answers why it is not well.
type Probe = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// A probe that takes longer than this is not well.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// The registry of checks. Clones share it.
#[derive(Clone)]
pub struct Readiness {
    service: &'static str,
    version: &'static str,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    checks: Vec<CheckView>,
    probes: Vec<(String, Probe)>,
    was_ready: WasReady,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum WasReady {
    #[default]
    Never,
    Once,
}

/// One named check, to be set by the part that knows.
#[derive(Clone)]
pub struct Check {
    name: String,
    registry: Readiness,
}

impl Readiness {
    /// No checks: ready.
    #[must_use]
    pub fn new(service: ServiceKind, version: &'static str) -> Self {
        Self::named(service.name(), version)
    }

    /// The same for what is no service of a node, such as the supervisor.
    #[must_use]
    pub fn named(service: &'static str, version: &'static str) -> Self {
        Self {
            service,
            version,
            inner: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a check that is not well yet; `doing` says what it waits for.
    #[must_use]
    pub fn check(&self, name: &str, doing: impl Into<String>) -> Check {
        self.set(name, Err(doing.into()));
        Check {
            name: name.to_owned(),
            registry: self.clone(),
        }
    }

    /// Adds a part that is looked at whenever the health is asked for, at most two seconds long.
    pub fn probe<F, Fut>(&self, name: &str, look: F)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        let probe: Probe = Arc::new(move || Box::pin(look()));
        self.lock().probes.push((name.to_owned(), probe));
    }

    fn set(&self, name: &str, state: Result<(), String>) {
        self.put(CheckView {
            name: name.to_owned(),
            ok: state.is_ok(),
            detail: state.err(),
        });
    }

    fn put(&self, view: CheckView) {
        let mut inner = self.lock();
        if let Some(check) = inner
            .checks
            .iter_mut()
            .find(|check| check.name == view.name)
        {
            *check = view;
        } else {
            inner.checks.push(view);
        }
    }

    /// The present health; probes are run side by side.
    pub async fn health(&self) -> Health {
        let (mut checks, probes) = {
            let inner = self.lock();
            (inner.checks.clone(), inner.probes.clone())
        };
        let looked =
            futures::future::join_all(probes.into_iter().map(|(name, probe)| async move {
                let state = tokio::time::timeout(PROBE_LIMIT, probe())
                    .await
                    .unwrap_or_else(|_| {
                        Err(format!("no answer within {} s", PROBE_LIMIT.as_secs()))
                    });
                CheckView {
                    name,
                    ok: state.is_ok(),
                    detail: state.err(),
                }
            }))
            .await;
        checks.extend(looked);
        let ready = checks.iter().all(|check| check.ok);
        let mut inner = self.lock();
        if ready {
            inner.was_ready = WasReady::Once;
        }
        let status = match (ready, inner.was_ready) {
            (true, _) => HealthStatus::Ok,
            (false, WasReady::Never) => HealthStatus::Starting,
            (false, WasReady::Once) => HealthStatus::Degraded,
        };
        Health {
            status,
            service: self.service.to_owned(),
            version: self.version.to_owned(),
            checks,
        }
    }
}

impl Check {
    /// It is well.
    pub fn ok(&self) {
        self.registry.set(&self.name, Ok(()));
    }

    /// It is well; `note` says what an operator should know of it all the same.
    pub fn ok_with(&self, note: Option<&str>) {
        self.registry.put(CheckView {
            name: self.name.clone(),
            ok: true,
            detail: note.map(str::to_owned),
        });
    }

    /// It is not; `why` says why, or what it does to become well.
    pub fn not_ok(&self, why: impl Into<String>) {
        self.registry.set(&self.name, Err(why.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::Readiness;
    use tana_protocol::ServiceKind;
    use tana_protocol::api::health::HealthStatus;

    #[tokio::test]
    async fn a_service_starts_is_ready_and_may_degrade() {
        let readiness = Readiness::new(ServiceKind::Ledger, "1");
        let check = readiness.check("database", "opening");
        let health = readiness.health().await;
        assert_eq!(health.status, HealthStatus::Starting);
        assert_eq!(health.checks[0].detail.as_deref(), Some("opening"));
        check.ok();
        assert_eq!(readiness.health().await.status, HealthStatus::Ok);
        readiness.probe("queue", || async { Err("gone".to_owned()) });
        assert_eq!(readiness.health().await.status, HealthStatus::Degraded);
    }
}

//! The supervised task set: the one place where tasks are spawned. A task that fails or panics ends the daemon
//! with that error; at shutdown all of them are awaited.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::anyhow;
use futures::FutureExt;
use tokio_util::task::TaskTracker;

use crate::shutdown::Shutdown;

/// What a task may end with: nothing, or a result whose error ends the daemon.
pub trait TaskOutput {
    /// As a result.
    ///
    /// # Errors
    /// The task's own.
    fn into_result(self) -> anyhow::Result<()>;
}

impl TaskOutput for () {
    fn into_result(self) -> anyhow::Result<()> {
        Ok(())
    }
}

impl<E: Into<anyhow::Error>> TaskOutput for Result<(), E> {
    fn into_result(self) -> anyhow::Result<()> {
        self.map_err(Into::into)
    }
}

/// A set of named tasks. Clones share it.
#[derive(Clone, Debug)]
pub struct Tasks {
    tracker: TaskTracker,
    shutdown: Shutdown,
    failure: Arc<Mutex<Option<anyhow::Error>>>,
}

impl Tasks {
    /// An empty set; a failed task begins `shutdown`.
    #[must_use]
    pub fn new(shutdown: Shutdown) -> Self {
        Self {
            tracker: TaskTracker::new(),
            shutdown,
            failure: Arc::default(),
        }
    }

    /// Runs a task until it ends. It should end by itself when [`Shutdown`] begins; when it does not within the
    /// daemon's limit, it is dropped.
    pub fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future + Send + 'static,
        F::Output: TaskOutput,
    {
        let set = self.clone();
        let run = async move {
            let failure = match AssertUnwindSafe(task).catch_unwind().await {
                Ok(output) => match output.into_result() {
                    Ok(()) => return,
                    Err(error) => error.context(format!("{name} failed")),
                },
                Err(panic) => anyhow!("{name} panicked: {}", panic_text(&*panic)),
            };
            set.fail(failure);
        };
        // The one allowed place: this is the set that the ban points to.
        #[allow(clippy::disallowed_methods)]
        self.tracker.spawn(run);
    }

    /// Runs something to its end, even where the caller does not wait for it that long: dropping what this answers ends the
    /// waiting alone. A panic is the caller's while it waits, and logged after that.
    pub async fn run<F>(&self, name: &'static str, work: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let whole = ToItsEnd {
            name,
            tasks: self.clone(),
            work: Some(Box::pin(work)),
        };
        whole.await
    }

    /// Notes the first failure and begins the shutdown.
    pub fn fail(&self, error: anyhow::Error) {
        let mut slot = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            *slot = Some(error);
        } else {
            tracing::error!("{error:#}");
        }
        drop(slot);
        self.shutdown.begin();
    }

    /// Whether a task has failed, which then is what ends the daemon.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    /// The shutdown that ends these tasks.
    #[must_use]
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Waits for all tasks, at most `limit` long, and answers the failure that ended the daemon, if one did.
    ///
    /// # Errors
    /// The first failure of a task.
    pub async fn finish(&self, limit: Duration) -> anyhow::Result<()> {
        self.tracker.close();
        if tokio::time::timeout(limit, self.tracker.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                "{} tasks did not end in time and are dropped",
                self.tracker.len()
            );
        }
        let failure = self
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        failure.map_or(Ok(()), Err)
    }
}

/// Work that becomes a task of its own when it is dropped before its end. Until then it is none: handing work over and its
/// result back costs more than many a request.
struct ToItsEnd<F: Future<Output: Send> + Send + 'static> {
    name: &'static str,
    tasks: Tasks,
    work: Option<Pin<Box<F>>>,
}

impl<F: Future<Output: Send> + Send + 'static> Future for ToItsEnd<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(work) = self.work.as_mut() else {
            return Poll::Pending;
        };
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        if !matches!(polled, Ok(Poll::Pending)) {
            self.work = None;
        }
        polled.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for ToItsEnd<F> {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else {
            return;
        };
        // Otherwise the runtime has ended, and nothing runs any more.
        if tokio::runtime::Handle::try_current().is_ok() {
            let name = self.name;
            self.tasks.spawn(name, async move {
                if let Err(panic) = AssertUnwindSafe(work).catch_unwind().await {
                    tracing::error!(
                        "a {name} that nobody waited for panicked: {}",
                        panic_text(&*panic)
                    );
                }
            });
        }
    }
}

/// The text of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::{Shutdown, Tasks};

    #[tokio::test]
    async fn a_panic_ends_the_daemon_and_names_the_task() {
        let tasks = Tasks::new(Shutdown::new());
        let brooms: Vec<&str> = Vec::new();
        tasks.spawn("sweeper", async move {
            assert!(!brooms.is_empty(), "no broom");
        });
        tasks.shutdown().begun().await;
        let error = tasks.finish(Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(error.to_string(), "sweeper panicked: no broom");
    }

    #[tokio::test]
    async fn what_runs_goes_on_when_nobody_waits_for_it_any_more() {
        let tasks = Tasks::new(Shutdown::new());
        let (open, opened) = tokio::sync::oneshot::channel::<()>();
        let (done, was_done) = tokio::sync::oneshot::channel();
        let run = tasks.run("work", async move {
            opened.await.unwrap();
            done.send(7).unwrap();
        });
        assert!(tokio::time::timeout(Duration::ZERO, run).await.is_err());
        let (let_go, gone) = tokio::sync::oneshot::channel::<()>();
        let panics = tasks.run("panic", async move {
            gone.await.unwrap();
            panic!("nobody waits");
        });
        assert!(tokio::time::timeout(Duration::ZERO, panics).await.is_err());
        let_go.send(()).unwrap();
        open.send(()).unwrap();
        assert_eq!(was_done.await.unwrap(), 7);
        assert!(!tasks.has_failed(), "the panic was the work's alone");
        assert_eq!(tasks.run("sum", async { 1 + 1 }).await, 2);
        tasks.shutdown().begin();
        tasks.finish(Duration::from_secs(5)).await.unwrap();
    }

    #[tokio::test]
    async fn all_tasks_are_awaited() {
        let tasks = Tasks::new(Shutdown::new());
        let (done, was_done) = tokio::sync::oneshot::channel();
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("late", async move {
            shutdown.begun().await;
            done.send(()).unwrap();
        });
        tasks.shutdown().begin();
        tasks.finish(Duration::from_secs(5)).await.unwrap();
        was_done.await.unwrap();
    }
}

//! The signal that everything of a daemon ends on. Who begins it: SIGTERM, SIGINT, a failed task, a test.

use tokio_util::sync::CancellationToken;

/// A shutdown that may have begun. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// Nothing has ended yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins it; a second call changes nothing.
    pub fn begin(&self) {
        self.0.cancel();
    }

    /// Whether it has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until it begins.
    pub async fn begun(&self) {
        self.0.cancelled().await;
    }

    /// The same, owned: for streams and tasks that outlive a borrow.
    pub fn begun_owned(&self) -> impl Future<Output = ()> + Send + use<> {
        self.0.clone().cancelled_owned()
    }

    /// A part that ends with the whole, and can be ended alone.
    #[must_use]
    pub fn part(&self) -> Self {
        Self(self.0.child_token())
    }

    /// Begins on SIGTERM and SIGINT. SIGHUP is ignored: a lost terminal never ends a service.
    ///
    /// # Errors
    /// When the runtime cannot take signals.
    pub async fn on_signals(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => {}
                () = self.begun() => break,
            }
        }
        self.begin();
        Ok(())
    }
}

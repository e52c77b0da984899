//! Work that may use all cores: one piece of it at a time, and only so many who wait for their turn.

use std::sync::Arc;

use tana_kit::Tasks;
use tokio::sync::{Semaphore, oneshot};

use super::error::LedgerError;

/// How many may wait at most; one more is asked to come back.
const WAITING: usize = 16;

/// The turns of one kind of work.
pub(super) struct Turns {
    one: Arc<Semaphore>,
    waiting: Semaphore,
    tasks: Tasks,
}

impl Turns {
    /// The work is done by `tasks`.
    pub(super) fn new(tasks: Tasks) -> Self {
        Self {
            one: Arc::new(Semaphore::new(1)),
            waiting: Semaphore::new(WAITING),
            tasks,
        }
    }

    /// Does the work when its turn comes. Who goes away before that gives up the place in the line. What has begun goes
    /// on to its end and keeps the turn, whoever waits for it: its threads cannot be stopped, and would run beside the
    /// next one's.
    pub(super) async fn take<T, F>(&self, name: &'static str, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, LedgerError>> + Send + 'static,
    {
        let place =
            (self.waiting.try_acquire()).map_err(|_| LedgerError::ManyWait { waiting: WAITING })?;
        let turn = Arc::clone(&self.one).acquire_owned().await;
        let turn = turn.map_err(|_| LedgerError::Stopping)?;
        drop(place);
        let (answer, answered) = oneshot::channel();
        let stop = self.tasks.shutdown().clone();
        self.tasks.spawn(name, async move {
            tokio::select! {
                // Who has gone away does not need it.
                result = work => drop(answer.send(result)),
                () = stop.begun() => {}
            }
            drop(turn);
        });
        answered.await.map_err(|_| LedgerError::Stopping)?
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::pin::pin;

    use futures::future::join_all;
    use futures::{FutureExt as _, poll};
    use tana_kit::{Shutdown, Tasks};
    use tokio::sync::oneshot;

    use super::{Turns, WAITING};
    use crate::ledger::error::LedgerError;

    fn turns() -> Turns {
        Turns::new(Tasks::new(Shutdown::new()))
    }

    /// Gives every other task its turn to run.
    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_keeps_its_turn() {
        let turns = turns();
        let (begins, begun) = oneshot::channel();
        let (ends, ended) = oneshot::channel::<()>();
        let first = turns.take("first", async move {
            begins.send(()).unwrap();
            ended.await.unwrap();
            Ok(1)
        });
        tokio::select! {
            _ = first => panic!("it cannot have ended"),
            begun = begun => begun.unwrap(),
        }
        // Its client has gone away; it goes on.
        let mut second = pin!(turns.take("second", async { Ok(2) }));
        assert!(poll!(&mut second).is_pending());
        settle().await;
        assert!(poll!(&mut second).is_pending());
        ends.send(()).unwrap();
        assert_eq!(second.await.unwrap(), 2);
    }

    #[tokio::test]
    async fn so_many_may_wait_and_who_goes_away_leaves_the_line() {
        let turns = turns();
        let (ends, ended) = oneshot::channel::<()>();
        let mut first = pin!(turns.take("first", async move {
            ended.await.unwrap();
            Ok(0)
        }));
        assert!(poll!(&mut first).is_pending());
        let mut waiting: Vec<_> = (1..=WAITING)
            .map(|n| turns.take("one of many", async move { Ok(n) }).boxed())
            .collect();
        for one in &mut waiting {
            assert!(poll!(one).is_pending());
        }
        let refused = turns.take("one too many", async { Ok(0) }).await;
        assert!(
            matches!(refused, Err(LedgerError::ManyWait { .. })),
            "{refused:?}"
        );
        drop(waiting.pop());
        let mut last = turns.take("the last", async { Ok(100) }).boxed();
        assert!(poll!(&mut last).is_pending());
        waiting.push(last);
        ends.send(()).unwrap();
        assert_eq!(first.await.unwrap(), 0);
        let ended = join_all(waiting).await;
        let ended: Vec<usize> = ended.into_iter().map(Result::unwrap).collect();
        assert_eq!(ended, [(1..WAITING).collect(), vec![100]].concat());
    }

    #[tokio::test]
    async fn a_shutdown_ends_what_waits_for_it() {
        let shutdown = Shutdown::new();
        let turns = Turns::new(Tasks::new(shutdown.clone()));
        let mut endless =
            pin!(turns.take("endless", std::future::pending::<Result<(), LedgerError>>()));
        assert!(poll!(&mut endless).is_pending());
        shutdown.begin();
        assert!(matches!(endless.await, Err(LedgerError::Stopping)));
    }
}

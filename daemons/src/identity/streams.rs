//! Who watches a session hears of each change at once. A session that nobody watches costs nothing here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tana_protocol::login::{SessionId, SessionStatus};
use tana_protocol::{Timestamp, UserId, Username};
use tokio::sync::broadcast;

/// A session changes three times at most.
const CHANGES: usize = 4;

/// A change of a session.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) status: SessionStatus,
    pub(super) at: Timestamp,
    /// Who approved.
    pub(super) user: Option<(UserId, Username)>,
    /// Why it was rejected.
    pub(super) reason: Option<String>,
}

/// The watched sessions, by public id. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Streams(Arc<Mutex<HashMap<SessionId, broadcast::Sender<Change>>>>);

impl Streams {
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, broadcast::Sender<Change>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The changes from now on. The caller reads the present state afterwards, so that nothing is missed in between.
    pub(super) fn watch(&self, id: &SessionId) -> Watch {
        let mut watched = self.lock();
        let sender = watched
            .entry(id.clone())
            .or_insert_with(|| broadcast::channel(CHANGES).0);
        Watch {
            receiver: Some(sender.subscribe()),
            id: id.clone(),
            streams: self.clone(),
        }
    }

    /// Tells who watches; after the last change of a session it is forgotten.
    pub(super) fn tell(&self, id: &SessionId, change: Change) {
        let mut watched = self.lock();
        let last = !change.status.is_open();
        if let Some(sender) = watched.get(id) {
            let _nobody_watches = sender.send(change);
        }
        if last {
            watched.remove(id);
        }
    }
}

/// One watcher. The last to go takes the entry with it.
pub(super) struct Watch {
    receiver: Option<broadcast::Receiver<Change>>,
    id: SessionId,
    streams: Streams,
}

impl Watch {
    /// The next change; `None` when there will be none.
    pub(super) async fn next(&mut self) -> Option<Change> {
        self.receiver.as_mut()?.recv().await.ok()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = self.streams.lock();
        self.receiver = None;
        if watched
            .get(&self.id)
            .is_some_and(|sender| sender.receiver_count() == 0)
        {
            watched.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Streams};
    use tana_protocol::Timestamp;
    use tana_protocol::login::{SessionId, SessionStatus};

    #[tokio::test]
    async fn watchers_hear_every_change_and_nothing_stays_behind() {
        let streams = Streams::default();
        let id = SessionId::from_random([1; 16]);
        let change = |status| Change {
            status,
            at: Timestamp::from_ms(1),
            user: None,
            reason: None,
        };
        let mut one = streams.watch(&id);
        let mut two = streams.watch(&id);
        streams.tell(&id, change(SessionStatus::Scanned));
        streams.tell(&id, change(SessionStatus::Rejected));
        for watch in [&mut one, &mut two] {
            let first = watch.next().await.map(|change| change.status);
            let second = watch.next().await.map(|change| change.status);
            assert_eq!(first, Some(SessionStatus::Scanned));
            assert_eq!(second, Some(SessionStatus::Rejected));
            assert!(watch.next().await.is_none());
        }
        drop(streams.watch(&id));
        assert!(streams.lock().is_empty());
    }
}

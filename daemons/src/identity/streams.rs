//! Who watches a session or a transaction request hears of each change at once. What nobody watches costs nothing here.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tana_protocol::login::SessionStatus;
use tana_protocol::{Timestamp, UserId, Username};
use tokio::sync::broadcast;

/// A session changes three times at most, a request four times.
const CHANGES: usize = 8;

/// A change of what can be watched.
pub(super) trait Told: Clone {
    /// Whether nothing follows.
    fn is_last(&self) -> bool;
}

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

impl Told for Change {
    fn is_last(&self) -> bool {
        !self.status.is_open()
    }
}

type Watched<K, C> = HashMap<K, broadcast::Sender<C>>;

/// What is watched, by id. Clones share it.
pub(super) struct Streams<K, C>(Arc<Mutex<Watched<K, C>>>);

impl<K, C> Clone for Streams<K, C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, C> Default for Streams<K, C> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Clone + Eq + Hash, C: Told> Streams<K, C> {
    /// The changes from now on. The caller reads the present state afterwards, so that nothing is missed in between.
    pub(super) fn watch(&self, id: &K) -> Watch<K, C> {
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

    /// Tells who watches; after the last change it is forgotten.
    pub(super) fn tell(&self, id: &K, change: C) {
        let mut watched = self.lock();
        let last = change.is_last();
        if let Some(sender) = watched.get(id) {
            let _nobody_watches = sender.send(change);
        }
        if last {
            watched.remove(id);
        }
    }
}

impl<K, C> Streams<K, C> {
    fn lock(&self) -> MutexGuard<'_, Watched<K, C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One watcher. The last to go takes the entry with it.
pub(super) struct Watch<K: Eq + Hash, C> {
    receiver: Option<broadcast::Receiver<C>>,
    id: K,
    streams: Streams<K, C>,
}

impl<K: Eq + Hash, C: Clone> Watch<K, C> {
    /// The next change; `None` when there will be none.
    pub(super) async fn next(&mut self) -> Option<C> {
        self.receiver.as_mut()?.recv().await.ok()
    }
}

impl<K: Eq + Hash, C> Drop for Watch<K, C> {
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

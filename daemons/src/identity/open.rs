//! Sessions that were made here and wait for an approval: most come within the minute, and need not be read from the database
//! that they were just written to. Whether a session can still be approved the database alone decides.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tana_protocol::login::SessionId;
use tana_store::identity::Session;

/// Sessions of each half; of what comes after, the older half is forgotten.
const HALF: usize = 2_500;

/// Open sessions, the newest of them.
#[derive(Default)]
pub(super) struct Open(Mutex<Halves>);

#[derive(Default)]
struct Halves {
    new: HashMap<SessionId, Session>,
    old: HashMap<SessionId, Session>,
}

impl Open {
    fn lock(&self) -> MutexGuard<'_, Halves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers one that the database has.
    pub(super) fn made(&self, session: Session) {
        let mut halves = self.lock();
        let forgotten = if halves.new.len() < HALF {
            HashMap::new()
        } else {
            let new = std::mem::take(&mut halves.new);
            std::mem::replace(&mut halves.old, new)
        };
        halves.new.insert(session.public_id.clone(), session);
        drop(halves);
        // Outside the lock: it is much.
        drop(forgotten);
    }

    /// One by its public id, as it was made; it is remembered no more.
    pub(super) fn take(&self, id: &SessionId) -> Option<Session> {
        let mut halves = self.lock();
        halves.new.remove(id).or_else(|| halves.old.remove(id))
    }
}

//! What a service keeps of the chain until the next block. What is kept here no block has changed: it is dropped by each
//! block's event, nothing is answered while the events do not come, and an answer that a block may have overtaken on its way
//! is not kept at all.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tana_protocol::api::ledger::event;

use crate::events::StreamItem;
use crate::ledger::{LedgerClient, LedgerEvent};

/// What is kept until the next block, such as a map of answers. Empty, and staying so, until [`UntilBlock::follow`] runs.
///
/// It is out of date for as long as the event of a block takes to arrive, and no longer.
#[derive(Debug, Default)]
pub struct UntilBlock<T>(Mutex<State<T>>);

#[derive(Debug, Default)]
struct State<T> {
    /// Whether blocks are announced, so that what is kept is known to be current.
    followed: bool,
    /// Counts what was dropped.
    age: u64,
    kept: T,
}

/// A moment before a question to the ledger.
#[derive(Clone, Copy, Debug)]
pub struct Asked(u64);

impl<T: Default> UntilBlock<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what is kept. Not for long: others wait meanwhile.
    pub fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.state().kept)
    }

    /// To be taken before the ledger is asked for what is to be kept.
    pub fn asked(&self) -> Asked {
        Asked(self.state().age)
    }

    /// Keeps something that the ledger answered, unless a block may have come since it was asked. How much is kept is for the
    /// caller to limit.
    pub fn keep(&self, asked: Asked, keep: impl FnOnce(&mut T)) {
        let mut state = self.state();
        if state.followed && state.age == asked.0 {
            keep(&mut state.kept);
        }
    }

    fn drop_all(&self, followed: bool) {
        let dropped = {
            let mut state = self.state();
            state.followed = followed;
            state.age += 1;
            std::mem::take(&mut state.kept)
        };
        // Outside the lock: it may be much.
        drop(dropped);
    }

    /// Drops what is kept whenever a block comes; never ends while the ledger may come back.
    pub async fn follow(&self, ledger: &LedgerClient) {
        let mut events = ledger.events_of(&[event::BLOCK]);
        while let Some(item) = events.next().await {
            match item {
                StreamItem::Connected | StreamItem::Event(LedgerEvent::Block(_)) => {
                    self.drop_all(true);
                }
                StreamItem::Event(_) => {}
                StreamItem::Lost { .. } | StreamItem::Refused(_) => self.drop_all(false),
            }
        }
        self.drop_all(false);
    }
}

#[cfg(test)]
mod tests {
    use super::UntilBlock;

    fn keep(kept: &UntilBlock<Vec<u8>>, number: u8) {
        kept.keep(kept.asked(), |kept| kept.push(number));
    }

    #[test]
    fn nothing_is_kept_unless_blocks_are_announced() {
        let kept = UntilBlock::<Vec<u8>>::default();
        keep(&kept, 1);
        assert!(kept.read(Vec::is_empty));
        kept.drop_all(true);
        keep(&kept, 2);
        assert_eq!(kept.read(Clone::clone), [2]);
        kept.drop_all(false);
        keep(&kept, 3);
        assert!(kept.read(Vec::is_empty));
    }

    #[test]
    fn an_answer_that_a_block_overtook_is_not_kept() {
        let kept = UntilBlock::<Vec<u8>>::default();
        kept.drop_all(true);
        let asked = kept.asked();
        kept.drop_all(true);
        kept.keep(asked, |kept| kept.push(1));
        assert!(kept.read(Vec::is_empty));
    }
}

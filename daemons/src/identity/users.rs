//! Who a user is, as the ledger says: its key and name, kept until the next block for those who log in again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tana_client::{ClientError, LedgerClient, UntilBlock};
use tana_kit::Shutdown;
use tana_protocol::{PublicKey, UserId, Username};

/// Users that are kept at most.
const KEPT: usize = 10_000;
/// And so long at most, whatever became of the blocks' events: on another machine, a ledger may have fallen silent.
const BELIEVED: Duration = Duration::from_secs(5);

/// A user as a login is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) username: Username,
    pub(super) public_key: PublicKey,
}

/// The ledger's users. What a block changes is known when its event has come; while none can come the ledger is asked for
/// every login. That there is no such user is never kept.
pub(super) struct Users {
    ledger: LedgerClient,
    known: UntilBlock<HashMap<UserId, (Known, Instant)>>,
}

impl Users {
    pub(super) fn of(ledger: LedgerClient) -> Self {
        Self {
            ledger,
            known: UntilBlock::default(),
        }
    }

    /// A user; asks the ledger where it must.
    pub(super) async fn user(&self, id: &UserId) -> Result<Known, ClientError> {
        let found = self.known.read(|known| {
            let (user, at) = known.get(id)?;
            (at.elapsed() < BELIEVED).then(|| user.clone())
        });
        if let Some(user) = found {
            return Ok(user);
        }
        let (asked, now) = (self.known.asked(), Instant::now());
        let view = self.ledger.user(id).await?;
        let user = Known {
            username: view.username,
            public_key: view.public_key,
        };
        self.known.keep(asked, |known| {
            if known.len() < KEPT || known.contains_key(id) {
                known.insert(*id, (user.clone(), now));
            }
        });
        Ok(user)
    }

    /// Follows the chain until the shutdown.
    pub(super) async fn follow(&self, shutdown: &Shutdown) {
        tokio::select! {
            () = self.known.follow(&self.ledger) => {}
            () = shutdown.begun() => {}
        }
    }
}

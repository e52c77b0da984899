//! Transactions wherever they are: waiting in the queue, in blocks, among the dead letters.

use std::collections::BTreeSet;

use tana_chain::Prepared;
use tana_protocol::api::ledger::{DeadLetterView, Pending, TransactionStatus, TransactionView};
use tana_protocol::problem::Code;
use tana_protocol::state::UserState;
use tana_protocol::transaction::{NewUser, Party, PartyRef};
use tana_protocol::{
    SignedTransaction, StateKey, TransactionId, TransactionType, UserId, Username,
};
use tana_store::ledger::{Slice, TransactionFilter, TransactionRecord};
use tana_store::queue::{DeadLetter, QueueEntry, StreamId};

use super::error::LedgerError;
use super::service::Ledger;
use super::submit::{Accepted, Known};
use super::views;

/// Entries that are read at a time where not all of them are wanted.
const AT_A_TIME: usize = 1000;
/// Entries of the queue that one list looks at: the queue may be long, and what is asked for rare.
const LOOKED_AT: usize = 10_000;
/// Times that a dead letter is judged again, while others move it about.
const TRIES: usize = 3;

/// Somebody whose transactions are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// None for a name that nobody has yet.
    pub(super) id: Option<UserId>,
    /// None for who has none: a contract, the system, nobody.
    pub(super) name: Option<Username>,
}

impl Account {
    pub(super) fn of(id: UserId, user: UserState) -> Self {
        Self {
            id: Some(id),
            name: Some(user.username),
        }
    }

    /// Whether what is in no block is from or to it, in whatever way it is named there.
    fn has(&self, id: &TransactionId, signed: &SignedTransaction) -> bool {
        let transaction = &signed.transaction;
        let named = |party: &Party| match party.target() {
            PartyRef::Id(id) => self.id == Some(*id),
            PartyRef::Name(name) => self.name.as_ref() == Some(name),
        };
        if named(&transaction.from) || named(&transaction.to) {
            return true;
        }
        if transaction.kind != TransactionType::UserCreation {
            return false;
        }
        let input = transaction.contract_input.as_ref();
        let new = input.and_then(|input| <NewUser as serde::Deserialize>::deserialize(input).ok());
        let name = new.and_then(|new| new.username.parse::<Username>().ok());
        self.id == Some(UserId::created_by(id)) || name.is_some() && name == self.name
    }
}

/// Which transactions a list holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// From or to it.
    pub(super) account: Option<Account>,
    /// Of this type.
    pub(super) kind: Option<TransactionType>,
}

impl Wanted {
    fn has(&self, id: &TransactionId, signed: &SignedTransaction) -> bool {
        let kind = signed.transaction.kind;
        self.kind.is_none_or(|wanted| wanted == kind)
            && (self.account.as_ref()).is_none_or(|account| account.has(id, signed))
    }

    /// As the store takes it; `None` where no block can hold any of them.
    fn stored(&self, status: Option<TransactionStatus>) -> Option<TransactionFilter> {
        let account = match &self.account {
            None => None,
            Some(account) => Some(account.id?),
        };
        Some(TransactionFilter {
            account,
            kind: self.kind,
            status,
        })
    }
}

/// Where a list of failed transactions goes on: below this one in blocks, and below this grave.
pub(super) type FailedPlace = (u64, StreamId);

/// A part of a list, and the place from which it goes on.
pub(super) type Part<C> = (Vec<TransactionView>, Option<C>);

impl Ledger {
    /// Whom a party of a query names.
    pub(super) async fn account(&self, party: &Party) -> Result<Account, LedgerError> {
        let (id, name) = match party.target() {
            PartyRef::Id(id) => (Some(*id), None),
            PartyRef::Name(name) => {
                let key = StateKey::Username(name.clone());
                (self.owner(key).await?, Some(name.clone()))
            }
        };
        let name = match (id, name) {
            (Some(id), None) => self.username(id).await?,
            (_, name) => name,
        };
        Ok(Account { id, name })
    }

    /// A transaction, wherever it is.
    pub(super) async fn transaction(
        &self,
        id: &TransactionId,
    ) -> Result<TransactionView, LedgerError> {
        if let Some(record) = self.store().transaction(id).await? {
            return Ok(views::transaction(record));
        }
        // It may move between the looks: from the queue to the dead letters, and back when somebody retries it.
        for _ in 0..2 {
            if let Some(entry) = self.queue().find(id).await? {
                return Ok(views::queued(entry));
            }
            if let Some(letter) = self.queue().find_dead(id).await? {
                return Ok(views::dead(letter));
            }
        }
        // Or it has left the queue for a block, which it never leaves.
        let record = self.store().transaction(id).await?;
        record
            .map(views::transaction)
            .ok_or_else(|| LedgerError::not_found(format!("transaction {id}")))
    }

    /// Those that are in blocks, newest first, with the places that they have in the order.
    pub(super) async fn in_blocks(
        &self,
        wanted: &Wanted,
        status: Option<TransactionStatus>,
        slice: Slice<u64>,
    ) -> Result<Vec<TransactionRecord>, LedgerError> {
        match wanted.stored(status) {
            Some(filter) => Ok(self.store().transactions(filter, slice).await?),
            None => Ok(Vec::new()),
        }
    }

    /// Those that wait, newest first. The part may be short where few of many are wanted; it then says where to go on.
    pub(super) async fn waiting(
        &self,
        wanted: &Wanted,
        slice: Slice<StreamId>,
    ) -> Result<Part<StreamId>, LedgerError> {
        let (limit, mut skip) = (slice.limit as usize, slice.offset as usize);
        let at_a_time = (limit + skip).clamp(100, AT_A_TIME);
        let (mut place, mut looked_at, mut found) = (slice.after, 0, Vec::new());
        while looked_at < LOOKED_AT {
            let entries = self.queue().newest(place, at_a_time).await?;
            let is_last = entries.len() < at_a_time;
            looked_at += entries.len();
            place = entries.last().map(|entry| entry.stream_id);
            let fitting = entries.into_iter();
            let fitting = fitting.filter(|entry| wanted.has(&entry.id, &entry.transaction));
            for entry in self.unblocked(fitting.collect(), |entry| entry.id).await? {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                let here = entry.stream_id;
                found.push(views::queued(entry));
                if found.len() == limit {
                    return Ok((found, Some(here)));
                }
            }
            if is_last {
                return Ok((found, None));
            }
        }
        Ok((found, place))
    }

    /// Those that did not do what they said: in a block, or because no block can take them. The last that failed first.
    pub(super) async fn failed(
        &self,
        wanted: &Wanted,
        slice: Slice<FailedPlace>,
    ) -> Result<Part<FailedPlace>, LedgerError> {
        let most = slice.limit.saturating_add(slice.offset);
        let (below, before) = slice.after.unzip();
        // The dead letters first: one that is retried and fails in a block meanwhile is there then, and here once.
        let letters = self.dead_of(wanted, before, most as usize).await?;
        let slice_of_blocks = Slice {
            after: below,
            offset: 0,
            limit: most,
        };
        let status = Some(TransactionStatus::Failed);
        let records = self.in_blocks(wanted, status, slice_of_blocks).await?;
        let in_blocks: BTreeSet<_> = records.iter().map(|record| record.id).collect();
        // What comes later in one of the two is not on a later page: it is newer than all of this one.
        let mut place = (
            below.unwrap_or_else(|| records.first().map_or(0, |first| first.seq + 1)),
            before.unwrap_or_else(|| match letters.first() {
                Some(first) => StreamId {
                    seq: first.grave.seq.saturating_add(1),
                    ..first.grave
                },
                None => StreamId { ms: 0, seq: 0 },
            }),
        );
        let letters = letters.into_iter();
        let mut letters = letters
            .filter(|letter| !in_blocks.contains(&letter.id))
            .peekable();
        let mut records = records.into_iter().peekable();
        let mut found = Vec::new();
        for _ in 0..most {
            let letter = letters.next_if(|letter| {
                (records.peek()).is_none_or(|record| letter.buried_at > record.confirmed_at)
            });
            let view = if let Some(letter) = letter {
                place.1 = letter.grave;
                views::dead(letter)
            } else if let Some(record) = records.next() {
                place.0 = record.seq;
                views::transaction(record)
            } else {
                break;
            };
            found.push(view);
        }
        let is_full = found.len() >= most as usize;
        let found = found.split_off(found.len().min(slice.offset as usize));
        Ok((found, is_full.then_some(place)))
    }

    /// Dead letters, the last buried first. Somebody looks after them, so there are few.
    async fn dead_of(
        &self,
        wanted: &Wanted,
        mut before: Option<StreamId>,
        most: usize,
    ) -> Result<Vec<DeadLetter>, LedgerError> {
        let at_a_time = most.clamp(100, AT_A_TIME);
        let mut found = Vec::new();
        loop {
            let letters = self.queue().dead(before, at_a_time).await?;
            let is_last = letters.len() < at_a_time;
            before = letters.last().map(|letter| letter.grave);
            let fitting = letters.into_iter();
            let fitting = fitting.filter(|letter| wanted.has(&letter.id, &letter.transaction));
            found.extend(
                self.unblocked(fitting.collect(), |letter| letter.id)
                    .await?,
            );
            if is_last || found.len() >= most {
                found.truncate(most);
                return Ok(found);
            }
        }
    }

    /// Those of these that are in no block: a producer may not have acknowledged yet what is.
    async fn unblocked<T>(
        &self,
        mut all: Vec<T>,
        id: impl Fn(&T) -> TransactionId,
    ) -> Result<Vec<T>, LedgerError> {
        let ids: Vec<_> = all.iter().map(&id).collect();
        let included = self.store().included(&ids).await?;
        all.retain(|one| !included.contains_key(&id(one)));
        Ok(all)
    }

    /// What waits, the first in the queue first, and how many there are.
    pub(super) async fn pending(&self, limit: u32) -> Result<Pending, LedgerError> {
        let entries = self.queue().entries(None, limit as usize).await?;
        let entries = self
            .unblocked(entries, |entry: &QueueEntry| entry.id)
            .await?;
        Ok(Pending {
            count: self.queue_length(self.mempool().len()) as u64,
            transactions: entries.into_iter().map(views::queued).collect(),
        })
    }

    pub(super) async fn dead_letters(&self, most: u32) -> Result<Vec<DeadLetterView>, LedgerError> {
        let letters = self.queue().dead(None, most as usize).await?;
        Ok(letters.into_iter().map(views::dead_letter).collect())
    }

    pub(super) async fn dead_letter(&self, id: &TransactionId) -> Result<DeadLetter, LedgerError> {
        let letter = self.queue().find_dead(id).await?;
        letter.ok_or_else(|| LedgerError::not_found(format!("dead letter {id}")))
    }

    /// Queues a dead letter again, judged as when it was new. It is dropped only where it really waits or is in a block.
    pub(super) async fn retry(&self, letter: &DeadLetter) -> Result<Accepted, LedgerError> {
        for _ in 0..TRIES {
            let again = Prepared::new(letter.transaction.clone());
            let mut answers = self.submit(vec![again]).await?;
            let accepted = answers.pop().unwrap_or(Err(LedgerError::Stopping))?;
            // What is queued now is no dead letter any more.
            if accepted.known == Known::New {
                return Ok(accepted);
            }
            let is_there = accepted.status != TransactionStatus::Queued
                || self.queue().find(&letter.id).await?.is_some();
            if is_there {
                self.queue().drop_dead(&letter.id).await?;
                return Ok(accepted);
            }
            // Another ledger has buried what this one still remembers as queued.
            self.mempool().reject(&letter.id);
        }
        Err(LedgerError::refused(
            Code::Unavailable,
            "the dead letter is being moved by others; try again in a moment",
        ))
    }
}

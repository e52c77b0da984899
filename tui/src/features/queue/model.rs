//! The transaction queue as the ledger tells it: how it is, what waits, and what no block can take.

use tana_protocol::api::ledger::{DeadLetterView, QueueView, TransactionView};
use tana_protocol::{SignedTransaction, Timestamp, TransactionId};

use crate::widgets::cursor::Cursor;

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) found: Option<(Found, Timestamp)>,
    pub(crate) failed: Option<String>,
    pub(crate) asked: Asked,
    pub(crate) cursor: Cursor<TransactionId>,
}

/// What the ledger answered.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Found {
    pub(crate) queue: QueueView,
    /// The first that wait, the oldest first.
    pub(crate) waiting: Vec<TransactionView>,
    /// The last first.
    pub(crate) dead: Vec<DeadLetterView>,
}

/// Whether an answer is on its way: one at a time, however fast the queue changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Asked {
    #[default]
    No,
    Yes,
    /// It changed meanwhile.
    Again,
}

/// A row of the list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Entry<'a> {
    Dead(&'a DeadLetterView),
    Waiting(&'a TransactionView),
}

impl Entry<'_> {
    pub(crate) fn id(&self) -> TransactionId {
        match self {
            Self::Dead(letter) => letter.id,
            Self::Waiting(view) => view.id,
        }
    }

    pub(crate) fn signed(&self) -> &SignedTransaction {
        match self {
            Self::Dead(letter) => &letter.signed,
            Self::Waiting(view) => &view.signed,
        }
    }

    /// Since when it has been there.
    pub(crate) fn since(&self) -> Timestamp {
        match self {
            Self::Dead(letter) => letter.buried_at,
            Self::Waiting(view) => view.created_at,
        }
    }
}

/// The rows in view: what wants a decision first, then what waits longest.
pub(crate) fn rows(model: &crate::model::Model) -> Vec<Entry<'_>> {
    let found = model.queue.found.iter();
    found
        .flat_map(|(found, _)| {
            let dead = found.dead.iter().map(Entry::Dead);
            dead.chain(found.waiting.iter().map(Entry::Waiting))
        })
        .filter(|entry| {
            let transaction = &entry.signed().transaction;
            let why = match entry {
                Entry::Dead(letter) => letter.reason.as_str(),
                Entry::Waiting(_) => "waits",
            };
            model.keeps(&format!(
                "{} {} {} {} {why}",
                entry.id(),
                transaction.kind,
                transaction.from.as_str(),
                transaction.to.as_str()
            ))
        })
        .collect()
}

pub(crate) fn keys(model: &crate::model::Model) -> Vec<TransactionId> {
    rows(model).iter().map(Entry::id).collect()
}

pub(crate) fn selected(model: &crate::model::Model) -> Option<Entry<'_>> {
    model.queue.cursor.pick(rows(model), Entry::id)
}

//! The transaction queue as the ledger tells it.

use tana_protocol::Timestamp;
use tana_protocol::api::ledger::QueueView;

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) view: Option<(QueueView, Timestamp)>,
    pub(crate) failed: Option<String>,
    pub(crate) asked: Asked,
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

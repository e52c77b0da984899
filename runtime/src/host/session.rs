//! What one execution has staged and applied. Checked here; the host applies it when the whole execution succeeded.
//! Money is in `ledger`, storage in `storage`.

mod ledger;
mod storage;

use serde_json::Value;

use super::Host;
use tana_sandbox::message::{Authority, Change, Question};

pub(crate) use ledger::Staged;

/// Why something was not staged or applied; the text reaches the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SessionError(pub(crate) String);

fn refuse<T>(text: impl Into<String>) -> Result<T, SessionError> {
    Err(SessionError(text.into()))
}

/// The state of one execution.
#[derive(Default)]
pub(crate) struct Session {
    ledger: ledger::Ledger,
    storage: storage::Storage,
    applied: Vec<Change>,
}

impl Session {
    pub(crate) fn new(
        authority: Authority,
        caller: Option<String>,
        contract: Option<String>,
    ) -> Self {
        Self {
            ledger: ledger::Ledger::new(authority, caller, contract),
            ..Self::default()
        }
    }

    /// What the execution asks the chain to change.
    pub(crate) fn into_changes(self) -> Vec<Change> {
        self.applied
    }

    pub(crate) fn stage(&mut self, host: &dyn Host, change: Staged) -> Result<(), SessionError> {
        self.ledger.stage(host, change)
    }

    /// What is staged, as contracts see it.
    pub(crate) fn staged(&self) -> Value {
        self.ledger.staged()
    }

    /// Checks and applies all that is staged, or nothing of it.
    pub(crate) fn execute(&mut self, host: &dyn Host) -> Value {
        let (answer, changes) = self.ledger.execute(host);
        self.applied.extend(changes);
        answer
    }

    /// Answers a contract's question, with what this execution has applied taken into account.
    pub(crate) fn ask(&self, host: &dyn Host, question: &Question) -> Result<Value, SessionError> {
        match question {
            Question::Balance { user, currency } => self.ledger.shown_balance(host, user, currency),
            Question::Storage | Question::Fetch { .. } => refuse("this cannot be asked for"),
            other => host.ask(other).map_err(SessionError),
        }
    }

    pub(crate) fn get(
        &mut self,
        host: &dyn Host,
        key: &str,
    ) -> Result<Option<String>, SessionError> {
        self.storage.get(host, key)
    }

    pub(crate) fn set(&mut self, key: &str, value: Option<String>) -> Result<(), SessionError> {
        self.storage.set(key, value)
    }

    pub(crate) fn keys(
        &mut self,
        host: &dyn Host,
        pattern: &str,
    ) -> Result<Vec<String>, SessionError> {
        self.storage.keys(host, pattern)
    }

    pub(crate) fn clear(&mut self, host: &dyn Host) -> Result<(), SessionError> {
        self.storage.clear(host)
    }

    /// Makes the staged storage part of the outcome; gives how many keys changed.
    pub(crate) fn commit(&mut self, host: &dyn Host) -> Result<usize, SessionError> {
        let changes = self.storage.commit(host)?;
        let count = changes.len();
        self.applied.extend(changes);
        Ok(count)
    }
}

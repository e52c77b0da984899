//! How the chain has contracts executed: the questions it asks of an engine, as values. Who answers them, with which
//! processes, is not decided here; what the answers do to the state is, in `rules::contract`.
//!
//! An answer becomes part of a receipt, so it must be the same on every node and at every replay. What depends on the
//! machine (a process that died, time, memory) is therefore no answer but a [`HostError`]: the block is not finished,
//! and is tried again.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tana_protocol::api::ledger::UserView;
use tana_protocol::contract::{DataKey, Entries};
use tana_protocol::problem::Code;
use tana_protocol::{
    ContractId, CurrencyCode, Hash32, Network, Party, StateKey, Timestamp, TransactionId, UserId,
};

use crate::state::{Overlay, StateError};

/// Compiles and runs contracts.
pub trait ContractHost: Sync {
    /// Compiles a source that a transaction deploys and puts the charges in.
    ///
    /// # Errors
    /// The outer one when there is no answer, the inner one when the source is refused.
    fn compile(
        &self,
        transaction: &TransactionId,
        file: &str,
        source: &str,
    ) -> Result<Result<Compiled, Fault>, HostError>;

    /// Runs one entry point of a contract.
    ///
    /// # Errors
    /// When there is no answer.
    fn run(&self, call: &Call<'_>, world: &dyn World) -> Result<Called, HostError>;
}

/// Why there is no answer. It says nothing about the transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// No engine could be had, or it died, or it took too long.
    #[error("{0}")]
    Engine(String),
    /// The state could not be read.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<HostError> for StateError {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Engine(text) => Self::Unavailable(text),
            HostError::State(error) => error,
        }
    }
}

/// Why a contract did not succeed; the same on every node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `contract-error` or `out-of-gas`.
    pub code: Code,
    /// In words, with the place in the source.
    pub message: String,
}

/// A compiled source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// JavaScript with its charges.
    pub code: String,
    /// What it exports.
    pub entries: Entries,
    /// The version of the gas schedule.
    pub schedule: u32,
}

/// What of a contract runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// `init()`.
    Init,
    /// `contract()`.
    Contract,
}

/// One execution.
#[derive(Clone, Debug)]
pub struct Call<'c> {
    /// The contract.
    pub contract: ContractId,
    /// The file's name, for messages.
    pub file: String,
    /// TypeScript, for the places in messages.
    pub source: &'c str,
    /// What runs.
    pub code: &'c str,
    /// What the code exports.
    pub entries: Entries,
    /// What of it.
    pub entry: Entry,
    /// Who signed the transaction.
    pub caller: UserView,
    /// Who deployed the contract.
    pub owner: UserView,
    /// What the transaction carries.
    pub input: Value,
    /// The transaction.
    pub transaction: TransactionId,
    /// The block that is being made.
    pub block: Around,
    /// What may leave the caller's account, decimal text by currency.
    pub allowances: BTreeMap<String, String>,
    /// Whether it may set balances.
    pub power: Power,
    /// What it may use.
    pub gas: u32,
}

/// How much of the chain's money a contract commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Its own, and what its caller has signed for.
    Own,
    /// It sets balances: a sovereign's contract.
    Core,
}

/// The block around an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Around {
    /// Its height.
    pub height: u64,
    /// Its time.
    pub timestamp: Timestamp,
    /// The hash of the block before.
    pub parent: Hash32,
}

/// What an execution gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Called {
    /// What the entry point returned.
    pub result: Result<Value, Fault>,
    /// What it used.
    pub gas_used: u32,
    /// What it printed.
    pub logs: Vec<String>,
    /// What it asks for, in order; nothing where it failed.
    pub effects: Vec<Effect>,
}

/// A change that a contract asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Funds move.
    Transfer {
        /// From a user or the contract itself.
        from: UserId,
        /// To a user or the contract itself.
        to: UserId,
        /// Decimal text.
        amount: String,
        /// Currency code.
        currency: String,
    },
    /// A balance is set.
    SetBalance {
        /// Of a user or the contract itself.
        owner: UserId,
        /// Decimal text.
        amount: String,
        /// Currency code.
        currency: String,
    },
    /// A value of the contract's storage is written, or deleted.
    Data {
        /// The key.
        key: DataKey,
        /// The value; `None` deletes.
        value: Option<String>,
    },
}

/// The chain as a running contract sees it: the state before its transaction, with what the block has done so far.
pub trait World: Sync {
    /// A user by id or name.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn user(&self, user: &str) -> Result<Option<UserView>, StateError>;

    /// A balance as decimal text.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn balance(&self, owner: &str, currency: &str) -> Result<String, StateError>;

    /// A currency's decimals.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn decimals(&self, currency: &str) -> Result<Option<u8>, StateError>;

    /// All that the contract has stored.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn storage(&self) -> Result<BTreeMap<DataKey, String>, StateError>;
}

/// What an executor does with transactions that deploy and call contracts.
#[derive(Clone, Copy)]
pub enum Contracts<'a> {
    /// Refuses them: the chain names no engine.
    Refused,
    /// Checks all that can be said without running anything, and says yes: for submissions.
    Unrun,
    /// Runs them on top of the block with this hash.
    Run(&'a dyn ContractHost, Hash32),
}

/// The overlay as a contract sees it.
pub(crate) struct View<'s, 'a> {
    pub(crate) state: &'s Overlay<'a>,
    pub(crate) network: Network,
    pub(crate) contract: ContractId,
}

impl View<'_, '_> {
    /// A user by id.
    pub(crate) fn user_with(&self, id: UserId) -> Result<Option<UserView>, StateError> {
        Ok(self
            .state
            .user(&StateKey::User(id))?
            .map(|state| UserView::of(id, Arc::unwrap_or_clone(state), self.network)))
    }
}

impl World for View<'_, '_> {
    fn user(&self, user: &str) -> Result<Option<UserView>, StateError> {
        let Ok(party) = user.parse::<Party>() else {
            return Ok(None);
        };
        let found = crate::rules::find_user(self.state, party.target())?;
        Ok(found.map(|(id, state)| UserView::of(id, Arc::unwrap_or_clone(state), self.network)))
    }

    fn balance(&self, owner: &str, currency: &str) -> Result<String, StateError> {
        let (Ok(owner), Ok(code)) = (owner.parse(), currency.parse::<CurrencyCode>()) else {
            return Ok("0".to_owned());
        };
        let Some(currency) = self.state.currency(&StateKey::Currency(code.clone()))? else {
            return Ok("0".to_owned());
        };
        let held = self.state.balance(&StateKey::Balance(owner, code))?;
        Ok(held.map_or_else(
            || "0".to_owned(),
            |balance| balance.amount.format_short(currency.decimals),
        ))
    }

    fn decimals(&self, currency: &str) -> Result<Option<u8>, StateError> {
        let Ok(code) = currency.parse() else {
            return Ok(None);
        };
        let found = self.state.currency(&StateKey::Currency(code))?;
        Ok(found.map(|currency| currency.decimals.into()))
    }

    fn storage(&self) -> Result<BTreeMap<DataKey, String>, StateError> {
        self.state.storage(self.contract)
    }
}

//! Executes transactions one after the other over a part of the state: who may, what changes, what the receipt says.
//!
//! What a type of transaction does is in [`crate::rules`]; here is what all of them share: chain, sender, signature,
//! nonce, time, receipts.

use std::sync::Arc;

use tana_protocol::block::{Receipt, StateChange};
use tana_protocol::genesis::RequireChainId;
use tana_protocol::problem::Code;
use tana_protocol::state::{UserState, ValidatorState};
use tana_protocol::transaction::PartyRef;
use tana_protocol::{
    ChainSpec, Hash32, PublicKey, Signature, SignedTransaction, StateKey, StateValue, Timestamp,
    Transaction, TransactionId, TransactionType, UserId,
};

use crate::contract::Contracts;
use crate::gas;
use crate::rules::{self, Failure, Report, Sender};
use crate::state::{Changes, Overlay, StateError, StateReader};

/// A transaction with what is derived of it, computed once.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// The transaction.
    pub signed: SignedTransaction,
    /// Its id.
    pub id: TransactionId,
    /// The text that was signed.
    pub message: String,
}

impl Prepared {
    /// Derives message and id.
    #[must_use]
    pub fn new(signed: SignedTransaction) -> Self {
        let message = signed.transaction.message();
        let id = id_of(&message, &signed.signature);
        Self {
            signed,
            id,
            message,
        }
    }

    /// What execution reads of it.
    pub(crate) fn read(&self) -> Read<'_> {
        Read {
            transaction: &self.signed.transaction,
            id: self.id,
            message: &self.message,
        }
    }
}

/// A transaction where it lies, with what is derived of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read<'a> {
    pub(crate) transaction: &'a Transaction,
    pub(crate) id: TransactionId,
    pub(crate) message: &'a str,
}

/// The id of a transaction whose text and signature are these.
pub(crate) fn id_of(message: &str, signature: &Signature) -> TransactionId {
    TransactionId(Hash32::of_parts(&[
        message.as_bytes(),
        &signature.to_bytes(),
    ]))
}

/// What became of a transaction that was handed to the executor.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is in the block, with this receipt.
    Included(Receipt),
    /// It can never be in a block.
    Excluded(Failure),
}

/// What a block's transactions gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    /// One for each included transaction.
    pub receipts: Vec<Receipt>,
    /// In order of the keys' texts.
    pub changes: Changes,
    /// The same as values.
    pub values: Vec<(StateKey, StateValue)>,
    /// Of all receipts.
    pub gas_used: u64,
    /// Who agrees on this block.
    pub validators: ValidatorState,
    /// Who agrees on the next.
    pub next_validators: ValidatorState,
}

impl Execution {
    /// The changes as they are in a block.
    #[must_use]
    pub fn state_changes(&self) -> Vec<StateChange> {
        self.changes.to_list(&self.values)
    }
}

/// Executes the transactions of one block.
pub struct Executor<'a> {
    spec: &'a ChainSpec,
    height: u64,
    timestamp: Timestamp,
    state: Overlay<'a>,
    contracts: Contracts<'a>,
    receipts: Vec<Receipt>,
    gas_used: u64,
}

/// Says whether a signature fits. Who has checked before says yes at once; who checks in batches notes it.
pub type SignatureCheck<'c> = &'c mut dyn FnMut(&PublicKey, &Prepared) -> bool;

impl<'a> Executor<'a> {
    /// Begins a block at `height` with this time.
    #[must_use]
    pub fn new(
        spec: &'a ChainSpec,
        height: u64,
        timestamp: Timestamp,
        state: &'a dyn StateReader,
    ) -> Self {
        Self {
            spec,
            height,
            timestamp,
            state: Overlay::new(state),
            contracts: Contracts::Refused,
            receipts: Vec::new(),
            gas_used: 0,
        }
    }

    /// What becomes of transactions that deploy and call contracts; refused where nothing is said.
    #[must_use]
    pub fn with_contracts(mut self, contracts: Contracts<'a>) -> Self {
        self.contracts = contracts;
        self
    }

    /// Whether a transaction of this type still fits into the block.
    #[must_use]
    pub fn has_room(&self, kind: TransactionType) -> bool {
        let limits = &self.spec.limits;
        let count = u32::try_from(self.receipts.len()).unwrap_or(u32::MAX);
        count < limits.block_transactions
            && self
                .gas_used
                .checked_add(gas::most(kind))
                .is_some_and(|gas| gas <= limits.block_gas_limit)
    }

    /// Executes one transaction.
    ///
    /// # Errors
    /// When the state it needs was not loaded, or the contract engine gave no answer; the block cannot be finished then.
    pub fn apply(
        &mut self,
        transaction: &Prepared,
        fits: SignatureCheck<'_>,
    ) -> Result<Outcome, StateError> {
        self.execute(transaction.read(), &mut |key| fits(key, transaction))
    }

    /// The same of a transaction that lies elsewhere.
    pub(crate) fn execute(
        &mut self,
        transaction: Read<'_>,
        fits: &mut dyn FnMut(&PublicKey) -> bool,
    ) -> Result<Outcome, StateError> {
        let (sender, key) = match self.sender(transaction)? {
            Ok(found) => found,
            Err(failure) => return Ok(Outcome::Excluded(failure)),
        };
        if !fits(&key) {
            return Ok(Outcome::Excluded(Failure::new(
                Code::BadSignature,
                "the signature does not fit the message and the sender's key",
            )));
        }
        let mut report = Report::default();
        let result = self.included(transaction, &sender, &mut report)?;
        if result.is_ok() {
            self.state.keep();
        } else {
            self.state.drop_transaction();
        }
        let kind = transaction.transaction.kind;
        let (code, message) = match result {
            Ok(()) => (Receipt::OK.to_owned(), "done".to_owned()),
            Err(failure) => (failure.code.as_str(), failure.message),
        };
        let gas_used = gas::of(kind).saturating_add(report.gas_used);
        self.gas_used = self.gas_used.saturating_add(gas_used);
        let receipt = Receipt {
            transaction_id: transaction.id,
            code,
            message,
            gas_used,
            result: report.result,
            logs: Some(report.logs).filter(|logs| !logs.is_empty()),
            events: None,
        };
        self.receipts.push(receipt.clone());
        Ok(Outcome::Included(receipt))
    }

    /// Nonce, time, and the type's own rule. The nonce is kept whatever the rest says.
    fn included(
        &mut self,
        read: Read<'_>,
        sender: &Sender,
        report: &mut Report,
    ) -> Result<Result<(), Failure>, StateError> {
        let transaction = read.transaction;
        if let Sender::User(id, user) = sender {
            let next = user.nonce.saturating_add(1);
            if transaction.nonce != next {
                return Ok(Err(Failure::new(
                    Code::BadNonce,
                    format!(
                        "the nonce is {} and {} of {} is next",
                        transaction.nonce, next, user.username
                    ),
                )));
            }
            let mut user = UserState::clone(user);
            user.nonce = next;
            user.updated_at = self.timestamp;
            let user = StateValue::User(Arc::new(user));
            self.state.put(StateKey::User(*id), user);
            self.state.keep();
        }
        let window = self.spec.limits.transaction_window_ms;
        if transaction.timestamp.ms().abs_diff(self.timestamp.ms()) > window {
            return Ok(Err(Failure::new(
                Code::OutsideWindow,
                format!(
                    "signed at {}, more than {} s from its block's time; sign it again",
                    transaction.timestamp,
                    window / 1000
                ),
            )));
        }
        rules::apply(
            &mut rules::Scene {
                state: &mut self.state,
                height: self.height,
                now: self.timestamp,
                id: read.id,
                transaction,
                network: self.spec.network,
                contracts: self.contracts,
                report,
            },
            sender,
        )
    }

    /// Who signs, and with which key. What fails here can never be in a block of this chain.
    fn sender(
        &self,
        Read {
            transaction,
            message,
            ..
        }: Read<'_>,
    ) -> Result<Result<(Sender, PublicKey), Failure>, StateError> {
        let most = gas::message_limit(transaction.kind);
        if message.len() > most {
            return Ok(Err(Failure::new(
                Code::TooLarge,
                format!(
                    "the transaction is {} bytes long; {most} are allowed: store what is large with tana content put \
                     and name its SHA-256 in metadata.contentRefs",
                    message.len(),
                ),
            )));
        }
        if let Err(wanted) = transaction.content_refs() {
            return Ok(Err(Failure::new(Code::BadTransaction, wanted)));
        }
        match &transaction.chain_id {
            Some(id) if *id == self.spec.chain_id => {}
            None if self.spec.limits.require_chain_id == RequireChainId::Optional => {}
            other => {
                let named = other.as_deref().unwrap_or("no chain");
                return Ok(Err(Failure::new(
                    Code::WrongChain,
                    format!(
                        "the transaction is for {named:?}; this chain is {:?}",
                        self.spec.chain_id
                    ),
                )));
            }
        }
        if transaction.kind == TransactionType::UserCreation {
            return Ok(rules::user::new_user(transaction).map(|new| {
                let key = new.public_key;
                (Sender::NewUser(Box::new(new)), key)
            }));
        }
        Ok(match self.user(transaction.from.target())? {
            Some((id, user)) => {
                let key = user.public_key;
                Ok((Sender::User(id, user), key))
            }
            None => Err(Failure::new(
                Code::UnknownSender,
                format!("there is no user {}", transaction.from),
            )),
        })
    }

    fn user(&self, party: &PartyRef) -> Result<Option<(UserId, Arc<UserState>)>, StateError> {
        rules::find_user(&self.state, party)
    }

    /// Ends the block: what is due is applied to the validator set.
    ///
    /// # Errors
    /// When the validator set was not loaded or there is none.
    pub fn finish(mut self) -> Result<Execution, StateError> {
        let set = |state: &Overlay<'_>| {
            state
                .validators(&StateKey::Validators)?
                .map(|validators| *validators)
                .ok_or(StateError::NotLoaded(StateKey::Validators))
        };
        // Before this block: a change in this block's own transactions touches only what is pending.
        let before = set(&self.state)?;
        let next = rules::validator::end_of_block(before.clone(), self.height);
        if next != before {
            let value = StateValue::Validators(Box::new(next.clone()));
            self.state.put(StateKey::Validators, value);
            self.state.keep();
        }
        let (changes, values) = self.state.changes()?;
        Ok(Execution {
            receipts: self.receipts,
            changes,
            values,
            gas_used: self.gas_used,
            validators: before,
            next_validators: next,
        })
    }
}

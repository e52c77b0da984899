//! What is queued and not in a block yet, as far as new submissions are judged by it: nonces, what is spoken for, names
//! and keys that are about to be taken. The transactions themselves are in the queue.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use tana_chain::{MemoryState, StateError, StateReader, plan};
use tana_protocol::contract::DataKey;
use tana_protocol::transaction::NewUser;
use tana_protocol::{
    Amount, ContractId, CurrencyCode, PublicKey, StateKey, StateValue, Transaction, TransactionId,
    TransactionType, UserId, Username,
};
use tana_store::queue::StreamId;

/// Whether a signature was checked by this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    Yes,
    No,
}

/// One queued transaction.
#[derive(Clone, Debug)]
struct Entry {
    stream_id: Option<StreamId>,
    checked: Checked,
    sender: Option<(UserId, u64)>,
    reserved: Vec<StateKey>,
    /// Of the signed message.
    bytes: usize,
}

/// What takes the place of a nonce: which transaction, and what it takes from a balance.
#[derive(Debug)]
struct Spend {
    id: TransactionId,
    amount: Option<(CurrencyCode, Amount)>,
}

/// A sender's queued transactions by nonce, as far as they can still succeed.
type Spending = BTreeMap<u64, Spend>;

#[derive(Debug, Default)]
pub(super) struct Mempool {
    entries: HashMap<TransactionId, Entry>,
    senders: HashMap<UserId, Spending>,
    reserved: HashSet<StateKey>,
    bytes: usize,
}

impl Mempool {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of all signed messages.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn contains(&self, id: &TransactionId) -> bool {
        self.entries.contains_key(id)
    }

    /// Where it is in the queue; `None` while it is being queued.
    pub(super) fn stream_id(&self, id: &TransactionId) -> Option<StreamId> {
        self.entries.get(id)?.stream_id
    }

    /// Whether its signature was checked when it was submitted here. The id covers message and signature.
    pub(super) fn is_checked(&self, id: &TransactionId) -> bool {
        self.entries
            .get(id)
            .is_some_and(|entry| entry.checked == Checked::Yes)
    }

    /// The last nonce of a user, counting what is queued.
    pub(super) fn last_nonce(&self, user: UserId, committed: u64) -> u64 {
        let last = self.following(user, committed).last();
        last.map_or(committed, |(nonce, _)| *nonce)
    }

    /// The user's queued transactions that follow on the committed nonce without a gap. What lies behind a gap fails.
    fn following(&self, user: UserId, committed: u64) -> impl Iterator<Item = (&u64, &Spend)> {
        let queued = self.senders.get(&user).into_iter();
        let first = committed.saturating_add(1);
        let later = queued.flat_map(move |queued| queued.range(first..));
        later
            .zip(first..)
            .take_while(|((nonce, _), next)| *nonce == next)
            .map(|(spend, _)| spend)
    }

    /// Entries that were queued before a moment, by their ids.
    pub(super) fn queued_before(&self, ms: u64) -> Vec<TransactionId> {
        let old = |entry: &&Entry| entry.stream_id.is_some_and(|at| at.ms < ms);
        let entries = self.entries.iter().filter(|(_, entry)| old(entry));
        entries.map(|(id, _)| *id).collect()
    }

    /// Adds one that the rules let pass over this state.
    pub(super) fn add(
        &mut self,
        id: TransactionId,
        transaction: &Transaction,
        bytes: usize,
        state: &MemoryState,
        checked: Checked,
    ) {
        let sender = plan::party(&transaction.from, state)
            .filter(|sender| *sender != UserId::SYSTEM)
            .map(|sender| (sender, transaction.nonce));
        if let Some((sender, nonce)) = sender {
            let spent = spends(transaction, state);
            let queued = self.senders.entry(sender).or_default();
            // Those with a later nonce come first in the queue and fail there, when this one fills the gap before them.
            let fills_a_gap = !queued.contains_key(&nonce)
                && queued
                    .last_key_value()
                    .is_some_and(|(last, _)| *last > nonce);
            if fills_a_gap {
                queued.split_off(&nonce.saturating_add(1));
            }
            queued.entry(nonce).or_insert(Spend { id, amount: spent });
        }
        let reserved = reserves(transaction);
        self.reserved.extend(reserved.iter().cloned());
        let entry = Entry {
            stream_id: None,
            checked,
            sender,
            reserved,
            bytes,
        };
        self.bytes = self.bytes.saturating_add(bytes);
        if let Some(before) = self.entries.insert(id, entry) {
            self.bytes = self.bytes.saturating_sub(before.bytes);
        }
    }

    pub(super) fn queued(&mut self, id: &TransactionId, at: StreamId) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.stream_id = Some(at);
        }
    }

    /// It will never be in a block. What its sender queued after it fails too, and is not counted on any more: the nonce
    /// that is next is this one's again.
    pub(super) fn reject(&mut self, id: &TransactionId) {
        let sender = self.entries.get(id).and_then(|entry| entry.sender);
        if let Some((sender, nonce)) = sender
            && let Some(queued) = self.senders.get_mut(&sender)
            && queued.get(&nonce).is_some_and(|spend| spend.id == *id)
        {
            queued.split_off(&nonce.saturating_add(1));
        }
        self.remove(id);
    }

    /// It is in a block.
    pub(super) fn remove(&mut self, id: &TransactionId) {
        let Some(entry) = self.entries.remove(id) else {
            return;
        };
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        if let Some((sender, nonce)) = entry.sender
            && let Some(queued) = self.senders.get_mut(&sender)
        {
            if queued.get(&nonce).is_some_and(|spend| spend.id == *id) {
                queued.remove(&nonce);
            }
            if queued.is_empty() {
                self.senders.remove(&sender);
            }
        }
        for key in entry.reserved {
            self.reserved.remove(&key);
        }
    }

    /// The state as a new transaction of this sender finds it once all that is queued is in blocks.
    pub(super) fn over<'a>(
        &'a self,
        state: &'a MemoryState,
        sender: Option<UserId>,
    ) -> Expected<'a> {
        Expected {
            mempool: self,
            state,
            sender,
        }
    }
}

/// What a transaction takes from its sender's balance.
fn spends(transaction: &Transaction, state: &MemoryState) -> Option<(CurrencyCode, Amount)> {
    let takes = matches!(
        transaction.kind,
        TransactionType::Transfer | TransactionType::Withdraw
    );
    let code = transaction.currency_code.as_ref().filter(|_| takes)?;
    let Some(StateValue::Currency(currency)) = state.peek(&StateKey::Currency(code.clone())) else {
        return None;
    };
    let amount = transaction
        .amount
        .as_ref()?
        .in_units(currency.decimals)
        .ok()?;
    Some((code.clone(), amount))
}

/// What a user creation is about to take.
fn reserves(transaction: &Transaction) -> Vec<StateKey> {
    let input = transaction.contract_input.as_ref();
    let new = input
        .filter(|_| transaction.kind == TransactionType::UserCreation)
        .and_then(|input| <NewUser as serde::Deserialize>::deserialize(input).ok());
    let Some(new) = new else { return Vec::new() };
    let name = new
        .username
        .parse::<Username>()
        .ok()
        .map(StateKey::Username);
    let key = new.public_key.parse::<PublicKey>().ok();
    name.into_iter()
        .chain(key.map(|key| StateKey::UserKey(Box::new(key))))
        .collect()
}

/// The committed state with a sender's queued transactions counted in.
pub(super) struct Expected<'a> {
    mempool: &'a Mempool,
    state: &'a MemoryState,
    sender: Option<UserId>,
}

impl Expected<'_> {
    /// The sender's queued transactions that are not in the committed state yet and can succeed.
    fn outstanding(&self) -> impl Iterator<Item = (&u64, &Spend)> {
        let committed = self
            .sender
            .and_then(|id| match self.state.peek(&StateKey::User(id)) {
                Some(StateValue::User(user)) => Some(user.nonce),
                _ => None,
            })
            .unwrap_or(0);
        let sender = self.sender.into_iter();
        sender.flat_map(move |id| self.mempool.following(id, committed))
    }
}

impl StateReader for Expected<'_> {
    fn get(&self, key: &StateKey) -> Result<Option<StateValue>, StateError> {
        let value = self.state.get(key)?;
        Ok(match (key, value) {
            (StateKey::User(id), Some(StateValue::User(mut user))) if Some(*id) == self.sender => {
                if let Some((last, _)) = self.outstanding().last() {
                    let user = Arc::make_mut(&mut user);
                    user.nonce = user.nonce.max(*last);
                }
                Some(StateValue::User(user))
            }
            (StateKey::Balance(owner, code), Some(StateValue::Balance(mut balance)))
                if Some(*owner) == self.sender =>
            {
                for (of, amount) in self
                    .outstanding()
                    .filter_map(|(_, spend)| spend.amount.as_ref())
                {
                    if of == code {
                        balance.amount = balance.amount.minus(*amount).unwrap_or(Amount::ZERO);
                    }
                }
                Some(StateValue::Balance(balance))
            }
            (key, None) if self.mempool.reserved.contains(key) => {
                Some(StateValue::Owner(UserId::SYSTEM))
            }
            (_, value) => value,
        })
    }

    fn storage(&self, contract: ContractId) -> Result<BTreeMap<DataKey, String>, StateError> {
        self.state.storage(contract)
    }
}

//! Where execution reads from and what it has changed so far.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, Range};

use tana_protocol::block::{ChangesText, StateChange};
use tana_protocol::contract::DataKey;
use tana_protocol::{ContractId, StateKey, StateValue, UserId};

/// What execution reads. An answer comes from what was loaded before; nothing here does IO.
pub trait StateReader: Sync {
    /// The value of a key, `None` where it has none.
    ///
    /// # Errors
    /// [`StateError::NotLoaded`] where nobody loaded the key.
    fn get(&self, key: &StateKey) -> Result<Option<StateValue>, StateError>;

    /// All that a contract has stored.
    ///
    /// # Errors
    /// [`StateError::NotLoaded`] where nobody loaded it.
    fn storage(&self, contract: ContractId) -> Result<BTreeMap<DataKey, String>, StateError>;
}

/// Why execution could not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The plan did not name the key: a defect.
    #[error("the state of {0} was not loaded before execution")]
    NotLoaded(StateKey),
    /// The value is of another kind than its key.
    #[error("the state of {0} is of another kind than its key")]
    WrongKind(StateKey),
    /// The database or the contract engine gave no answer. The block is tried again.
    #[error("{0}")]
    Unavailable(String),
}

/// A part of the state in memory; what is not in it was not loaded, unless it is said to be whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryState {
    loaded: BTreeMap<StateKey, Option<StateValue>>,
    /// Contracts whose storage is loaded whole.
    storages: BTreeSet<ContractId>,
    extent: Extent,
}

/// Whether a [`MemoryState`] holds all there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Only what was loaded.
    #[default]
    Part,
    /// Everything: a key that is not in it has no value.
    Whole,
}

impl MemoryState {
    /// Nothing loaded yet.
    #[must_use]
    pub fn part() -> Self {
        Self::default()
    }

    /// A whole state, empty at first.
    #[must_use]
    pub fn whole() -> Self {
        Self {
            extent: Extent::Whole,
            ..Self::default()
        }
    }

    /// Notes a key's value, or that it has none.
    pub fn load(&mut self, key: StateKey, value: Option<StateValue>) {
        self.loaded.insert(key, value);
    }

    /// Notes all that a contract has stored.
    pub fn load_storage(&mut self, contract: ContractId, entries: BTreeMap<DataKey, String>) {
        for (key, value) in entries {
            self.load(StateKey::Data(contract, key), Some(StateValue::Data(value)));
        }
        self.storages.insert(contract);
    }

    /// Whether a key's value is known.
    #[must_use]
    pub fn knows(&self, key: &StateKey) -> bool {
        self.loaded.contains_key(key)
            || match key {
                StateKey::Data(contract, _) => self.knows_storage(*contract),
                _ => self.extent == Extent::Whole,
            }
    }

    /// Whether all that a contract has stored is known.
    #[must_use]
    pub fn knows_storage(&self, contract: ContractId) -> bool {
        self.extent == Extent::Whole || self.storages.contains(&contract)
    }

    /// The value, where it was loaded and there is one.
    #[must_use]
    pub fn peek(&self, key: &StateKey) -> Option<&StateValue> {
        self.loaded.get(key)?.as_ref()
    }

    /// The keys whose value is known, whether there is one or not.
    pub fn keys(&self) -> impl Iterator<Item = &StateKey> {
        self.loaded.keys()
    }

    /// Takes over what a block changed.
    pub fn apply(&mut self, changes: &[(StateKey, StateValue)]) {
        for (key, value) in changes {
            let left = Some(value.clone()).filter(|value| *value != StateValue::Gone);
            self.loaded.insert(key.clone(), left);
        }
    }

    /// Everything in it that has a value, in order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&StateKey, &StateValue)> {
        self.loaded
            .iter()
            .filter_map(|(key, value)| value.as_ref().map(|value| (key, value)))
    }
}

impl StateReader for MemoryState {
    fn get(&self, key: &StateKey) -> Result<Option<StateValue>, StateError> {
        match self.loaded.get(key) {
            Some(value) => Ok(value.clone()),
            None if self.knows(key) => Ok(None),
            None => Err(StateError::NotLoaded(key.clone())),
        }
    }

    fn storage(&self, contract: ContractId) -> Result<BTreeMap<DataKey, String>, StateError> {
        if !self.knows_storage(contract) {
            return Err(StateError::NotLoaded(StateKey::Contract(contract)));
        }
        let stored = data_of(&self.loaded, contract).filter_map(|(key, value)| match value {
            Some(StateValue::Data(text)) => Some((key.clone(), text.clone())),
            _ => None,
        });
        Ok(stored.collect())
    }
}

/// The entries of a contract's storage.
fn data_of<V>(
    entries: &BTreeMap<StateKey, V>,
    contract: ContractId,
) -> impl Iterator<Item = (&DataKey, &V)> {
    // In the order of keys a contract's storage comes after the code of every contract that is not greater, and `Data`
    // is the last kind of all.
    entries
        .range((Bound::Excluded(StateKey::Code(contract)), Bound::Unbounded))
        .filter_map(move |(key, value)| match key {
            StateKey::Data(of, key) if *of == contract => Some((key, value)),
            _ => None,
        })
}

/// The state below and what was written on top of it: the block's, and the transaction's that is not kept yet.
pub(crate) struct Overlay<'a> {
    below: &'a dyn StateReader,
    block: BTreeMap<StateKey, StateValue>,
    transaction: BTreeMap<StateKey, StateValue>,
    created: BTreeSet<UserId>,
    deployed: BTreeSet<ContractId>,
}

impl<'a> Overlay<'a> {
    pub(crate) fn new(below: &'a dyn StateReader) -> Self {
        Self {
            below,
            block: BTreeMap::new(),
            transaction: BTreeMap::new(),
            created: BTreeSet::new(),
            deployed: BTreeSet::new(),
        }
    }

    fn below(&self, key: &StateKey) -> Result<Option<StateValue>, StateError> {
        below(self.below, &self.created, &self.deployed, key)
    }

    pub(crate) fn get(&self, key: &StateKey) -> Result<Option<StateValue>, StateError> {
        match self.transaction.get(key).or_else(|| self.block.get(key)) {
            Some(StateValue::Gone) => Ok(None),
            Some(value) => Ok(Some(value.clone())),
            None => self.below(key),
        }
    }

    /// All that a contract has stored.
    pub(crate) fn storage(
        &self,
        contract: ContractId,
    ) -> Result<BTreeMap<DataKey, String>, StateError> {
        let mut stored = if self.deployed.contains(&contract) {
            BTreeMap::new()
        } else {
            self.below.storage(contract)?
        };
        let written = data_of(&self.block, contract).chain(data_of(&self.transaction, contract));
        for (key, value) in written {
            match value {
                StateValue::Data(text) => stored.insert(key.clone(), text.clone()),
                _ => stored.remove(key),
            };
        }
        Ok(stored)
    }

    /// Notes that this contract does not exist below.
    pub(crate) fn deploy(&mut self, id: ContractId) {
        self.deployed.insert(id);
    }

    /// Notes that this user does not exist below.
    pub(crate) fn create(&mut self, id: UserId) {
        self.created.insert(id);
    }

    pub(crate) fn put(&mut self, key: StateKey, value: StateValue) {
        self.transaction.insert(key, value);
    }

    /// Keeps what the transaction wrote.
    pub(crate) fn keep(&mut self) {
        // Not `append`: it goes through all that the block has written so far, for each of its transactions.
        self.block.extend(std::mem::take(&mut self.transaction));
    }

    /// Drops what the transaction wrote.
    pub(crate) fn drop_transaction(&mut self) {
        self.transaction.clear();
    }

    /// What the block changed: with the values before, in order of the keys' texts; and the same as values. A value written
    /// back as it was is no change.
    pub(crate) fn changes(self) -> Result<(Changes, Vec<(StateKey, StateValue)>), StateError> {
        let mut changed = Vec::with_capacity(self.block.len());
        for (key, after) in self.block {
            let before = below(self.below, &self.created, &self.deployed, &key)?;
            let left = Some(&after).filter(|value| **value != StateValue::Gone);
            if before.as_ref() != left {
                changed.push((key.to_string(), before, (key, after)));
            }
        }
        changed.sort_unstable_by(|(a, ..), (b, ..)| a.cmp(b));
        let mut text = ChangesText::for_about(changed.len());
        let (mut list, mut values) = (Vec::with_capacity(changed.len()), Vec::new());
        values.reserve_exact(changed.len());
        for (key, before, (named, after)) in changed {
            let left = before.as_ref().unwrap_or(&StateValue::Gone);
            let place = text.push(
                &key,
                |out| after.write_canonical(out),
                |out| left.write_canonical(out),
            );
            list.push(Changed {
                key,
                before,
                after: place,
            });
            values.push((named, after));
        }
        let text = text.end();
        Ok((Changes { list, text }, values))
    }
}

/// Reads below the block. Who is created in the block had nothing before it, and nobody could plan to load that.
fn below(
    state: &dyn StateReader,
    created: &BTreeSet<UserId>,
    deployed: &BTreeSet<ContractId>,
    key: &StateKey,
) -> Result<Option<StateValue>, StateError> {
    match (state.get(key), key) {
        (Err(StateError::NotLoaded(_)), StateKey::User(id) | StateKey::Balance(id, _))
            if created.contains(id) =>
        {
            Ok(None)
        }
        (
            Err(StateError::NotLoaded(_)),
            StateKey::Contract(id) | StateKey::Code(id) | StateKey::Data(id, _),
        ) if deployed.contains(id) => Ok(None),
        (found, _) => found,
    }
}

/// What a block changed, in order of the keys' texts: with the values before, and everything as its canonical JSON, which is
/// written once and then hashed, compared and put into the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    list: Vec<Changed>,
    text: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Changed {
    key: String,
    before: Option<StateValue>,
    /// Where the canonical JSON of the value after the block is in the text.
    after: Range<usize>,
}

impl Default for Changes {
    /// None.
    fn default() -> Self {
        Self {
            list: Vec::new(),
            text: ChangesText::for_about(0).end(),
        }
    }
}

impl Changes {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The canonical JSON of the list of changes, which `changesHash` is taken over.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Each key's text and the canonical JSON of its value after the block, `null` where none is left.
    pub(crate) fn written(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let written = |change: &Range<usize>| self.text.get(change.clone()).unwrap_or_default();
        self.list
            .iter()
            .map(move |changed| (&*changed.key, written(&changed.after)))
    }

    /// The changes as they are in a block; `values` are those after it, in the same order.
    #[must_use]
    pub fn to_list(&self, values: &[(StateKey, StateValue)]) -> Vec<StateChange> {
        let json = |value: &StateValue| (*value != StateValue::Gone).then(|| value.to_json());
        self.list
            .iter()
            .zip(values)
            .map(|(changed, (_, after))| StateChange {
                key: changed.key.clone(),
                before: changed.before.as_ref().and_then(json),
                after: json(after),
            })
            .collect()
    }
}

/// Reads a value of the kind that its key has.
macro_rules! typed {
    ($name:ident, $variant:ident, $type:ty) => {
        impl Overlay<'_> {
            pub(crate) fn $name(&self, key: &StateKey) -> Result<Option<$type>, StateError> {
                match self.get(key)? {
                    None => Ok(None),
                    Some(StateValue::$variant(value)) => Ok(Some(value)),
                    Some(_) => Err(StateError::WrongKind(key.clone())),
                }
            }
        }
    };
}

typed!(user, User, std::sync::Arc<tana_protocol::state::UserState>);
typed!(owner, Owner, tana_protocol::UserId);
typed!(balance, Balance, tana_protocol::state::BalanceState);
typed!(currency, Currency, tana_protocol::state::CurrencyState);
typed!(
    contract,
    Contract,
    Box<tana_protocol::contract::ContractState>
);
typed!(named, Named, tana_protocol::ContractId);
typed!(code, Code, tana_protocol::contract::CodeState);
typed!(
    validators,
    Validators,
    Box<tana_protocol::state::ValidatorState>
);

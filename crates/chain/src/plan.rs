//! Which part of the state a list of transactions needs, so that it can be loaded in a few batches before it is
//! executed: ids at once, names first and then what they name. What a contract asks for nobody knows beforehand: who has
//! contracts run hands in a reader that loads.

use std::collections::BTreeSet;

use tana_protocol::api::ledger::OwnerType;
use tana_protocol::contract::Deployment;
use tana_protocol::transaction::{NewUser, Party, PartyRef};
use tana_protocol::{
    CurrencyCode, PublicKey, StateKey, StateValue, Transaction, TransactionType, UserId, Username,
};

use crate::state::MemoryState;

/// The keys that executing `transactions` may read and that `known` does not know yet. To be called again with the
/// answers loaded, until nothing is missing.
pub fn missing<'a>(
    transactions: impl IntoIterator<Item = &'a Transaction>,
    known: &MemoryState,
) -> Vec<StateKey> {
    let mut wanted = BTreeSet::from([StateKey::Validators]);
    for transaction in transactions {
        needed(transaction, known, &mut wanted);
    }
    wanted.retain(|key| !known.knows(key));
    wanted.into_iter().collect()
}

fn needed(transaction: &Transaction, known: &MemoryState, wanted: &mut BTreeSet<StateKey>) {
    let currency = transaction.currency_code.as_ref();
    if let Some(code) = currency {
        wanted.insert(StateKey::Currency(code.clone()));
    }
    for party in [&transaction.from, &transaction.to] {
        match party.target() {
            PartyRef::Id(id) => of_user(*id, currency, wanted),
            PartyRef::Name(name) => {
                let key = StateKey::Username(name.clone());
                if let Some(StateValue::Owner(id)) = known.peek(&key) {
                    of_user(*id, currency, wanted);
                }
                wanted.insert(key);
            }
        }
    }
    match transaction.kind {
        TransactionType::UserCreation => {
            if let Some(new) = input::<NewUser>(transaction) {
                if let Ok(name) = new.username.parse::<Username>() {
                    wanted.insert(StateKey::Username(name));
                }
                if let Ok(key) = new.public_key.parse() {
                    wanted.insert(StateKey::UserKey(Box::new(key)));
                }
            }
        }
        TransactionType::CurrencyCreation => {
            let code = transaction
                .contract_input
                .as_ref()
                .and_then(|input| input.get("code")?.as_str()?.parse().ok());
            if let Some(code) = code {
                wanted.insert(StateKey::Currency(code));
            }
        }
        TransactionType::ContractDeployment => {
            if let Some(new) = input::<Deployment>(transaction) {
                let key = StateKey::ContractName(new.name);
                if let Some(StateValue::Named(id)) = known.peek(&key) {
                    wanted.insert(StateKey::Contract(*id));
                }
                wanted.insert(key);
            }
        }
        TransactionType::ContractCall => {
            if let Some(id) = transaction.contract_id {
                let key = StateKey::Contract(id);
                if let Some(StateValue::Contract(contract)) = known.peek(&key) {
                    wanted.insert(StateKey::User(contract.owner));
                }
                wanted.insert(key);
            }
        }
        _ => {}
    }
}

fn of_user(id: UserId, currency: Option<&CurrencyCode>, wanted: &mut BTreeSet<StateKey>) {
    if id == UserId::SYSTEM {
        return;
    }
    wanted.insert(StateKey::User(id));
    if let Some(code) = currency {
        wanted.insert(StateKey::Balance(id, code.clone()));
    }
}

/// The key that a transaction's signature must fit; `None` where nobody is known to sign it.
#[must_use]
pub fn signer(transaction: &Transaction, known: &MemoryState) -> Option<PublicKey> {
    if transaction.kind == TransactionType::UserCreation {
        return input::<NewUser>(transaction)?.public_key.parse().ok();
    }
    match known.peek(&StateKey::User(party(&transaction.from, known)?))? {
        StateValue::User(user) => Some(user.public_key),
        _ => None,
    }
}

/// Whom a party names, where the name is loaded.
#[must_use]
pub fn party(party: &Party, known: &MemoryState) -> Option<UserId> {
    match party.target() {
        PartyRef::Id(id) => Some(*id),
        PartyRef::Name(name) => match known.peek(&StateKey::Username(name.clone()))? {
            StateValue::Owner(id) => Some(*id),
            _ => None,
        },
    }
}

/// What a transaction carries in `contractInput`, where it has that form.
pub(crate) fn input<T: serde::de::DeserializeOwned>(transaction: &Transaction) -> Option<T> {
    let value = transaction.contract_input.as_ref()?;
    T::deserialize(value).ok()
}

/// What owns the balances of this type of transactions' parties.
pub(crate) const OWNER: OwnerType = OwnerType::User;

//! The chain's state as keys and values: what state changes, proofs and the state root are about. Which of them may
//! change how is decided in `chain`.
//!
//! A value's canonical JSON (RFC 8785) is what the tree holds. Amounts in it are in the currency's smallest unit.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::Network;
use crate::amount::{Amount, CurrencyCode, Decimals};
use crate::api::ledger::OwnerType;
use crate::contract::{CodeState, ContractState, DataKey};
use crate::genesis::{ChainLimits, CurrencyType, Engine, Validator};
use crate::hash::{Hash32, hex_text};
use crate::id::{ContractId, ContractName, NodeId, UserId, Username};
use crate::json::{Canonical, canonical};
use crate::key::PublicKey;
use crate::time::{Timestamp, ms};
use crate::transaction::Role;

/// A text that is no key of the state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a state key is chain, validators, user/<id>, username/<name>, userKey/<hex>, balance/<owner>/<currency>, currency/<code>, \
     contract/<id>, contractName/<name>, code/<id> or data/<contract>/<key>"
)]
pub struct StateKeyError;

/// Names one value of the state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateKey {
    /// `chain`: what the chain file says and no transaction changes.
    Chain,
    /// `validators`: who agrees on blocks.
    Validators,
    /// `user/<id>`.
    User(UserId),
    /// `username/<name without @>`: whose it is.
    Username(Username),
    /// `userKey/<64 hex digits>`: whose it is.
    UserKey(Box<PublicKey>),
    /// `balance/<owner>/<currency>`.
    Balance(UserId, CurrencyCode),
    /// `currency/<code>`.
    Currency(CurrencyCode),
    /// `contract/<id>`.
    Contract(ContractId),
    /// `contractName/<name>`: which contract answers to it.
    ContractName(ContractName),
    /// `code/<id>`: what the contract is executed from.
    Code(ContractId),
    /// `data/<contract>/<key>`: what the contract has stored under the key.
    Data(ContractId, DataKey),
}

impl StateKey {
    /// Where the value lies in the tree: SHA-256 of the key's text.
    #[must_use]
    pub fn hash(&self) -> Hash32 {
        Hash32::of(self.to_string().as_bytes())
    }
}

impl fmt::Display for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain => f.write_str("chain"),
            Self::Validators => f.write_str("validators"),
            Self::User(id) => write!(f, "user/{id}"),
            Self::Username(name) => write!(f, "username/{}", name.bare()),
            Self::UserKey(key) => write!(f, "userKey/{}", hex_text(&key.to_bytes())),
            Self::Balance(owner, code) => write!(f, "balance/{owner}/{code}"),
            Self::Currency(code) => write!(f, "currency/{code}"),
            Self::Contract(id) => write!(f, "contract/{id}"),
            Self::ContractName(name) => write!(f, "contractName/{name}"),
            Self::Code(id) => write!(f, "code/{id}"),
            Self::Data(id, key) => write!(f, "data/{id}/{key}"),
        }
    }
}

impl FromStr for StateKey {
    type Err = StateKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('/');
        let mut part = || parts.next().unwrap_or("");
        let key = match part() {
            "chain" => Some(Self::Chain),
            "validators" => Some(Self::Validators),
            "user" => part().parse().ok().map(Self::User),
            "username" => part().parse().ok().map(Self::Username),
            "userKey" => part().parse().ok().map(|key| Self::UserKey(Box::new(key))),
            "balance" => match (part().parse(), part().parse()) {
                (Ok(owner), Ok(code)) => Some(Self::Balance(owner, code)),
                _ => None,
            },
            "currency" => part().parse().ok().map(Self::Currency),
            "contract" => part().parse().ok().map(Self::Contract),
            "contractName" => part().parse().ok().map(Self::ContractName),
            "code" => part().parse().ok().map(Self::Code),
            "data" => match (part().parse(), part().parse()) {
                (Ok(id), Ok(key)) => Some(Self::Data(id, key)),
                _ => None,
            },
            _ => None,
        };
        // One value has one name: whatever does not come out again as it was written is refused.
        key.filter(|key| key.to_string() == text)
            .ok_or(StateKeyError)
    }
}

crate::json::serde_as_text!(StateKey);

/// `chain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChainState {
    /// Binds transactions to this chain.
    pub chain_id: String,
    /// The chain's name for people.
    pub name: String,
    /// Whose addresses it uses.
    pub network: Network,
    /// What executes its contracts.
    pub engine: Option<Engine>,
    /// What they are charged by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gas_schedule: Option<u32>,
    /// Its rules that are numbers.
    pub limits: ChainLimits,
}

/// `validators`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValidatorState {
    /// Who agrees on the next block, in order of the node ids.
    pub set: Vec<Validator>,
    /// The change that was decided and does not hold yet.
    pub pending: Option<PendingUpdate>,
}

/// A decided change of the validator set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PendingUpdate {
    /// The first block that the changed set agrees on.
    pub height: u64,
    /// The node with its new key and power; power 0 removes it.
    pub validator: Validator,
}

impl ValidatorState {
    /// The key that a node's producer signs blocks with, where the node is a validator.
    #[must_use]
    pub fn key_of(&self, node: &NodeId) -> Option<PublicKey> {
        self.set
            .iter()
            .find(|validator| validator.node_id == *node)
            .map(|validator| validator.public_key)
    }

    /// SHA-256 of the canonical JSON of the set: `validatorsHash` of the next block.
    #[must_use]
    pub fn set_hash(&self) -> Hash32 {
        Hash32::of(&canonical(&self.set))
    }
}

/// `user/<id>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserState {
    /// The name with its `@`.
    pub username: Username,
    /// The name for people.
    pub display_name: String,
    /// The key that signs.
    pub public_key: PublicKey,
    /// What the user may do.
    pub role: Role,
    /// A few words; "" for none.
    pub bio: String,
    /// The last nonce used.
    pub nonce: u64,
    /// Time of the block that created the user.
    #[serde(with = "ms")]
    pub created_at: Timestamp,
    /// Time of the block that last changed the user.
    #[serde(with = "ms")]
    pub updated_at: Timestamp,
}

/// `balance/<owner>/<currency>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BalanceState {
    /// In the currency's smallest unit.
    #[serde(with = "units")]
    pub amount: Amount,
    /// What the owner is.
    pub owner_type: OwnerType,
    /// Time of the block that last changed it.
    #[serde(with = "ms")]
    pub updated_at: Timestamp,
}

/// `currency/<code>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CurrencyState {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: CurrencyType,
    /// Digits after the point.
    pub decimals: Decimals,
    /// Its name for people.
    pub name: Option<String>,
    /// Its sign.
    pub symbol: Option<String>,
    /// Whether a sovereign created it.
    pub verified: bool,
    /// Time of the block that created it.
    #[serde(with = "ms")]
    pub created_at: Timestamp,
}

/// An amount as the digits of its smallest units: JSON numbers are not exact beyond 2^53.
mod units {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::amount::Amount;

    pub(super) fn serialize<S: Serializer>(amount: &Amount, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&amount.units())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Amount, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        let units = text
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| text.parse().ok())
            .flatten();
        units
            .and_then(|units| Amount::from_units(units).ok())
            .ok_or_else(|| serde::de::Error::custom("expected the digits of an amount"))
    }
}

/// A value of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateValue {
    /// Of [`StateKey::Chain`].
    Chain(ChainState),
    /// Of [`StateKey::Validators`].
    Validators(Box<ValidatorState>),
    /// Of [`StateKey::User`], which is read more often than changed. What is large is behind a pointer: a block moves
    /// thousands of balances, and a value takes as much room as its largest kind.
    User(Arc<UserState>),
    /// Of [`StateKey::Username`] and [`StateKey::UserKey`]: whose it is.
    Owner(UserId),
    /// Of [`StateKey::Balance`].
    Balance(BalanceState),
    /// Of [`StateKey::Currency`].
    Currency(CurrencyState),
    /// Of [`StateKey::Contract`].
    Contract(Box<ContractState>),
    /// Of [`StateKey::ContractName`]: which contract it is.
    Named(ContractId),
    /// Of [`StateKey::Code`].
    Code(CodeState),
    /// Of [`StateKey::Data`].
    Data(String),
    /// The key has no value any more. In what a block changed only, of [`StateKey::Data`] only.
    Gone,
}

/// A stored value that does not fit its key.
#[derive(Debug, thiserror::Error)]
#[error("the value of {key} does not fit")]
pub struct StateValueError {
    /// The key.
    pub key: StateKey,
    source: serde_json::Error,
}

impl StateValue {
    /// The value as JSON, as in state changes.
    ///
    /// # Panics
    /// Never: the types of this module are written as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let json = match self {
            Self::Chain(value) => serde_json::to_value(value),
            Self::Validators(value) => serde_json::to_value(value),
            Self::User(value) => serde_json::to_value(value),
            Self::Owner(value) => serde_json::to_value(value),
            Self::Balance(value) => serde_json::to_value(value),
            Self::Currency(value) => serde_json::to_value(value),
            Self::Contract(value) => serde_json::to_value(value),
            Self::Named(value) => serde_json::to_value(value),
            Self::Code(value) => serde_json::to_value(value),
            Self::Data(value) => serde_json::to_value(value),
            Self::Gone => Ok(Value::Null),
        };
        json.expect("plain structs of texts and numbers are JSON")
    }

    /// Canonical JSON: what the tree holds.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Canonical::new();
        self.write_canonical(&mut out);
        out.into_bytes()
    }

    /// Writes the canonical JSON behind what is in `out`.
    pub fn write_canonical(&self, out: &mut Canonical) {
        match self {
            Self::Chain(value) => out.write(value),
            Self::Validators(value) => out.write(value),
            Self::User(value) => out.write(value),
            Self::Owner(value) => out.write(value),
            Self::Balance(value) => out.write(value),
            Self::Currency(value) => out.write(value),
            Self::Contract(value) => out.write(value),
            Self::Named(value) => out.write(value),
            Self::Code(value) => out.write(value),
            Self::Data(value) => out.write(value),
            Self::Gone => out.write(&()),
        }
    }

    /// Reads a value of a key.
    ///
    /// # Errors
    /// When it is not of the form that the key's values have.
    pub fn from_json(key: &StateKey, json: Value) -> Result<Self, StateValueError> {
        let value = match key {
            StateKey::Chain => serde_json::from_value(json).map(Self::Chain),
            StateKey::Validators => serde_json::from_value(json).map(Self::Validators),
            StateKey::User(_) => serde_json::from_value(json).map(Self::User),
            StateKey::Username(_) | StateKey::UserKey(_) => {
                serde_json::from_value(json).map(Self::Owner)
            }
            StateKey::Balance(..) => serde_json::from_value(json).map(Self::Balance),
            StateKey::Currency(_) => serde_json::from_value(json).map(Self::Currency),
            StateKey::Contract(_) => serde_json::from_value(json).map(Self::Contract),
            StateKey::ContractName(_) => serde_json::from_value(json).map(Self::Named),
            StateKey::Code(_) => serde_json::from_value(json).map(Self::Code),
            StateKey::Data(..) => serde_json::from_value(json).map(Self::Data),
        };
        value.map_err(|source| StateValueError {
            key: key.clone(),
            source,
        })
    }
}

/// Names a node of the state tree: where it is, and the height of the block that made it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeNodeKey {
    /// The number of nibbles, then the nibbles, two a byte. The root's is `[0]`.
    pub path: Vec<u8>,
    /// The block.
    pub version: u64,
}

/// A node of the state tree as a store keeps it; what is in it only `chain` reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeNode {
    /// Its name.
    pub key: TreeNodeKey,
    /// Its content.
    pub bytes: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::{StateKey, StateValue};
    use serde_json::json;

    #[test]
    fn a_key_has_one_spelling() {
        let id = "1b4e28ba-2fa1-8d2a-883f-0016d3cca427";
        for good in [
            "chain".to_owned(),
            format!("user/{id}"),
            "username/alice".to_owned(),
            format!("balance/{id}/USD"),
            "currency/BTC".to_owned(),
            format!("contract/{id}"),
            "contractName/hello".to_owned(),
            format!("code/{id}"),
            format!("data/{id}/user:1"),
            format!("data/{id}/a%2Fb%20%C3%A9%00"),
        ] {
            let key: StateKey = good.parse().unwrap();
            assert_eq!(key.to_string(), good);
        }
        for bad in [
            "",
            "chain/",
            "user/",
            "username/@alice",
            "username/Alice",
            "balance/x/USD",
            "currency/usd",
            &format!("balance/{id}/USD/x"),
            &format!("user/{}", id.to_uppercase()),
            &format!("data/{id}/"),
            &format!("data/{id}/a/b"),
            &format!("data/{id}/a%2fb"),
            &format!("data/{id}/%61"),
            &format!("data/{id}/%C3"),
            &format!("data/{id}/é"),
        ] {
            assert!(bad.parse::<StateKey>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_amount_is_digits_and_nothing_else() {
        let key: StateKey = "balance/1b4e28ba-2fa1-8d2a-883f-0016d3cca427/USD"
            .parse()
            .unwrap();
        let value = |amount: &str| json!({"amount": amount, "ownerType": "user", "updatedAt": 1});
        assert!(StateValue::from_json(&key, value("12")).is_ok());
        for bad in ["", "+1", "-1", "1.0", "１", &"9".repeat(39)] {
            assert!(StateValue::from_json(&key, value(bad)).is_err(), "{bad:?}");
        }
    }
}

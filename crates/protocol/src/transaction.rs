//! Transactions: what is signed, in which order, and what identifies one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::amount::{AmountText, CurrencyCode};
use crate::hash::Hash32;
use crate::id::{ContractId, IdError, TransactionId, UserId, Username};
use crate::json::{MAX_DEPTH, compact, is_shallow};
use crate::key::{KeyError, PublicKey, Signature};
use crate::time::{Timestamp, ms};

/// Contents that one transaction may refer to.
pub const MAX_CONTENT_REFS: usize = 64;

/// The types of transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionType {
    /// Moves funds between users.
    Transfer,
    /// A sovereign brings funds onto the chain.
    Deposit,
    /// Funds leave the chain.
    Withdraw,
    /// A new user, signed by the new key.
    UserCreation,
    /// A new contract.
    ContractDeployment,
    /// A call of a contract.
    ContractCall,
    /// Another role for a user.
    RoleChange,
    /// A new currency.
    CurrencyCreation,
    /// A sovereign corrects a balance.
    BalanceAdjustment,
    /// A sovereign changes the validator set.
    ValidatorUpdate,
}

impl TransactionType {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Transfer,
        Self::Deposit,
        Self::Withdraw,
        Self::UserCreation,
        Self::ContractDeployment,
        Self::ContractCall,
        Self::RoleChange,
        Self::CurrencyCreation,
        Self::BalanceAdjustment,
        Self::ValidatorUpdate,
    ];

    /// The wire word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Deposit => "deposit",
            Self::Withdraw => "withdraw",
            Self::UserCreation => "user_creation",
            Self::ContractDeployment => "contract_deployment",
            Self::ContractCall => "contract_call",
            Self::RoleChange => "role_change",
            Self::CurrencyCreation => "currency_creation",
            Self::BalanceAdjustment => "balance_adjustment",
            Self::ValidatorUpdate => "validator_update",
        }
    }
}

impl fmt::Display for TransactionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TransactionType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("no transaction type is called {text:?}"))
    }
}

/// What a user may do.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Moves what is theirs.
    #[default]
    User,
    /// Works for the sovereign.
    Staff,
    /// Owns the chain.
    Sovereign,
}

impl Role {
    /// The wire word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Staff => "staff",
            Self::Sovereign => "sovereign",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::User, Self::Staff, Self::Sovereign]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| {
                format!("no role is called {text:?}; there are user, staff and sovereign")
            })
    }
}

/// Whom `from` or `to` names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartyRef {
    /// By id: a user, a contract, or the zero UUID for the system.
    Id(UserId),
    /// By username.
    Name(Username),
}

/// `from` or `to` of a transaction, in the spelling that was signed: a UUID, or a username with or without `@`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Party {
    text: String,
    target: PartyRef,
}

impl Party {
    /// The zero UUID.
    #[must_use]
    pub fn system() -> Self {
        UserId::SYSTEM.into()
    }

    /// The text as it was signed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whom it names.
    #[must_use]
    pub const fn target(&self) -> &PartyRef {
        &self.target
    }

    /// Whether it is the system.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.target == PartyRef::Id(UserId::SYSTEM)
    }
}

impl From<UserId> for Party {
    fn from(id: UserId) -> Self {
        Self {
            text: id.to_string(),
            target: PartyRef::Id(id),
        }
    }
}

impl From<ContractId> for Party {
    fn from(id: ContractId) -> Self {
        UserId(id.0).into()
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Party {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // 36 characters with hyphens are also a possible username; a UUID wins.
        let target = match text.parse() {
            Ok(id) => PartyRef::Id(id),
            Err(_) => PartyRef::Name(text.parse()?),
        };
        Ok(Self {
            text: text.to_owned(),
            target,
        })
    }
}

crate::json::serde_as_text!(Party);

/// What a sender signs. The order of the fields is the order of the signed text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    /// What it does.
    #[serde(rename = "type")]
    pub kind: TransactionType,
    /// Who signs.
    pub from: Party,
    /// Whom it is for.
    pub to: Party,
    /// When it was signed.
    #[serde(with = "ms")]
    pub timestamp: Timestamp,
    /// One more than the sender's last; 0 in a user creation.
    pub nonce: u64,
    /// How much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<AmountText>,
    /// Of what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency_code: Option<CurrencyCode>,
    /// The contract that is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<ContractId>,
    /// What is handed to the contract, or what a creation creates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_input: Option<Value>,
    /// Anything the sender adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// The chain it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<String>,
}

impl Transaction {
    /// A transaction with nothing but the fields that each has.
    #[must_use]
    pub const fn new(
        kind: TransactionType,
        from: Party,
        to: Party,
        timestamp: Timestamp,
        nonce: u64,
    ) -> Self {
        Self {
            kind,
            from,
            to,
            timestamp,
            nonce,
            amount: None,
            currency_code: None,
            contract_id: None,
            contract_input: None,
            metadata: None,
            chain_id: None,
        }
    }

    /// The text that is signed.
    #[must_use]
    pub fn message(&self) -> String {
        compact(self)
    }

    /// Whether its free-form parts nest so little that everybody can read them, in whatever they are sent.
    ///
    /// # Errors
    /// A sentence when they nest deeper than [`MAX_DEPTH`].
    pub fn nests_little(&self) -> Result<(), String> {
        let deep = [
            ("contractInput", &self.contract_input),
            ("metadata", &self.metadata),
        ]
        .into_iter()
        .find(|(_, value)| !value.as_ref().is_none_or(is_shallow));
        match deep {
            None => Ok(()),
            Some((name, _)) => Err(format!("{name} nests deeper than {MAX_DEPTH} levels")),
        }
    }

    /// The contents in the content store that it refers to: `metadata.contentRefs`, a list of SHA-256 digests.
    ///
    /// # Errors
    /// A sentence when the list is none, or longer than [`MAX_CONTENT_REFS`].
    pub fn content_refs(&self) -> Result<Vec<Hash32>, String> {
        let Some(listed) = self
            .metadata
            .as_ref()
            .and_then(|metadata| metadata.get("contentRefs"))
        else {
            return Ok(Vec::new());
        };
        let wanted = || {
            format!(
                "metadata.contentRefs must be a list of at most {MAX_CONTENT_REFS} SHA-256 digests of 64 hex digits"
            )
        };
        let listed = listed.as_array().ok_or_else(wanted)?;
        if listed.len() > MAX_CONTENT_REFS {
            return Err(wanted());
        }
        listed
            .iter()
            .map(|text| {
                text.as_str()
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(wanted)
            })
            .collect()
    }

    /// Signs it.
    #[must_use]
    pub fn sign(self, key: &crate::key::SecretKey) -> SignedTransaction {
        let signature = key.sign(&self.message());
        SignedTransaction {
            transaction: self,
            signature,
        }
    }
}

/// A transaction and its signature: what is submitted, queued and put into a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "SignedFields")]
pub struct SignedTransaction {
    /// What was signed.
    #[serde(flatten)]
    pub transaction: Transaction,
    /// By whom `from` names, or by the new key in a user creation.
    pub signature: Signature,
}

/// The same fields side by side, as they are read: a flattened struct would have each read twice.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedFields {
    #[serde(rename = "type")]
    kind: TransactionType,
    from: Party,
    to: Party,
    #[serde(with = "ms")]
    timestamp: Timestamp,
    nonce: u64,
    amount: Option<AmountText>,
    currency_code: Option<CurrencyCode>,
    contract_id: Option<ContractId>,
    contract_input: Option<Value>,
    metadata: Option<Value>,
    chain_id: Option<String>,
    signature: Signature,
}

impl From<SignedFields> for SignedTransaction {
    fn from(fields: SignedFields) -> Self {
        Self {
            transaction: Transaction {
                kind: fields.kind,
                from: fields.from,
                to: fields.to,
                timestamp: fields.timestamp,
                nonce: fields.nonce,
                amount: fields.amount,
                currency_code: fields.currency_code,
                contract_id: fields.contract_id,
                contract_input: fields.contract_input,
                metadata: fields.metadata,
                chain_id: fields.chain_id,
            },
            signature: fields.signature,
        }
    }
}

impl SignedTransaction {
    /// `tx_` and the hex of SHA-256(message ‖ signature bytes).
    #[must_use]
    pub fn id(&self) -> TransactionId {
        let message = self.transaction.message();
        TransactionId(Hash32::of_parts(&[
            message.as_bytes(),
            &self.signature.to_bytes(),
        ]))
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`KeyError::Mismatch`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), KeyError> {
        key.verify(&self.transaction.message(), &self.signature)
    }
}

/// `contractInput` of a user creation, in the order in which it is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewUser {
    /// The name, in the spelling that was signed.
    pub username: String,
    /// The name for people.
    pub display_name: String,
    /// The user's key, which also signs; in the spelling that was signed.
    pub public_key: String,
    /// A few words; "" when absent.
    #[serde(default)]
    pub bio: String,
    /// `user` when absent.
    #[serde(default = "default_role")]
    pub role: String,
}

fn default_role() -> String {
    Role::User.as_str().to_owned()
}

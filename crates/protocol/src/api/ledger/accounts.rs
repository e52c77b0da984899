//! Users, nonces, balances and currencies.

use serde::{Deserialize, Serialize};

use super::TransactionStatus;
use crate::address::{Address, Network};
use crate::amount::{AmountText, CurrencyCode};
use crate::genesis::Currency;
use crate::id::{TransactionId, UserId, Username};
use crate::key::{PublicKey, Signature};
use crate::state::UserState;
use crate::time::{Timestamp, ms};
use crate::transaction::Role;

/// The flat form of `POST /users`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateUser {
    /// The new key, as signed.
    pub public_key: String,
    /// The name, as signed.
    pub username: String,
    /// The name for people.
    pub display_name: String,
    /// "" when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bio: Option<String>,
    /// `user` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// By the new key.
    pub signature: Signature,
    /// When it was signed.
    #[serde(with = "ms")]
    pub timestamp: Timestamp,
    /// 0.
    #[serde(default)]
    pub nonce: u64,
    /// The chain it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<String>,
}

/// The answer to `POST /users`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserQueued {
    /// The creating transaction.
    pub transaction_id: TransactionId,
    /// The id that the user will have.
    pub user_id: UserId,
    /// `queued`.
    pub status: TransactionStatus,
    /// In words.
    pub message: String,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    /// The id.
    pub id: UserId,
    /// The name with its `@`.
    pub username: Username,
    /// The name for people.
    pub display_name: String,
    /// The key that signs.
    pub public_key: PublicKey,
    /// The key's address.
    pub address: Address,
    /// What the user may do.
    pub role: Role,
    /// A few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bio: Option<String>,
    /// The last nonce used.
    pub nonce: u64,
    /// Time of the block that created the user.
    pub created_at: Timestamp,
    /// Time of the block that last changed the user.
    pub updated_at: Timestamp,
}

impl UserView {
    /// A user's state as it is answered.
    #[must_use]
    pub fn of(id: UserId, state: UserState, network: Network) -> Self {
        Self {
            id,
            address: Address::of(&state.public_key, network),
            username: state.username,
            display_name: state.display_name,
            public_key: state.public_key,
            role: state.role,
            bio: Some(state.bio).filter(|bio| !bio.is_empty()),
            nonce: state.nonce,
            created_at: state.created_at,
            updated_at: state.updated_at,
        }
    }
}

/// `GET /users/{id}/nonce`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NonceView {
    /// The user.
    pub user_id: UserId,
    /// The name.
    pub username: Username,
    /// The last nonce in a block.
    pub current_nonce: u64,
    /// The last nonce, counting what is queued.
    pub pending_nonce: u64,
    /// What the next transaction carries.
    pub next_nonce: u64,
}

/// Who owns a balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnerType {
    /// A user.
    User,
    /// A contract.
    Contract,
}

/// A balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BalanceView {
    /// The owner.
    pub owner_id: UserId,
    /// What the owner is.
    pub owner_type: OwnerType,
    /// The currency.
    pub currency_code: CurrencyCode,
    /// The shortest exact decimal text.
    pub amount: AmountText,
    /// Time of the block that last changed it.
    pub updated_at: Timestamp,
}

/// A currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrencyView {
    /// Its fields.
    #[serde(flatten)]
    pub currency: Currency,
    /// Whether the chain's owners vouch for it.
    pub verified: bool,
}

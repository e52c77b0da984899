//! What each type of transaction may and does, a module a family. All of them are pure functions over the overlay.

pub(crate) mod admin;
pub(crate) mod contract;
pub(crate) mod money;
pub(crate) mod user;
pub(crate) mod validator;

use std::sync::Arc;

use serde_json::Value;
use tana_protocol::problem::Code;
use tana_protocol::state::UserState;
use tana_protocol::transaction::PartyRef;
use tana_protocol::{
    Network, PublicKey, Role, StateKey, Timestamp, Transaction, TransactionId, TransactionType,
    UserId, Username,
};

use crate::contract::Contracts;
use crate::state::{Overlay, StateError};

/// Why a transaction does not do what it says: a stable code and a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The code of the receipt, and of the problem where it is refused before.
    pub code: Code,
    /// What happened and what to do.
    pub message: String,
}

impl Failure {
    /// A failure.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// Who signs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sender {
    /// A user, as before this transaction.
    User(UserId, Arc<UserState>),
    /// The user that this transaction creates.
    NewUser(Box<NewUserFields>),
}

/// The fields of a user creation, parsed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NewUserFields {
    pub(crate) username: Username,
    pub(crate) display_name: String,
    pub(crate) public_key: PublicKey,
    pub(crate) bio: String,
    pub(crate) role: Role,
}

/// What a rule sees.
pub(crate) struct Scene<'s, 'a> {
    pub(crate) state: &'s mut Overlay<'a>,
    pub(crate) height: u64,
    pub(crate) now: Timestamp,
    pub(crate) id: TransactionId,
    pub(crate) transaction: &'s Transaction,
    pub(crate) network: Network,
    pub(crate) contracts: Contracts<'a>,
    pub(crate) report: &'s mut Report,
}

/// What a contract adds to the receipt, whether it fails or not.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) gas_used: u64,
    pub(crate) result: Option<Value>,
    pub(crate) logs: Vec<String>,
}

/// What a rule answers: the outer error is a defect of the caller, the inner one is in the receipt.
pub(crate) type Ruled<T> = Result<Result<T, Failure>, StateError>;

/// Leaves with the inner error, like `?` does with the outer one.
macro_rules! pass {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(failure) => return Ok(Err(failure)),
        }
    };
}
pub(crate) use pass;

pub(crate) fn apply(scene: &mut Scene<'_, '_>, sender: &Sender) -> Ruled<()> {
    let (id, user) = match sender {
        Sender::NewUser(new) => return user::create(scene, new),
        Sender::User(id, user) => (*id, user),
    };
    match scene.transaction.kind {
        TransactionType::Transfer => money::transfer(scene, id, user),
        TransactionType::Deposit => money::deposit(scene, user),
        TransactionType::Withdraw => money::withdraw(scene, id, user),
        TransactionType::BalanceAdjustment => money::adjust(scene, user),
        TransactionType::RoleChange => user::change_role(scene, id, user),
        TransactionType::CurrencyCreation => admin::create_currency(scene, user),
        TransactionType::ValidatorUpdate => validator::update(scene, user),
        TransactionType::UserCreation => Ok(Err(Failure::new(
            Code::BadTransaction,
            "a user creation is signed by the new key",
        ))),
        TransactionType::ContractDeployment => contract::deploy(scene, id),
        TransactionType::ContractCall => contract::call(scene, id),
    }
}

pub(crate) fn find_user(
    state: &Overlay<'_>,
    party: &PartyRef,
) -> Result<Option<(UserId, Arc<UserState>)>, StateError> {
    let id = match party {
        PartyRef::Id(id) => *id,
        PartyRef::Name(name) => match state.owner(&StateKey::Username(name.clone()))? {
            Some(id) => id,
            None => return Ok(None),
        },
    };
    if id == UserId::SYSTEM {
        return Ok(None);
    }
    Ok(state.user(&StateKey::User(id))?.map(|user| (id, user)))
}

/// The user that `to` names.
pub(crate) fn recipient(scene: &Scene<'_, '_>) -> Ruled<(UserId, Arc<UserState>)> {
    let to = &scene.transaction.to;
    Ok(find_user(scene.state, to.target())?
        .ok_or_else(|| Failure::new(Code::UnknownRecipient, format!("there is no user {to}"))))
}

/// Lets only these roles pass.
pub(crate) fn only(scene: &Scene<'_, '_>, user: &UserState, roles: &[Role]) -> Result<(), Failure> {
    if roles.contains(&user.role) {
        return Ok(());
    }
    let allowed: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    Err(Failure::new(
        Code::RoleForbids,
        format!(
            "{} needs the role {}; {} has the role {}",
            scene.transaction.kind,
            allowed.join(" or "),
            user.username,
            user.role
        ),
    ))
}

/// What the transaction carries in `contractInput`.
pub(crate) fn input<T: serde::de::DeserializeOwned>(
    transaction: &Transaction,
    form: &str,
) -> Result<T, Failure> {
    crate::plan::input(transaction).ok_or_else(|| {
        Failure::new(
            Code::BadTransaction,
            format!("{} needs contractInput {form}", transaction.kind),
        )
    })
}

/// A text for people: a length in characters, no control characters.
pub(crate) fn plain_text(
    what: &str,
    text: &str,
    range: std::ops::RangeInclusive<usize>,
) -> Result<(), Failure> {
    if range.contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Failure::new(
        Code::BadTransaction,
        format!(
            "{what} has {} to {} characters and no control characters",
            range.start(),
            range.end()
        ),
    ))
}

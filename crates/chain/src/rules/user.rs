//! Users and their roles.

use std::sync::Arc;

use serde::Deserialize;
use tana_protocol::problem::Code;
use tana_protocol::state::UserState;
use tana_protocol::transaction::NewUser;
use tana_protocol::{Role, StateKey, StateValue, Transaction, UserId};

use super::{Failure, NewUserFields, Ruled, Scene, input, only, pass, plain_text, recipient};

/// Reads a user creation. What fails here has no key to check the signature with, so it can never be in a block.
pub(crate) fn new_user(transaction: &Transaction) -> Result<NewUserFields, Failure> {
    let bad = |what: String| Failure::new(Code::BadTransaction, what);
    let new: NewUser = input(transaction, "{username, displayName, publicKey, bio, role}")?;
    if !transaction.from.is_system() || !transaction.to.is_system() || transaction.nonce != 0 {
        return Err(bad(
            "a user creation has the zero UUID in from and to and the nonce 0".to_owned(),
        ));
    }
    let fields = NewUserFields {
        username: new
            .username
            .parse()
            .map_err(|error| bad(format!("username: {error}")))?,
        public_key: new
            .public_key
            .parse()
            .map_err(|error| bad(format!("publicKey: {error}")))?,
        role: new.role.parse().map_err(bad)?,
        display_name: new.display_name,
        bio: new.bio,
    };
    plain_text("displayName", &fields.display_name, 1..=100)?;
    plain_text("bio", &fields.bio, 0..=500)?;
    Ok(fields)
}

pub(super) fn create(scene: &mut Scene<'_, '_>, new: &NewUserFields) -> Ruled<()> {
    if new.role != Role::User {
        return Ok(Err(Failure::new(
            Code::RoleForbids,
            "a new user has the role user; a sovereign may change it",
        )));
    }
    let name = StateKey::Username(new.username.clone());
    if scene.state.owner(&name)?.is_some() {
        return Ok(Err(Failure::new(
            Code::UsernameTaken,
            format!("the username {} is taken", new.username),
        )));
    }
    let key = StateKey::UserKey(Box::new(new.public_key));
    if scene.state.owner(&key)?.is_some() {
        return Ok(Err(Failure::new(
            Code::KeyTaken,
            "the public key belongs to another user",
        )));
    }
    let id = UserId::created_by(&scene.id);
    let user = UserState {
        username: new.username.clone(),
        display_name: new.display_name.clone(),
        public_key: new.public_key,
        role: new.role,
        bio: new.bio.clone(),
        nonce: 0,
        created_at: scene.now,
        updated_at: scene.now,
    };
    scene.state.create(id);
    scene
        .state
        .put(StateKey::User(id), StateValue::User(Arc::new(user)));
    scene.state.put(name, StateValue::Owner(id));
    scene.state.put(key, StateValue::Owner(id));
    Ok(Ok(()))
}

#[derive(Deserialize)]
struct NewRole {
    role: Role,
}

/// Gives `to` another role. A sovereign keeps its own: so the last one can never be lost.
pub(super) fn change_role(scene: &mut Scene<'_, '_>, from: UserId, user: &UserState) -> Ruled<()> {
    pass!(only(scene, user, &[Role::Sovereign]));
    let wanted: NewRole = pass!(input(
        scene.transaction,
        "{role}, which is user, staff or sovereign"
    ));
    let (to, target) = pass!(recipient(scene)?);
    let mut target = Arc::unwrap_or_clone(target);
    if to == from {
        return Ok(Err(Failure::new(
            Code::BadTransaction,
            "nobody changes the own role; another sovereign may",
        )));
    }
    target.role = wanted.role;
    target.updated_at = scene.now;
    scene
        .state
        .put(StateKey::User(to), StateValue::User(Arc::new(target)));
    Ok(Ok(()))
}

//! The validator set: a pure function of committed state. One change at a time, effective a fixed number of blocks
//! later, and never to an empty set.

use serde::Deserialize;
use tana_protocol::genesis::Validator;
use tana_protocol::problem::Code;
use tana_protocol::state::{PendingUpdate, UserState, ValidatorState};
use tana_protocol::{NodeId, PublicKey, Role, StateKey, StateValue};

use super::{Failure, Ruled, Scene, input, only, pass};

/// A change that is decided in block `h` holds from block `h + DELAY` on.
pub(crate) const DELAY: u64 = 2;
/// Validators at most: each of them signs each block.
const MOST: usize = 100;
/// Power of one validator at most, so that no sum overflows.
const MOST_POWER: u64 = 1 << 40;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    node_id: NodeId,
    public_key: PublicKey,
    power: u64,
}

pub(super) fn update(scene: &mut Scene<'_, '_>, user: &UserState) -> Ruled<()> {
    pass!(only(scene, user, &[Role::Sovereign]));
    let wanted: Wanted = pass!(input(
        scene.transaction,
        "{nodeId, publicKey, power}; power 0 removes the node"
    ));
    let refused = |code, text: &str| Ok(Err(Failure::new(code, text)));
    if wanted.power > MOST_POWER {
        return refused(Code::BadTransaction, "a validator's power is at most 2^40");
    }
    let Some(mut validators) = scene.state.validators(&StateKey::Validators)? else {
        return refused(Code::Conflict, "the chain has no validator set");
    };
    if validators.pending.is_some() {
        return refused(
            Code::Conflict,
            "another change of the validator set is pending; wait until it holds",
        );
    }
    let update = PendingUpdate {
        height: scene.height.saturating_add(DELAY),
        validator: Validator {
            node_id: wanted.node_id,
            public_key: wanted.public_key,
            power: wanted.power,
        },
    };
    let next = with(&validators.set, &update.validator);
    if next.is_empty() {
        return refused(Code::Conflict, "the last validator cannot be removed");
    }
    if next.len() > MOST {
        return refused(Code::Conflict, "a chain has at most 100 validators");
    }
    let another = |other: &Validator| {
        other.public_key == update.validator.public_key && other.node_id != update.validator.node_id
    };
    if next.iter().any(another) {
        return refused(Code::KeyTaken, "the key belongs to another validator");
    }
    validators.pending = Some(update);
    scene
        .state
        .put(StateKey::Validators, StateValue::Validators(validators));
    Ok(Ok(()))
}

/// The set with one validator's new entry, in order of the node ids.
fn with(set: &[Validator], changed: &Validator) -> Vec<Validator> {
    let mut next: Vec<Validator> = set
        .iter()
        .filter(|validator| validator.node_id != changed.node_id)
        .cloned()
        .collect();
    if changed.power > 0 {
        next.push(changed.clone());
    }
    next.sort_by(|a, b| a.node_id.cmp(&b.node_id));
    next
}

/// The set that agrees on the block after `height`.
pub(crate) fn end_of_block(mut state: ValidatorState, height: u64) -> ValidatorState {
    match state.pending.take() {
        Some(update) if update.height <= height.saturating_add(1) => {
            state.set = with(&state.set, &update.validator);
        }
        pending => state.pending = pending,
    }
    state
}

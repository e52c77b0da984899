//! Signed transactions: read, and executed on a chain with a sovereign and two users as if their signatures fitted.

use std::sync::LazyLock;

use serde_json::json;
use tana_chain::{Executor, MemoryState, Outcome, Prepared, genesis, plan};
use tana_protocol::state::{BalanceState, StateKey, StateValue, UserState};
use tana_protocol::{
    Amount, ChainSpec, SecretKey, SignedTransaction, Timestamp, TransactionType, UserId,
};

use crate::text::json;

/// When the chain of the seeds goes on.
const NOW: u64 = 1_732_147_200_000;

struct World {
    spec: ChainSpec,
    state: MemoryState,
}

/// Users with the ids and names of the test vectors.
const USERS: [(&str, &str); 2] = [
    ("0193f1d0-5a5a-8c4e-9b1a-3f2e4d5c6b7a", "@alice"),
    ("0193f1d0-6b6b-8c4e-8b1a-000102030405", "@bob"),
];

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let key = |name: &str| SecretKey::from_seed(&tana_protocol::Hash32::of(name.as_bytes()).0);
    let spec: ChainSpec = serde_json::from_value(json!({
        "chainId": "test-1", "name": "test", "network": "testnet",
        "genesisTime": "2024-11-20T00:00:00.000Z",
        "sovereigns": [{"username": "@root", "displayName": "Root", "publicKey": key("root").public()}],
        "validators": [{"nodeId": "validator-1", "publicKey": key("producer").public(), "power": 1}],
        "currencies": ChainSpec::genesis_currencies(),
    }))
    .expect("a chain file");
    let made = genesis(&spec).expect("its first block");
    let mut state = MemoryState::whole();
    state.apply(&made.values);
    let root = match state.peek(&StateKey::User(UserId::of_genesis("test-1", "@root"))) {
        Some(StateValue::User(root)) => UserState::clone(root),
        other => panic!("the genesis has a sovereign, not {other:?}"),
    };
    for (id, name) in USERS {
        let id: UserId = id.parse().expect("an id");
        let username = name.parse().expect("a name");
        let user = UserState {
            username,
            role: tana_protocol::Role::User,
            public_key: key(name).public(),
            nonce: 0,
            ..root.clone()
        };
        let balance = BalanceState {
            amount: Amount::from_units(10_000).expect("a small amount"),
            ..balance()
        };
        state.apply(&[
            (
                StateKey::Username(user.username.clone()),
                StateValue::Owner(id),
            ),
            (
                StateKey::UserKey(Box::new(user.public_key)),
                StateValue::Owner(id),
            ),
            (StateKey::User(id), StateValue::User(user.into())),
            (
                StateKey::Balance(id, "USD".parse().expect("a code")),
                StateValue::Balance(balance),
            ),
        ]);
    }
    World { spec, state }
});

fn balance() -> BalanceState {
    serde_json::from_value(json!({
        "amount": "0", "ownerType": "user", "updatedAt": 1_732_060_800_000_u64,
    }))
    .expect("a balance")
}

pub(crate) fn run(data: &[u8]) {
    let Some(signed) = json::<SignedTransaction>(data) else {
        return;
    };
    let prepared = Prepared::new(signed.clone());
    assert_eq!(prepared.id, signed.id(), "the id by two ways");
    // A list of contents is one or is refused.
    let refs = signed.transaction.content_refs();
    assert!(refs.is_err() || refs.is_ok_and(|refs| refs.len() <= 1000));
    let world = &*WORLD;
    let mut before = MemoryState::part();
    // What a ledger loads first is all that execution asks for.
    for key in plan::missing([&signed.transaction], &before) {
        before.load(key.clone(), world.state.peek(&key).cloned());
    }
    let mut executor = Executor::new(&world.spec, 1, Timestamp::from_ms(NOW), &world.state);
    let outcome = executor.apply(&prepared, &mut |_, _| true);
    match outcome.expect("the whole state is there") {
        Outcome::Excluded(_) => {}
        Outcome::Included(receipt) => {
            assert_eq!(receipt.transaction_id, prepared.id);
            let execution = executor.finish().expect("a block of one transaction");
            if !receipt.is_ok() {
                let kind = signed.transaction.kind;
                assert!(
                    execution.changes.len() <= 2,
                    "a {kind} that failed changed {:?}",
                    execution.changes
                );
            }
            if matches!(signed.transaction.kind, TransactionType::Transfer) {
                conserved(&execution.values);
            }
        }
    }
}

/// What all have together is what it was.
fn conserved(changed: &[(StateKey, StateValue)]) {
    let of = |value: Option<&StateValue>| match value {
        Some(StateValue::Balance(balance)) => balance.amount.units(),
        _ => 0,
    };
    let (mut before, mut after) = (0_u128, 0_u128);
    for (key, value) in changed {
        before += of(WORLD.state.peek(key));
        after += of(Some(value));
    }
    assert_eq!(before, after, "a transfer made or destroyed money");
}

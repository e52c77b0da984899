//! Properties that hold whatever is submitted.

use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use serde_json::{Value, json};
use tana_protocol::block::Receipt;
use tana_protocol::{SecretKey, SignedTransaction, StateValue, TransactionType};

use crate::world::{Person, World};

/// One thing that somebody tries, by indexes into the people.
#[derive(Clone, Debug)]
struct Attempt {
    kind: TransactionType,
    from: usize,
    to: usize,
    cents: u64,
    nonce_off: i64,
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let kind = prop_oneof![
        6 => Just(TransactionType::Transfer),
        10 => prop::sample::select(&TransactionType::ALL[..]),
    ];
    let nonce = prop_oneof![8 => Just(0i64), 1 => -2i64..=2];
    (kind, 0usize..4, 0usize..4, 0u64..15_000, nonce).prop_map(
        |(kind, from, to, cents, nonce_off)| Attempt {
            kind,
            from,
            to,
            cents,
            nonce_off,
        },
    )
}

fn world() -> (World, Vec<Person>) {
    let (world, mut people) = World::with_users(&["alice", "bob", "carol"]);
    people.push(world.sovereign.clone());
    (world, people)
}

/// What the types that create something are given: sometimes what is there already.
fn input(attempt: &Attempt) -> Option<Value> {
    let pick = |words: [&'static str; 3]| words[usize::try_from(attempt.cents % 3).unwrap()];
    Some(match attempt.kind {
        TransactionType::RoleChange => json!({"role": pick(["staff", "user", "sovereign"])}),
        TransactionType::CurrencyCreation => {
            json!({"code": pick(["EUR", "USD", "CHF"]), "type": "fiat", "decimals": attempt.cents % 20})
        }
        // Not validator-1, whose key the world goes on signing its blocks with.
        TransactionType::ValidatorUpdate => json!({
            "nodeId": pick(["validator-2", "validator-3", "validator-4"]),
            "publicKey": SecretKey::from_seed(&[7; 32]).public(), "power": attempt.cents % 4,
        }),
        TransactionType::ContractDeployment => {
            json!({"name": "shop", "sourceCode": "export function contract() {}", "codeHash": "00"})
        }
        TransactionType::ContractCall => json!({"allowance": {"USD": "1"}}),
        _ => return None,
    })
}

fn sign(world: &World, people: &[Person], attempt: &Attempt) -> SignedTransaction {
    let from = &people[attempt.from];
    if attempt.kind == TransactionType::UserCreation {
        let name = format!("new{}", attempt.cents % 3);
        let seed = tana_protocol::Hash32::of(&attempt.cents.to_le_bytes()).0;
        return world.creation(&name, &SecretKey::from_seed(&seed));
    }
    let mut transaction = world.unsigned(attempt.kind, from, people[attempt.to].id);
    let text = format!("{}.{:02}", attempt.cents / 100, attempt.cents % 100);
    transaction.amount = Some(text.parse().unwrap());
    transaction.currency_code = Some("USD".parse().unwrap());
    transaction.contract_input = input(attempt);
    transaction.nonce = transaction.nonce.saturating_add_signed(attempt.nonce_off);
    transaction.sign(&from.key)
}

/// What all owners have together.
fn total(world: &World) -> u128 {
    let balances = world.state.iter().map(|(_, value)| match value {
        StateValue::Balance(balance) => balance.amount.units(),
        _ => 0,
    });
    balances.sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn value_is_conserved_and_what_fails_changes_only_the_nonce(attempts in prop::collection::vec(attempt(), 1..12)) {
        let (mut world, people) = world();
        for attempt in &attempts {
            let (before, sum) = (world.state.clone(), total(&world));
            let nonce = world.nonce(people[attempt.from].id);
            let held = world.balance(people[attempt.to].id, "USD");
            let transaction = sign(&world, &people, attempt);
            // A new user signs its own creation, which uses up nobody's nonce.
            let used = u64::from(attempt.kind != TransactionType::UserCreation);
            let receipts = world.run(&[transaction]);
            let after = total(&world);
            if receipts[0].is_ok() {
                let cents = u128::from(attempt.cents);
                let expected = match attempt.kind {
                    TransactionType::Deposit => sum + cents,
                    TransactionType::Withdraw => sum - cents,
                    TransactionType::BalanceAdjustment => sum - held + cents,
                    _ => sum,
                };
                prop_assert_eq!(after, expected);
                prop_assert_eq!(world.nonce(people[attempt.from].id), nonce + used);
            } else {
                world.only_nonces_differ(&before);
                let counted = u64::from(receipts[0].code != "bad-nonce");
                prop_assert_eq!(world.nonce(people[attempt.from].id), nonce + counted * used);
            }
        }
    }

    #[test]
    fn a_built_block_always_verifies(attempts in prop::collection::vec(attempt(), 0..12)) {
        let (world, people) = world();
        let transactions: Vec<_> = attempts.iter().map(|attempt| sign(&world, &people, attempt)).collect();
        let mut unique = Vec::new();
        for transaction in transactions {
            if !unique.contains(&transaction) {
                unique.push(transaction);
            }
        }
        let block = world.build(&unique);
        let verification = world.judge(&block);
        prop_assert!(verification.valid, "{:?}", verification);
        let text = tana_protocol::json::compact(&block);
        let read: tana_protocol::Block = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &block);
    }

    #[test]
    fn independent_senders_commute(order in Just(vec![0usize, 1, 2]).prop_shuffle(), cents in prop::collection::vec(1u64..5_000, 3)) {
        // Each sends to the sovereign, who sends nothing.
        let (world, people) = world();
        let transactions: Vec<_> = (0..3)
            .map(|from| sign(&world, &people, &Attempt { kind: TransactionType::Transfer, from, to: 3, cents: cents[from], nonce_off: 0 }))
            .collect();
        let straight = world.build(&transactions);
        let shuffled: Vec<_> = order.iter().map(|i| transactions[*i].clone()).collect();
        let block = world.build(&shuffled);
        prop_assert_eq!(block.content.header.state_root, straight.content.header.state_root);
        prop_assert!(block.content.receipts.iter().all(Receipt::is_ok));
    }

    #[test]
    fn no_stored_node_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut nodes = tana_chain::TreeNodes::default();
        let key = tana_protocol::state::TreeNodeKey { path: vec![0], version: 0 };
        let _ = nodes.load([tana_protocol::state::TreeNode { key, bytes }]);
    }
}

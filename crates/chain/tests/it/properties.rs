//! Properties that hold whatever is submitted.

use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use serde_json::{Value, json};
use tana_protocol::block::{Block, Receipt};
use tana_protocol::{
    ContractId, SecretKey, SignedTransaction, StateValue, TransactionType, UserId,
};

use crate::contracts::{Credulous, deployment};
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

/// Senders whose transactions touch nothing of another's, but that some pay into the same balances. Each sender's own
/// follow on each other.
struct Crowd {
    world: World,
    senders: Vec<Vec<SignedTransaction>>,
}

impl Crowd {
    /// How many transactions each sender has.
    const COUNTS: [usize; 8] = [3, 3, 2, 2, 4, 3, 1, 1];

    /// The senders in turn, each as often as it has transactions.
    fn order() -> Vec<usize> {
        let counts = Self::COUNTS.iter().enumerate();
        counts.flat_map(|(who, count)| vec![who; *count]).collect()
    }

    fn new(cents: &[u64]) -> Self {
        use TransactionType as T;
        let names = [
            "alice", "bob", "carol", "dave", "erin", "frank", "sink", "target",
        ];
        let (mut world, people) = World::with_users(&names);
        let [alice, bob, carol, dave, erin, frank, sink, target] = &people[..] else {
            panic!("as many as there are names")
        };
        let root = world.sovereign.clone();
        for (person, role) in [(dave, "staff"), (erin, "sovereign"), (frank, "sovereign")] {
            let mut change = world.unsigned(T::RoleChange, &root, person.id);
            change.contract_input = Some(json!({ "role": role }));
            world.ok(change.sign(&root.key));
        }
        world.host = Some(Box::new(Credulous));
        let shops = [(alice, "shop-a"), (bob, "shop-b")].map(|(owner, name)| {
            let deployed = deployment(&world, owner, name);
            world.ok(deployed.clone());
            ContractId::created_by(&deployed.id())
        });

        let mut amounts = cents
            .iter()
            .map(|cents| format!("{}.{:02}", cents / 100, cents % 100));
        let mut money = |kind, from: &Person, to: &Person, code: &str| {
            let mut transaction = world.unsigned(kind, from, to.id);
            transaction.amount = Some(amounts.next().unwrap().parse().unwrap());
            transaction.currency_code = Some(code.parse().unwrap());
            transaction
        };
        let with = |kind, from: &Person, to: &Person, input: Value| {
            let mut transaction = world.unsigned(kind, from, to.id);
            transaction.contract_input = Some(input);
            transaction
        };
        let call = |from: &Person, shop: ContractId, word: &str| {
            let mut call = world.unsigned(T::ContractCall, from, UserId(shop.0));
            call.contract_id = Some(shop);
            call.contract_input = Some(json!({"ask": [{"data": [word, word]}]}));
            call
        };
        let currency = |from: &Person, code: &str| {
            let input = json!({"code": code, "type": "crypto", "decimals": 4});
            with(T::CurrencyCreation, from, from, input)
        };
        let validator = json!({
            "nodeId": "validator-2", "publicKey": SecretKey::from_seed(&[7; 32]).public(), "power": 3,
        });
        let lists = [
            (
                alice,
                vec![
                    money(T::Transfer, alice, sink, "USD"),
                    call(alice, shops[0], "cheese"),
                    money(T::Withdraw, alice, alice, "USD"),
                ],
            ),
            (
                bob,
                vec![
                    money(T::Transfer, bob, carol, "USD"),
                    call(bob, shops[1], "bread"),
                    money(T::Transfer, bob, sink, "USD"),
                ],
            ),
            (
                carol,
                vec![
                    money(T::Transfer, carol, bob, "USD"),
                    deployment(&world, carol, "shop-c").transaction,
                ],
            ),
            (
                dave,
                vec![
                    currency(dave, "DAVE"),
                    money(T::Transfer, dave, sink, "USD"),
                ],
            ),
            (
                erin,
                vec![
                    money(T::Deposit, erin, sink, "USD"),
                    with(T::RoleChange, erin, target, json!({"role": "staff"})),
                    money(T::BalanceAdjustment, erin, target, "ETH"),
                    money(T::Withdraw, erin, erin, "USD"),
                ],
            ),
            (
                frank,
                vec![
                    with(T::ValidatorUpdate, frank, frank, validator),
                    currency(frank, "FRANK"),
                    money(T::Deposit, frank, sink, "FRANK"),
                ],
            ),
        ];
        let mut senders: Vec<Vec<SignedTransaction>> = lists
            .into_iter()
            .map(|(person, list)| {
                let numbered = list.into_iter().zip(0..).map(|(mut transaction, place)| {
                    transaction.nonce += place;
                    transaction.sign(&person.key)
                });
                numbered.collect()
            })
            .collect();
        for name in ["new-one", "new-two"] {
            let key = SecretKey::from_seed(&tana_protocol::Hash32::of(name.as_bytes()).0);
            senders.push(vec![world.creation(name, &key)]);
        }
        let counts: Vec<usize> = senders.iter().map(Vec::len).collect();
        assert_eq!(counts, Self::COUNTS);
        for kind in T::ALL {
            let mut all = senders.iter().flatten();
            assert!(all.any(|one| one.transaction.kind == kind), "no {kind}");
        }
        Self { world, senders }
    }

    /// A block in which the senders come in this order.
    fn block(&self, order: &[usize]) -> Block {
        let mut next: Vec<_> = self.senders.iter().map(|list| list.iter()).collect();
        let all: Vec<_> = order
            .iter()
            .map(|who| next[*who].next().unwrap().clone())
            .collect();
        let block = self.world.build(&all);
        assert_eq!(block.content.transactions.len(), order.len());
        block
    }
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
    fn independent_transactions_of_all_types_commute(order in Just(Crowd::order()).prop_shuffle(), cents in prop::collection::vec(1u64..500, 16)) {
        let crowd = Crowd::new(&cents);
        let straight = crowd.block(&Crowd::order());
        let failed: Vec<&Receipt> = straight.content.receipts.iter().filter(|receipt| !receipt.is_ok()).collect();
        prop_assert!(failed.is_empty(), "{:?}", failed);
        let shuffled = crowd.block(&order);
        let (header, other) = (&straight.content.header, &shuffled.content.header);
        prop_assert_eq!(header.state_root, other.state_root);
        prop_assert_eq!(header.gas_used, other.gas_used);
        prop_assert_eq!(&straight.content.state_changes, &shuffled.content.state_changes);
        let sorted = |block: &Block| {
            let mut receipts = block.content.receipts.clone();
            receipts.sort_by_key(|receipt| receipt.transaction_id);
            receipts
        };
        prop_assert_eq!(sorted(&straight), sorted(&shuffled));
        let verification = crowd.world.judge(&shuffled);
        prop_assert!(verification.valid, "{:?}", verification);
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

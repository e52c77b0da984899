//! What each type of transaction may and does.

use serde_json::json;
use tana_protocol::problem::Code;
use tana_protocol::transaction::Party;
use tana_protocol::{Role, SecretKey, StateKey, StateValue, Timestamp, TransactionType, UserId};

use crate::world::{START, World};

use TransactionType::{
    BalanceAdjustment, ContractCall, CurrencyCreation, Deposit, RoleChange, Transfer,
    ValidatorUpdate, Withdraw,
};

#[test]
fn a_transfer_moves_funds_and_counts() {
    let (mut world, people) = World::with_users(&["alice", "bob"]);
    world.ok(world.money(Transfer, &people[0], people[1].id, "12.34", "USD"));
    assert_eq!(world.balance(people[0].id, "USD"), 8766);
    assert_eq!(world.balance(people[1].id, "USD"), 11234);
    assert_eq!(world.nonce(people[0].id), 1);
}

#[test]
fn a_transfer_by_name_reaches_the_same_user() {
    let (mut world, people) = World::with_users(&["alice", "bob"]);
    let mut transfer = world.unsigned(Transfer, &people[0], people[1].id);
    transfer.from = "alice".parse().unwrap();
    transfer.to = "@BOB".parse().unwrap();
    transfer.amount = Some("1".parse().unwrap());
    transfer.currency_code = Some("USD".parse().unwrap());
    world.ok(transfer.sign(&people[0].key));
    assert_eq!(world.balance(people[1].id, "USD"), 10100);
}

#[test]
fn what_a_transfer_may_not() {
    let (mut world, people) = World::with_users(&["alice", "bob"]);
    let (alice, bob) = (&people[0], people[1].id);
    let nobody = UserId::of_genesis("x", "nobody");
    for (to, amount, code, expected) in [
        (bob, "100.01", "USD", Code::InsufficientBalance),
        (bob, "1", "BTC", Code::InsufficientBalance),
        (bob, "0", "USD", Code::BadAmount),
        (bob, "0.001", "USD", Code::BadAmount),
        (
            bob,
            "99999999999999999999999999999999999999",
            "USD",
            Code::BadAmount,
        ),
        (bob, "1", "XYZ", Code::UnknownCurrency),
        (nobody, "1", "USD", Code::UnknownRecipient),
        (UserId::SYSTEM, "1", "USD", Code::UnknownRecipient),
        (alice.id, "1", "USD", Code::BadTransaction),
    ] {
        let transfer = world.money(Transfer, alice, to, amount, code);
        let nonce = world.nonce(alice.id);
        world.fails(&transfer, expected);
        assert_eq!(world.nonce(alice.id), nonce + 1, "the nonce counts");
    }
    let bare = world.unsigned(Transfer, alice, bob).sign(&alice.key);
    world.fails(&bare, Code::BadTransaction);
}

#[test]
fn a_wrong_nonce_changes_nothing_at_all() {
    let (mut world, people) = World::with_users(&["alice", "bob"]);
    for nonce in [0, 2, 7, u64::MAX] {
        let mut transfer = world.unsigned(Transfer, &people[0], people[1].id);
        transfer.nonce = nonce;
        transfer.amount = Some("1".parse().unwrap());
        transfer.currency_code = Some("USD".parse().unwrap());
        world.fails(&transfer.sign(&people[0].key), Code::BadNonce);
        assert_eq!(world.nonce(people[0].id), 0);
    }
}

#[test]
fn what_was_signed_long_ago_or_in_the_future_fails() {
    let (mut world, people) = World::with_users(&["alice", "bob"]);
    for at in [START - 11 * 60_000, START + 11 * 60_000] {
        let mut transfer = world.unsigned(Transfer, &people[0], people[1].id);
        transfer.timestamp = Timestamp::from_ms(at);
        world.fails(&transfer.sign(&people[0].key), Code::OutsideWindow);
    }
}

#[test]
fn what_can_be_in_no_block_is_excluded() {
    let (world, people) = World::with_users(&["alice", "bob"]);
    let (alice, bob) = (&people[0], &people[1]);
    let good = world.money(Transfer, alice, bob.id, "1", "USD");
    let mut forged = good.clone();
    forged.signature = alice.key.sign("something else");
    assert_eq!(world.excluded(&forged), Code::BadSignature);
    let mut changed = good.clone();
    changed.transaction.amount = Some("2".parse().unwrap());
    assert_eq!(world.excluded(&changed), Code::BadSignature);
    let mut other = good.transaction.clone();
    other.chain_id = Some("test-2".into());
    assert_eq!(world.excluded(&other.sign(&alice.key)), Code::WrongChain);
    let mut unknown = good.transaction.clone();
    unknown.from = Party::system();
    assert_eq!(
        world.excluded(&unknown.sign(&alice.key)),
        Code::UnknownSender
    );
    let mut large = good.transaction;
    large.metadata = Some(json!("x".repeat(20_000)));
    assert_eq!(world.excluded(&large.sign(&alice.key)), Code::TooLarge);
}

#[test]
fn only_a_sovereign_deposits_and_adjusts() {
    let (mut world, people) = World::with_users(&["alice", "bob"]);
    let (alice, bob) = (people[0].clone(), people[1].id);
    for kind in [Deposit, BalanceAdjustment] {
        let attempt = world.money(kind, &alice, bob, "5", "USD");
        world.fails(&attempt, Code::RoleForbids);
    }
    let root = world.sovereign.clone();
    world.ok(world.money(BalanceAdjustment, &root, bob, "7.50", "USD"));
    assert_eq!(world.balance(bob, "USD"), 750);
    world.ok(world.money(BalanceAdjustment, &root, bob, "0", "USD"));
    assert_eq!(world.balance(bob, "USD"), 0);
}

#[test]
fn a_balance_never_overflows() {
    let (mut world, people) = World::with_users(&["alice"]);
    let root = world.sovereign.clone();
    let most = "999999999999999999999999999999999999.99";
    let deposit = world.money(Deposit, &root, people[0].id, most, "USD");
    world.fails(&deposit, Code::BadAmount);
}

#[test]
fn a_withdrawal_ends_the_senders_own_funds() {
    let (mut world, people) = World::with_users(&["alice", "bob"]);
    let other = world.money(Withdraw, &people[0], people[1].id, "1", "USD");
    world.fails(&other, Code::BadTransaction);
    world.ok(world.money(Withdraw, &people[0], UserId::SYSTEM, "40", "USD"));
    assert_eq!(world.balance(people[0].id, "USD"), 6000);
    let more = world.money(Withdraw, &people[0], UserId::SYSTEM, "60.01", "USD");
    world.fails(&more, Code::InsufficientBalance);
}

#[test]
fn a_name_and_a_key_belong_to_one_user() {
    let (mut world, people) = World::with_users(&["alice"]);
    let same_name = world.creation("Alice", &SecretKey::from_seed(&[9; 32]));
    world.fails(&same_name, Code::UsernameTaken);
    let same_key = world.creation("carol", &people[0].key);
    world.fails(&same_key, Code::KeyTaken);
    assert_eq!(
        world.excluded(&world.creation("no spaces", &people[0].key)),
        Code::BadTransaction
    );
}

#[test]
fn nobody_is_born_a_sovereign() {
    let mut world = World::new();
    let key = SecretKey::from_seed(&[3; 32]);
    let mut creation = world.creation("eve", &key).transaction;
    creation.contract_input.as_mut().unwrap()["role"] = json!("sovereign");
    world.fails(&creation.sign(&key), Code::RoleForbids);
}

#[test]
fn funds_sent_to_a_name_created_in_the_same_block_arrive() {
    let (mut world, people) = World::with_users(&["alice"]);
    let key = SecretKey::from_seed(&[4; 32]);
    let creation = world.creation("dora", &key);
    let id = UserId::created_by(&creation.id());
    let mut transfer = world.unsigned(Transfer, &people[0], id);
    transfer.to = "@dora".parse().unwrap();
    transfer.amount = Some("3".parse().unwrap());
    transfer.currency_code = Some("USD".parse().unwrap());
    let receipts = world.run(&[creation, transfer.sign(&people[0].key)]);
    assert!(
        receipts.iter().all(tana_protocol::Receipt::is_ok),
        "{receipts:?}"
    );
    assert_eq!(world.balance(id, "USD"), 300);
}

#[test]
fn roles_are_given_by_a_sovereign_and_never_to_itself() {
    let (mut world, people) = World::with_users(&["alice"]);
    let root = world.sovereign.clone();
    let alice = people[0].clone();
    let change = |world: &World, from: &crate::world::Person, to, role: &str| {
        let mut transaction = world.unsigned(RoleChange, from, to);
        transaction.contract_input = Some(json!({"role": role}));
        transaction.sign(&from.key)
    };
    world.fails(&change(&world, &alice, root.id, "user"), Code::RoleForbids);
    world.fails(
        &change(&world, &root, root.id, "user"),
        Code::BadTransaction,
    );
    world.fails(
        &change(&world, &root, alice.id, "king"),
        Code::BadTransaction,
    );
    world.ok(change(&world, &root, alice.id, "staff"));
    let Some(StateValue::User(user)) = world.state.peek(&StateKey::User(alice.id)) else {
        panic!("alice is gone");
    };
    assert_eq!(user.role, Role::Staff);
}

#[test]
fn a_currency_is_created_once() {
    let (mut world, people) = World::with_users(&["alice"]);
    let root = world.sovereign.clone();
    let create = |world: &World, from: &crate::world::Person, code: &str, decimals: u8| {
        let mut transaction = world.unsigned(CurrencyCreation, from, UserId::SYSTEM);
        transaction.contract_input =
            Some(json!({"code": code, "type": "fiat", "decimals": decimals, "name": "Euro"}));
        transaction.sign(&from.key)
    };
    world.fails(&create(&world, &people[0], "EUR", 2), Code::RoleForbids);
    world.fails(&create(&world, &root, "EUR", 19), Code::BadTransaction);
    world.ok(create(&world, &root, "EUR", 2));
    world.fails(&create(&world, &root, "EUR", 2), Code::AlreadyExists);
    world.ok(world.money(Deposit, &root, people[0].id, "0.01", "EUR"));
    assert_eq!(world.balance(people[0].id, "EUR"), 1);
}

#[test]
fn the_validator_set_changes_two_blocks_later_one_at_a_time_and_never_to_nothing() {
    let (mut world, people) = World::with_users(&["alice"]);
    let root = world.sovereign.clone();
    let second = SecretKey::from_seed(&[5; 32]);
    let update = |world: &World, node: &str, key: &SecretKey, power: u64| {
        let mut transaction = world.unsigned(ValidatorUpdate, &root, UserId::SYSTEM);
        transaction.contract_input =
            Some(json!({"nodeId": node, "publicKey": key.public().to_string(), "power": power}));
        transaction.sign(&root.key)
    };
    let producer = world.producer.clone();
    world.fails(&update(&world, "validator-1", &producer, 0), Code::Conflict);
    world.fails(&update(&world, "validator-2", &producer, 1), Code::KeyTaken);
    world.ok(update(&world, "validator-2", &second, 1));
    let decided = world.tip.content.header.clone();
    assert_eq!(decided.validators_hash, decided.next_validators_hash);
    // The end of this block brings the change into the set, so more than a nonce differs.
    let receipts = world.run(&[update(&world, "validator-3", &second, 1)]);
    assert_eq!(receipts[0].code, Code::Conflict.as_str());
    let between = world.tip.content.header.clone();
    assert_eq!(between.validators_hash, decided.validators_hash);
    assert_ne!(between.next_validators_hash, between.validators_hash);
    world.ok(world.money(Deposit, &root, people[0].id, "1", "USD"));
    let after = world.tip.content.header.clone();
    assert_eq!(after.validators_hash, between.next_validators_hash);
    assert_eq!(after.height, decided.height + 2);
}

#[test]
fn a_chain_without_an_engine_executes_no_contracts_and_says_so() {
    let (mut world, people) = World::with_users(&["alice"]);
    let call = world
        .unsigned(ContractCall, &people[0], people[0].id)
        .sign(&people[0].key);
    world.fails(&call, Code::UnsupportedType);
}

//! Blocks as a whole: the genesis, the six checks, proofs.

use serde_json::json;
use tana_chain::tree::{check_proof, prove};
use tana_chain::{genesis, verify_genesis};
use tana_protocol::api::ledger::CheckName;
use tana_protocol::block::Block;
use tana_protocol::{Hash32, StateKey, TransactionType, UserId};

use crate::world::{Person, World};

fn world_with_block() -> (World, Vec<Person>, Block) {
    let (world, people) = World::with_users(&["alice", "bob"]);
    let good = world.money(
        TransactionType::Transfer,
        &people[0],
        people[1].id,
        "5",
        "USD",
    );
    let poor = world.money(
        TransactionType::Transfer,
        &people[1],
        people[0].id,
        "500",
        "USD",
    );
    let block = world.build(&[good, poor]);
    (world, people, block)
}

#[test]
fn the_genesis_covers_the_whole_chain_file() {
    let world = World::new();
    let first = genesis(&world.spec).unwrap().block;
    assert!(verify_genesis(&world.spec, &first).valid);
    let mut spec = world.spec.clone();
    spec.limits.transaction_window_ms += 1;
    assert_ne!(
        genesis(&spec).unwrap().block.content.hash,
        first.content.hash
    );
    assert!(!verify_genesis(&spec, &first).valid);
    spec.validators.clear();
    assert!(genesis(&spec).is_err());
}

#[test]
fn a_good_block_passes_all_six_checks() {
    let (world, _, block) = world_with_block();
    let verification = world.judge(&block);
    assert!(verification.valid, "{verification:?}");
    assert_eq!(verification.checks.len(), 6);
}

/// What to change of a block, and which check must find it.
type Tampering = (&'static str, CheckName, fn(&mut Block));

const TAMPERINGS: &[Tampering] = &[
    ("hash", CheckName::Hash, |b| b.content.hash.0[0] ^= 1),
    ("timestamp", CheckName::Hash, |b| {
        b.content.header.timestamp =
            tana_protocol::Timestamp::from_ms(b.content.header.timestamp.ms() + 1);
    }),
    ("previous hash", CheckName::Hash, |b| {
        b.content.header.previous_hash.0[3] ^= 1;
    }),
    ("tx root", CheckName::TxRoot, |b| {
        b.content.header.tx_root.0[0] ^= 1;
    }),
    ("receipts root", CheckName::TxRoot, |b| {
        b.content.header.receipts_root.0[0] ^= 1;
    }),
    ("transactions", CheckName::TxRoot, |b| {
        b.content.transactions.swap(0, 1);
    }),
    ("amount", CheckName::Signatures, |b| {
        b.content.transactions[0].transaction.amount = Some("6".parse().unwrap());
    }),
    ("transaction signature", CheckName::Signatures, |b| {
        let mut bytes = b.content.transactions[0].signature.to_bytes();
        bytes[0] ^= 1;
        b.content.transactions[0].signature = tana_protocol::Signature::from_bytes(bytes);
    }),
    ("state root", CheckName::StateRoot, |b| {
        b.content.header.state_root.0[31] ^= 1;
    }),
    ("gas used", CheckName::StateRoot, |b| {
        b.content.header.gas_used += 1;
    }),
    ("producer", CheckName::ProducerSignature, |b| {
        b.content.header.producer = "validator-2".parse().unwrap();
    }),
    ("producer signature", CheckName::ProducerSignature, |b| {
        let mut bytes = b.signature.unwrap().to_bytes();
        bytes[63] ^= 1;
        b.signature = Some(tana_protocol::Signature::from_bytes(bytes));
    }),
    ("no producer signature", CheckName::ProducerSignature, |b| {
        b.signature = None;
    }),
    ("state change", CheckName::StateChanges, |b| {
        b.content.state_changes[0].after = Some(json!({"amount": "1"}));
    }),
    ("state before", CheckName::StateChanges, |b| {
        b.content.state_changes[0].before = None;
    }),
    ("a number that is as large", CheckName::StateChanges, |b| {
        let after = b.content.state_changes[0].after.as_mut().unwrap();
        after["updatedAt"] = json!(after["updatedAt"].as_f64().unwrap());
    }),
    ("receipt", CheckName::StateChanges, |b| {
        b.content.receipts[0].message.push('!');
    }),
    ("content refs", CheckName::Hash, |b| {
        b.content.header.content_refs.push(Hash32::ZERO);
    }),
    ("validators hash", CheckName::Hash, |b| {
        b.content.header.validators_hash.0[0] ^= 1;
    }),
    ("next validators hash", CheckName::StateRoot, |b| {
        b.content.header.next_validators_hash.0[0] ^= 1;
    }),
];

#[test]
fn whatever_is_changed_in_a_block_is_found_and_named() {
    let (world, _, block) = world_with_block();
    for (what, check, tamper) in TAMPERINGS {
        let mut changed = block.clone();
        tamper(&mut changed);
        let verification = world.judge(&changed);
        assert!(!verification.valid, "{what}");
        let found = verification
            .checks
            .iter()
            .find(|c| c.name == *check)
            .unwrap();
        assert!(!found.ok, "{what}: {verification:?}");
        assert!(found.detail.is_some(), "{what}");
    }
}

#[test]
fn every_signature_is_checked_also_of_who_is_created_in_the_block() {
    let (world, people) = World::with_users(&["alice", "bob"]);
    let key = tana_protocol::SecretKey::from_seed(&[77; 32]);
    let creation = world.creation("carol", &key);
    let carol = Person {
        id: UserId::created_by(&creation.id()),
        key,
    };
    let mut transactions = vec![creation];
    for nonce in 1..=5 {
        for sender in [&carol, &people[0], &people[1]] {
            let mut transaction = world.unsigned(TransactionType::Transfer, sender, people[1].id);
            transaction.nonce = world.nonce(sender.id) + nonce;
            transaction.amount = Some("0.01".parse().unwrap());
            transaction.currency_code = Some("USD".parse().unwrap());
            transactions.push(transaction.sign(&sender.key));
        }
    }
    let block = world.build(&transactions);
    assert_eq!(block.content.transactions.len(), 16);
    assert!(world.judge(&block).valid);
    // Without the first, whose signature is in the id of whom it creates.
    for place in 1..16 {
        let mut tampered = block.clone();
        let signed = &mut tampered.content.transactions[place];
        // Somebody else's signature of the same.
        *signed = signed.transaction.clone().sign(&world.sovereign.key);
        let verification = world.judge(&tampered);
        let found = (verification.checks.iter())
            .find(|check| check.name == CheckName::Signatures)
            .unwrap();
        let id = tampered.content.transactions[place].id().to_string();
        let detail = found.detail.as_deref().unwrap_or_default();
        assert!(!found.ok && detail.contains(&id), "{place}: {found:?}");
    }
}

#[test]
fn a_proof_holds_for_its_value_at_its_root_and_for_nothing_else() {
    let (world, people) = World::with_users(&["alice", "bob"]);
    let header = &world.tip.content.header;
    let root = header.state_root;
    let key = StateKey::Balance(people[0].id, "USD".parse().unwrap());
    let value = world.state.peek(&key).unwrap().to_json();
    let proof = prove(&world.nodes, header.height, &key).unwrap();
    check_proof(root, &key, Some(&value), &proof).unwrap();
    let mut more = value.clone();
    more["amount"] = json!("10001");
    assert!(check_proof(root, &key, Some(&more), &proof).is_err());
    assert!(check_proof(root, &key, None, &proof).is_err());
    assert!(check_proof(Hash32::ZERO, &key, Some(&value), &proof).is_err());

    let absent = StateKey::Balance(UserId::SYSTEM, "USD".parse().unwrap());
    let proof = prove(&world.nodes, header.height, &absent).unwrap();
    check_proof(root, &absent, None, &proof).unwrap();
    assert!(check_proof(root, &absent, Some(&value), &proof).is_err());
    assert!(check_proof(root, &key, None, &proof).is_err());
    assert!(check_proof(root, &key, Some(&value), &json!({"x": 1})).is_err());
}

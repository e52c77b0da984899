//! Blocks as a producer posts them and as another ledger answers them, and proofs against their roots.

use serde_json::Value;
use std::hint::black_box;
use tana_chain::{block, tree};
use tana_protocol::api::ledger::{BlockView, BuildRequest, Built, ProofView};
use tana_protocol::block::{Block, UnsignedBlock};
use tana_protocol::{Hash32, SignedTransaction, StateKey, StateValue};

use crate::text::{json, parse};

pub(crate) fn run(data: &[u8]) {
    json::<BuildRequest>(data);
    json::<Built>(data);
    json::<BlockView>(data);
    json::<UnsignedBlock>(data);
    if let Some(read) = json::<Block>(data) {
        of_block(&read);
    }
    if let Some(proof) = json::<ProofView>(data) {
        of_proof(&proof);
    }
}

fn of_block(read: &Block) {
    let content = &read.content;
    // The hash is over the header alone, and the same however often it is taken.
    assert_eq!(content.header.hash(), content.header.clone().hash());
    let ids: Vec<_> = content
        .transactions
        .iter()
        .map(SignedTransaction::id)
        .collect();
    let root = block::tx_root(&ids);
    if let Some(last) = ids.len().checked_sub(1) {
        let leaves: Vec<[u8; 32]> = ids.iter().map(|id| id.0.0).collect();
        let path = tana_chain::merkle::proof(&leaves, last).expect("of a leaf that is there");
        assert!(tana_chain::merkle::verify(
            root,
            &leaves[last],
            last,
            leaves.len(),
            &path
        ));
    }
    black_box((
        block::receipts_root(&content.receipts),
        block::changes_hash(&content.state_changes),
        block::content_refs(&content.transactions, &content.receipts),
    ));
    for change in &content.state_changes {
        let Some(key) = parse::<StateKey>(change.key.as_bytes()) else {
            continue;
        };
        let after = change.after.clone().unwrap_or(Value::Null);
        if let Ok(value) = StateValue::from_json(&key, after) {
            let again = StateValue::from_json(&key, value.to_json()).expect("what was written");
            assert_eq!(again.to_bytes(), value.to_bytes(), "{key}");
        }
    }
}

fn of_proof(proof: &ProofView) {
    let Some(key) = parse::<StateKey>(proof.key.to_string().as_bytes()) else {
        return;
    };
    for root in [proof.state_root, Hash32([0; 32])] {
        // Whether it fits is for the proof's own tests; here it must answer.
        black_box(tree::check_proof(
            root,
            &key,
            proof.value.as_ref(),
            &proof.proof,
        ))
        .ok();
    }
}

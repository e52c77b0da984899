//! Blocks as values: header, body, receipts, state changes. What they must hold is decided in `chain`.

mod text;

use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hash::Hash32;
use crate::id::{NodeId, TransactionId};
use crate::json::{Canonical, canonical, write_canonical, write_text};
use crate::key::{KeyError, PublicKey, Signature};
use crate::time::Timestamp;
use crate::transaction::SignedTransaction;

pub use text::{BlockText, SignedBlockText, signature_on};

/// Everything that a block's hash covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockHeader {
    /// The chain it belongs to.
    pub chain_id: String,
    /// 0 is the genesis.
    pub height: u64,
    /// The hash of the block before; zero in the genesis.
    pub previous_hash: Hash32,
    /// When it was built; later than the block before.
    pub timestamp: Timestamp,
    /// The validator that built it.
    pub producer: NodeId,
    /// Merkle root of the transaction ids.
    pub tx_root: Hash32,
    /// Merkle root of the receipts.
    pub receipts_root: Hash32,
    /// SHA-256 of the canonical JSON of the state changes.
    pub changes_hash: Hash32,
    /// Jellyfish-Merkle root of the state after the block.
    pub state_root: Hash32,
    /// How many transactions it holds.
    pub tx_count: u32,
    /// Gas that its transactions used.
    pub gas_used: u64,
    /// Gas that they might have used.
    pub gas_limit: u64,
    /// The content that its transactions refer to.
    pub content_refs: Vec<Hash32>,
    /// Hash of the validator set that agrees on this block.
    pub validators_hash: Hash32,
    /// Hash of the validator set that agrees on the next.
    pub next_validators_hash: Hash32,
}

impl BlockHeader {
    /// SHA-256 over the RFC 8785 canonical JSON of the header.
    #[must_use]
    pub fn hash(&self) -> Hash32 {
        Hash32::of(&canonical(self))
    }
}

/// The text that a producer signs: the block's hash in hex.
#[must_use]
pub fn producer_message(hash: Hash32) -> String {
    hash.to_hex()
}

/// One value that a block changed: its key in the state and its canonical JSON before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StateChange {
    /// The state key, such as `balance/<user>/USD`.
    pub key: String,
    /// `null` where there was nothing.
    pub before: Option<Value>,
    /// `null` where nothing is left.
    pub after: Option<Value>,
}

impl StateChange {
    /// The canonical JSON of a list of changes. A block changes thousands of values, which are JSON already: they are
    /// written from where they are.
    #[must_use]
    pub fn canonical_list(changes: &[Self]) -> Vec<u8> {
        let mut list = ChangesText::for_about(changes.len());
        for Self { key, before, after } in changes {
            let json = |value: &Option<Value>, out: &mut Canonical| {
                write_canonical(value.as_ref().unwrap_or(&Value::Null), out.bytes_mut());
            };
            list.push(key, |out| json(after, out), |out| json(before, out));
        }
        list.end()
    }
}

/// The canonical JSON of a list of state changes while it is written, change by change.
#[derive(Debug)]
pub struct ChangesText(Canonical);

impl ChangesText {
    /// Nothing yet, and room for about so many changes.
    #[must_use]
    pub fn for_about(changes: usize) -> Self {
        let mut out = Canonical::with_capacity(changes.saturating_mul(512));
        out.bytes_mut().push(b'[');
        Self(out)
    }

    /// Writes a change: each of the two writes the canonical JSON of its value. Answers where that of the value after the
    /// block lies.
    pub fn push(
        &mut self,
        key: &str,
        after: impl FnOnce(&mut Canonical),
        before: impl FnOnce(&mut Canonical),
    ) -> Range<usize> {
        let text = &mut self.0;
        if text.bytes().len() > 1 {
            text.bytes_mut().push(b',');
        }
        text.bytes_mut().extend_from_slice(b"{\"after\":");
        let from = text.bytes().len();
        after(text);
        let value = from..text.bytes().len();
        text.bytes_mut().extend_from_slice(b",\"before\":");
        before(text);
        let out = text.bytes_mut();
        out.extend_from_slice(b",\"key\":");
        write_text(key, out);
        out.push(b'}');
        value
    }

    /// The text of the whole list.
    #[must_use]
    pub fn end(self) -> Vec<u8> {
        let mut out = self.0.into_bytes();
        out.push(b']');
        out
    }
}

/// Something a contract or the chain reports of a transaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// What it says.
    pub data: Value,
}

/// What became of a transaction in its block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The transaction.
    pub transaction_id: TransactionId,
    /// `ok`, or the code of the problem.
    pub code: String,
    /// In words.
    pub message: String,
    /// What it cost.
    pub gas_used: u64,
    /// What a contract returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// What a contract printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs: Option<Vec<String>>,
    /// What a contract reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<Event>>,
}

impl Receipt {
    /// The code of a transaction that did what it said.
    pub const OK: &'static str = "ok";

    /// Whether the transaction did what it said.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.code == Self::OK
    }
}

/// A block that nobody has signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "BlockFields")]
pub struct UnsignedBlock {
    /// What the hash covers.
    #[serde(flatten)]
    pub header: BlockHeader,
    /// The hash of the header.
    pub hash: Hash32,
    /// In order of execution.
    pub transactions: Vec<SignedTransaction>,
    /// One for each transaction, in the same order.
    pub receipts: Vec<Receipt>,
    /// In order of the keys.
    pub state_changes: Vec<StateChange>,
}

impl UnsignedBlock {
    /// Adds the producer's signature over the hash.
    #[must_use]
    pub fn sign(self, key: &crate::key::SecretKey) -> Block {
        let signature = key.sign(&producer_message(self.hash));
        Block {
            content: self,
            signature: Some(signature),
        }
    }
}

/// A block as it is stored and answered. The genesis alone has no signature: every node computes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "BlockFields")]
pub struct Block {
    /// Header, hash and body.
    #[serde(flatten)]
    pub content: UnsignedBlock,
    /// The producer's, over the hash.
    pub signature: Option<Signature>,
}

/// The fields of header, body and signature side by side, as they are read: flattened structs would have each of them,
/// the transactions too, read twice and more.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockFields {
    chain_id: String,
    height: u64,
    previous_hash: Hash32,
    timestamp: Timestamp,
    producer: NodeId,
    tx_root: Hash32,
    receipts_root: Hash32,
    changes_hash: Hash32,
    state_root: Hash32,
    tx_count: u32,
    gas_used: u64,
    gas_limit: u64,
    content_refs: Vec<Hash32>,
    validators_hash: Hash32,
    next_validators_hash: Hash32,
    hash: Hash32,
    transactions: Vec<SignedTransaction>,
    receipts: Vec<Receipt>,
    state_changes: Vec<StateChange>,
    signature: Option<Signature>,
}

impl From<BlockFields> for Block {
    fn from(fields: BlockFields) -> Self {
        Self {
            content: UnsignedBlock {
                header: BlockHeader {
                    chain_id: fields.chain_id,
                    height: fields.height,
                    previous_hash: fields.previous_hash,
                    timestamp: fields.timestamp,
                    producer: fields.producer,
                    tx_root: fields.tx_root,
                    receipts_root: fields.receipts_root,
                    changes_hash: fields.changes_hash,
                    state_root: fields.state_root,
                    tx_count: fields.tx_count,
                    gas_used: fields.gas_used,
                    gas_limit: fields.gas_limit,
                    content_refs: fields.content_refs,
                    validators_hash: fields.validators_hash,
                    next_validators_hash: fields.next_validators_hash,
                },
                hash: fields.hash,
                transactions: fields.transactions,
                receipts: fields.receipts,
                state_changes: fields.state_changes,
            },
            signature: fields.signature,
        }
    }
}

impl From<BlockFields> for UnsignedBlock {
    fn from(fields: BlockFields) -> Self {
        Block::from(fields).content
    }
}

impl Block {
    /// Its height.
    #[must_use]
    pub const fn height(&self) -> u64 {
        self.content.header.height
    }

    /// Checks the producer's signature.
    ///
    /// # Errors
    /// [`KeyError::Mismatch`], also where there is no signature.
    pub fn verify_producer(&self, key: &PublicKey) -> Result<(), KeyError> {
        let signature = self.signature.as_ref().ok_or(KeyError::Mismatch)?;
        key.verify(&producer_message(self.content.hash), signature)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{StateChange, canonical};

    #[test]
    fn changes_written_from_where_they_are_are_their_canonical_json() {
        let change = |key: &str, before, after| StateChange {
            key: key.to_owned(),
            before,
            after,
        };
        let changes = [
            change(
                "user/\u{e9}\"\n",
                None,
                Some(json!({"b": [1, 2.5, null], "a": "\u{7f}"})),
            ),
            change("", Some(json!("x")), None),
            change("balance", Some(json!({})), Some(json!(-0.0))),
        ];
        for length in 0..=changes.len() {
            let part = &changes[..length];
            assert_eq!(StateChange::canonical_list(part), canonical(part));
        }
    }
}

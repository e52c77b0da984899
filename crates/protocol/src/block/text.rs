//! Blocks as text: a ledger writes a block once, its producer signs and hands back the very same bytes, and the ledger
//! recognises them. Neither reads the whole text.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Block, UnsignedBlock, producer_message};
use crate::hash::Hash32;
use crate::id::TransactionId;
use crate::json::compact;
use crate::key::{SecretKey, Signature};

/// What stands between a block's body and its signature.
const BEFORE_SIGNATURE: &str = ",\"signature\":";

/// The text of an [`UnsignedBlock`], and what a producer needs to know of it.
#[derive(Clone, Debug)]
pub struct BlockText {
    text: Box<RawValue>,
    hash: Hash32,
    height: u64,
    transactions: Vec<TransactionId>,
}

impl BlockText {
    /// Its height.
    #[must_use]
    pub const fn height(&self) -> u64 {
        self.height
    }

    /// The hash of its header, which is what is signed.
    #[must_use]
    pub const fn hash(&self) -> Hash32 {
        self.hash
    }

    /// The ids of its transactions, in their order.
    #[must_use]
    pub fn transactions(&self) -> &[TransactionId] {
        &self.transactions
    }

    /// The text of the block with the producer's signature over the hash.
    #[must_use]
    pub fn sign(&self, key: &SecretKey) -> SignedBlockText {
        let signature = key.sign(&producer_message(self.hash));
        let body = without_end(self.text.get());
        SignedBlockText(format!("{body}{BEFORE_SIGNATURE}\"{signature}\"}}"))
    }
}

impl<'de> Deserialize<'de> for BlockText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Head {
            height: u64,
            hash: Hash32,
            receipts: Vec<Named>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Named {
            transaction_id: TransactionId,
        }
        let text = Box::<RawValue>::deserialize(deserializer)?;
        if !text.get().starts_with('{') {
            return Err(serde::de::Error::custom("a block is an object"));
        }
        let head: Head = serde_json::from_str(text.get()).map_err(serde::de::Error::custom)?;
        Ok(Self {
            hash: head.hash,
            height: head.height,
            transactions: head
                .receipts
                .into_iter()
                .map(|receipt| receipt.transaction_id)
                .collect(),
            text,
        })
    }
}

/// The text of a [`Block`] that its producer has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBlockText(String);

impl From<&Block> for SignedBlockText {
    fn from(block: &Block) -> Self {
        Self(compact(block))
    }
}

impl From<SignedBlockText> for String {
    fn from(signed: SignedBlockText) -> Self {
        signed.0
    }
}

/// The signature with which `signed` is the very text `unsigned` of an [`UnsignedBlock`], byte for byte; `None` where it is
/// any other text.
#[must_use]
pub fn signature_on(unsigned: &str, signed: &[u8]) -> Option<Signature> {
    let rest = signed.strip_prefix(without_end(unsigned).as_bytes())?;
    let rest = rest.strip_prefix(BEFORE_SIGNATURE.as_bytes())?;
    let quoted = rest.strip_suffix(b"}")?;
    serde_json::from_slice(quoted).ok()
}

/// The text of an object without its last brace.
fn without_end(object: &str) -> &str {
    object.strip_suffix('}').unwrap_or(object)
}

impl UnsignedBlock {
    /// Its text.
    ///
    /// # Panics
    /// Never: its keys are strings.
    #[must_use]
    pub fn to_text(&self) -> Box<RawValue> {
        serde_json::value::to_raw_value(self).expect("a block is written as JSON")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{BlockText, signature_on};
    use crate::{Block, Hash32, SecretKey};

    fn block() -> Block {
        let hash = Hash32::of(b"x");
        serde_json::from_value(json!({
            "chainId": "demo", "height": 7, "previousHash": hash, "timestamp": "2026-01-01T00:00:00.000Z", "producer": "a",
            "txRoot": hash, "receiptsRoot": hash, "changesHash": hash, "stateRoot": hash, "txCount": 0, "gasUsed": 0,
            "gasLimit": 1, "contentRefs": [], "validatorsHash": hash, "nextValidatorsHash": hash, "hash": hash,
            "transactions": [], "receipts": [],
            "stateChanges": [{"key": "chain", "before": null, "after": {"a": "}", "signature": 1}}]
        }))
        .unwrap()
    }

    #[test]
    fn a_signed_text_is_the_signed_block() {
        let (block, key) = (block(), SecretKey::generate());
        let unsigned = block.content.to_text();
        let text: BlockText = serde_json::from_str(unsigned.get()).unwrap();
        assert_eq!((text.height(), text.hash()), (7, block.content.hash));
        let signed = String::from(text.sign(&key));
        let parsed: Block = serde_json::from_str(&signed).unwrap();
        assert_eq!(parsed, block.content.sign(&key));
        let found = signature_on(unsigned.get(), signed.as_bytes());
        assert_eq!(found, parsed.signature);
    }

    #[test]
    fn any_other_text_is_not_the_block_that_was_built() {
        let (block, key) = (block(), SecretKey::generate());
        let unsigned = block.content.to_text();
        let text: BlockText = serde_json::from_str(unsigned.get()).unwrap();
        let signed = String::from(text.sign(&key));
        for other in [
            unsigned.get().to_owned(),
            signed.replace("\"height\":7", "\"height\":8"),
            signed.replacen('{', "{ ", 1),
            signed.replace(",\"signature\":\"", ",\"signature\":\"00"),
            format!("{signed} "),
            signed.replace("\"}", "\",\"more\":\"\"}"),
            String::new(),
        ] {
            assert_eq!(
                signature_on(unsigned.get(), other.as_bytes()),
                None,
                "{other}"
            );
        }
    }

    #[test]
    fn what_is_no_object_is_no_block() {
        let head = json!([7, Hash32::of(b"x"), []]).to_string();
        assert!(serde_json::from_str::<BlockText>(&head).is_err());
    }
}

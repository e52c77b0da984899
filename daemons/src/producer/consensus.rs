//! The seam for consensus: how a block that the ledger has built becomes one that the validators have agreed on.
//!
//! With one validator its own signature is the agreement. A BFT engine takes this place later: it stores the body before
//! it answers, and gives the same value for the same height and round.

use futures::FutureExt;
use futures::future::BoxFuture;
use tana_protocol::SecretKey;
use tana_protocol::block::{BlockText, SignedBlockText};

/// Has a block agreed on.
pub trait Consensus: Send + Sync + 'static {
    /// The block with what proves that the validators agree on it.
    fn agree<'a>(&'a self, block: &'a BlockText) -> BoxFuture<'a, anyhow::Result<SignedBlockText>>;
}

/// One validator: agreed at once.
pub struct Solo {
    key: SecretKey,
}

impl Solo {
    /// Signs with the key of the only validator's producer.
    #[must_use]
    pub const fn new(key: SecretKey) -> Self {
        Self { key }
    }
}

impl Consensus for Solo {
    fn agree<'a>(&'a self, block: &'a BlockText) -> BoxFuture<'a, anyhow::Result<SignedBlockText>> {
        let signed = block.sign(&self.key);
        async move { Ok(signed) }.boxed()
    }
}

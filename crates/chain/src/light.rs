//! What somebody can check who has the chain file and believes nobody: a block's header, and values against it.
//!
//! The validators are those of the chain file. A block that another validator has made, one that was admitted later, is
//! not believed here.

use tana_protocol::block::{BlockHeader, producer_message};
use tana_protocol::{ChainSpec, Hash32, NodeId, Signature};

use crate::genesis::{GenesisError, genesis};

/// Why a header is not believed.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// It is another chain's.
    #[error("the block is of the chain {0:?}, not of the chain file's")]
    Chain(String),
    /// The hash is not the header's.
    #[error("the block's hash is not its header's")]
    Hash,
    /// Nobody the chain file knows has signed it.
    #[error(
        "the block was made by {0}, which is no validator in the chain file; its signature cannot be checked with it"
    )]
    Producer(NodeId),
    /// The signature does not fit.
    #[error("the signature of {0} does not fit the block")]
    Signature(NodeId),
    /// There is no first block to compare with.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
}

/// Checks that a header is one of this chain: signed by a validator of the chain file, or the first block itself.
///
/// # Errors
/// Why it is not.
pub fn check_header(
    spec: &ChainSpec,
    header: &BlockHeader,
    hash: Hash32,
    signature: Option<&Signature>,
) -> Result<(), HeaderError> {
    if header.chain_id != spec.chain_id {
        return Err(HeaderError::Chain(header.chain_id.clone()));
    }
    if header.hash() != hash {
        return Err(HeaderError::Hash);
    }
    if header.height == 0 {
        let first = genesis(spec)?.block.content.hash;
        return if first == hash {
            Ok(())
        } else {
            Err(HeaderError::Hash)
        };
    }
    let producer = &header.producer;
    let mut validators = spec.validators.iter();
    let known = validators.find(|validator| validator.node_id == *producer);
    let known = known.ok_or_else(|| HeaderError::Producer(producer.clone()))?;
    let message = producer_message(hash);
    let fits =
        signature.is_some_and(|signature| known.public_key.verify(&message, signature).is_ok());
    if fits {
        Ok(())
    } else {
        Err(HeaderError::Signature(producer.clone()))
    }
}

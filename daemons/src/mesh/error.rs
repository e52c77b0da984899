//! What can be wrong with a request to the mesh, and how it is answered.

use std::time::Duration;

use tana_kit::ApiError;
use tana_protocol::api::mesh::NodeStatus;
use tana_protocol::problem::Code;
use tana_protocol::{NodeId, PublicKey};
use tana_store::StoreError;

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum MeshError {
    #[error("{0}")]
    Malformed(String),
    #[error("there is no node {0}; GET /nodes?status=all lists those there are")]
    UnknownNode(String),
    #[error("the signature does not fit {0}; sign the SHA-256 of exactly this text")]
    Signature(String),
    #[error(
        "the time that was signed is {} s away from the mesh's clock, more than the 60 s allowed; set the machine's clock",
        .0.as_secs()
    )]
    Stale(Duration),
    #[error("{0} is not a sovereign key; GET /sovereign lists those that are")]
    NotSovereign(PublicKey),
    #[error("{0} is being replaced and can add or replace no key; use the key that follows it")]
    BeingReplaced(PublicKey),
    #[error("node {0} has been decided on: it is {1}")]
    AlreadyDecided(NodeId, NodeStatus),
    #[error("this sovereign key has wanted that of {0} before; another sovereign decides with it")]
    AlreadyVoted(String),
    #[error("a later vote of this sovereign's on {0} was taken; sign again with the present time")]
    VoteReplayed(NodeId),
    #[error(
        "{0} was decided on before, and the short form can be replayed; sign approve:<nodeId>:<node public key>:<timestamp> and send the timestamp"
    )]
    ShortForm(NodeId),
    #[error(
        "{0} is out, and its key stays out; register again with a new key, on which a sovereign then decides"
    )]
    KeyRefused(NodeId),
    #[error("a later label of {0} was taken; sign again with the present time")]
    LabelReplayed(NodeId),
    #[error("the key {0} is not {1}'s; GET /nodes/{1} shows the one it has")]
    NotItsKey(PublicKey, NodeId),
    #[error("node {0} has changed its key just now; it may again after a minute")]
    RotatedJustNow(NodeId),
    #[error("{0} may not label {1}; its own key and the sovereigns' may")]
    MayNotLabel(PublicKey, NodeId),
    #[error("node {0} is {1}; only an approved node changes its key or its label")]
    NotMember(NodeId, NodeStatus),
    #[error("{0}")]
    Stake(String),
    #[error("whether {0} has its stake cannot be known now: {1}")]
    StakeUnknown(NodeId, String),
    #[error("the id {0} is taken by another registration; choose another one")]
    IdTaken(NodeId),
    #[error(
        "{0} nodes wait for a sovereign's decision, and no more may; register again once some were decided on"
    )]
    Crowded(u64),
    #[error("the key {0} is or was another node's; a node has one key of its own")]
    KeyTaken(PublicKey),
    #[error("this heartbeat was taken before; sign each with the time at which it is sent")]
    Replayed,
    #[error("node {0} is {1}; only an approved node sends heartbeats")]
    NotActive(NodeId, NodeStatus),
    #[error("{0} is or was a sovereign key; make a new one")]
    KeyKnown(PublicKey),
    #[error("the signature fits none of the sovereign keys")]
    NoSovereignSigned,
    #[error("the mesh is stopping")]
    Stopping,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl MeshError {
    const fn code(&self) -> Code {
        match self {
            Self::Malformed(_) => Code::Malformed,
            Self::UnknownNode(_) => Code::NotFound,
            Self::Signature(_) | Self::NoSovereignSigned => Code::BadSignature,
            Self::Stale(_) => Code::StaleTimestamp,
            Self::NotSovereign(_)
            | Self::BeingReplaced(_)
            | Self::NotItsKey(..)
            | Self::MayNotLabel(..) => Code::Forbidden,
            Self::AlreadyDecided(..) | Self::AlreadyVoted(_) | Self::ShortForm(_) => {
                Code::AlreadyDecided
            }
            Self::IdTaken(_) | Self::KeyTaken(_) | Self::KeyKnown(_) | Self::KeyRefused(_) => {
                Code::AlreadyExists
            }
            Self::Replayed | Self::VoteReplayed(_) | Self::LabelReplayed(_) => Code::Replayed,
            Self::NotActive(..) | Self::NotMember(..) => Code::NodeNotActive,
            Self::Stake(_) => Code::InsufficientBalance,
            Self::RotatedJustNow(_) => Code::RateLimited,
            Self::Stopping | Self::StakeUnknown(..) | Self::Crowded(_) => Code::Unavailable,
            Self::Store(_) => Code::Internal,
        }
    }

    /// After how many seconds another try makes sense.
    const fn retry_after(&self) -> Option<u64> {
        match self {
            Self::RotatedJustNow(_) | Self::Crowded(_) => Some(60),
            Self::Stopping | Self::StakeUnknown(..) => Some(2),
            _ => None,
        }
    }
}

impl From<MeshError> for ApiError {
    fn from(error: MeshError) -> Self {
        match error {
            MeshError::Store(error) => crate::store_error::answer(&error),
            refused => {
                let answer = Self::new(refused.code(), refused.to_string());
                match refused.retry_after() {
                    Some(seconds) => answer.retry_after(seconds),
                    None => answer,
                }
            }
        }
    }
}

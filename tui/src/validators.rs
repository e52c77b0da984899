//! What a decision on a node means for the chain: a node that offers block production and is let in becomes a validator, and
//! one that is put out no longer is one. The mesh cannot do this: a transaction is signed with the sovereign's key.

use std::time::Duration;

use tana_client::{ClientError, LedgerClient, now};
use tana_protocol::Receipt;
use tana_protocol::api::ledger::ReceiptView;
use tana_protocol::api::mesh::Node;
use tana_protocol::message::Decision;
use tana_protocol::state::ValidatorState;
use tana_protocol::{
    Code, NodeId, Party, PublicKey, ServiceKind, SignedTransaction, StateKey, Transaction,
    TransactionId, TransactionType, UserId,
};

use crate::sign::{SignError, Signer};

/// The power of a validator that joins: all count alike.
const POWER: u64 = 1;

/// How often a change is submitted that another one is in the way of.
const TRIES: usize = 4;
/// How long a block is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was done about the chain's validator set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Followed {
    /// This transaction changes it.
    Submitted(TransactionId),
    /// It is as it should be.
    Nothing,
}

/// Why the chain's validator set was not changed. The decision on the node stands all the same.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotFollowed {
    #[error(transparent)]
    Ledger(#[from] ClientError),
    #[error(transparent)]
    Signature(#[from] SignError),
    #[error("the sovereign key that signs belongs to no user of the chain {0}")]
    NoUser(String),
    #[error("the ledger serves the chain {theirs}, this home's is {ours}")]
    OtherChain { theirs: String, ours: String },
    #[error("{0}")]
    Refused(String),
    #[error("the ledger's validator set does not read: {0}")]
    Unreadable(String),
}

/// Submits the `validator_update` that follows from a decision, where one does. `chain` is this home's.
pub(crate) async fn follow(
    ledger: &LedgerClient,
    chain: Option<&str>,
    signer: &Signer,
    node: &Node,
    decision: Decision,
) -> Result<Followed, NotFollowed> {
    let key = producer(node);
    let wanted = match (decision, key) {
        (Decision::Approve, Some(key)) => Some(key),
        (Decision::Remove, _) => None,
        (Decision::Approve | Decision::Deny, _) => return Ok(Followed::Nothing),
    };
    let info = ledger.info().await?;
    if let Some(ours) = chain.filter(|ours| *ours != info.chain_id) {
        return Err(NotFollowed::OtherChain {
            theirs: info.chain_id,
            ours: ours.to_owned(),
        });
    }
    let there = coming(ledger, &node.id).await?;
    if there == wanted {
        return Ok(Followed::Nothing);
    }
    let (key, power) = match (wanted, there) {
        (Some(key), _) => (key, POWER),
        (None, Some(there)) => (there, 0),
        (None, None) => return Ok(Followed::Nothing),
    };
    let user = match ledger.user_with_key(&signer.public()).await {
        Ok(user) => user,
        Err(error) if error.code() == Some(Code::NotFound) => {
            return Err(NotFollowed::NoUser(info.chain_id));
        }
        Err(error) => return Err(error.into()),
    };
    let input = serde_json::json!({"nodeId": node.id, "publicKey": key, "power": power});
    // The set changes one at a time, two blocks after it was decided: another change may have to hold first, and a block
    // that refuses this one brings it nearer.
    let mut tries = TRIES;
    loop {
        tries -= 1;
        let id = submit(ledger, signer, &user.id, &info.chain_id, input.clone()).await?;
        match outcome(ledger, &id).await? {
            Some(receipt) if receipt.code == Code::Conflict.as_str() && tries > 0 => {}
            Some(receipt) if receipt.code != Receipt::OK => {
                return Err(NotFollowed::Refused(receipt.message));
            }
            _ => return Ok(Followed::Submitted(id)),
        }
    }
}

async fn submit(
    ledger: &LedgerClient,
    signer: &Signer,
    sovereign: &UserId,
    chain: &str,
    input: serde_json::Value,
) -> Result<TransactionId, NotFollowed> {
    let nonce = ledger.nonce(sovereign).await?.next_nonce;
    let mut transaction = Transaction::new(
        TransactionType::ValidatorUpdate,
        (*sovereign).into(),
        Party::system(),
        now(),
        nonce,
    );
    transaction.chain_id = Some(chain.to_owned());
    transaction.contract_input = Some(input);
    let signature = signer.sign(&transaction.message()).await?;
    let submitted = ledger
        .submit(&SignedTransaction {
            transaction,
            signature,
        })
        .await?;
    Ok(submitted.id)
}

/// What became of a transaction; `None` where no block has taken it in time.
async fn outcome(
    ledger: &LedgerClient,
    id: &TransactionId,
) -> Result<Option<ReceiptView>, NotFollowed> {
    let begun = std::time::Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(receipt) = ledger.transaction(id).await?.receipt {
            return Ok(Some(receipt));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(None)
}

/// The key that a node will have as a validator once what is decided holds; `None` where it will be none.
async fn coming(ledger: &LedgerClient, node: &NodeId) -> Result<Option<PublicKey>, NotFollowed> {
    let present = present(ledger).await?;
    if let Some(update) = present.pending.map(|pending| pending.validator)
        && update.node_id == *node
    {
        return Ok((update.power > 0).then_some(update.public_key));
    }
    let there = present.set.iter().find(|one| one.node_id == *node);
    Ok(there.map(|one| one.public_key))
}

/// Whether a node is one of the chain's validators.
pub(crate) async fn is_validator(
    ledger: &LedgerClient,
    node: &NodeId,
) -> Result<bool, NotFollowed> {
    Ok(coming(ledger, node).await?.is_some())
}

/// The key that a node's producer signs blocks with, where it offers to.
pub(crate) fn producer(node: &Node) -> Option<PublicKey> {
    // Older nodes offer `consensus`.
    let offers = |name: &str| {
        let mut offered = node.services.iter();
        offered
            .find(|service| service.service_type == name)
            .map(|service| service.public_key)
    };
    offers(ServiceKind::Producer.name()).or_else(|| offers("consensus"))
}

async fn present(ledger: &LedgerClient) -> Result<ValidatorState, NotFollowed> {
    let height = ledger.latest_block().await?.header.height;
    let proved = ledger.proof(&StateKey::Validators, height).await?;
    let value = proved
        .value
        .ok_or_else(|| NotFollowed::Unreadable("there is none".to_owned()))?;
    serde_json::from_value(value).map_err(|error| NotFollowed::Unreadable(error.to_string()))
}

//! The ledger's bodies.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::{Address, Network};
use crate::amount::{AmountText, CurrencyCode};
use crate::block::{BlockHeader, Event, Receipt, StateChange, UnsignedBlock};
use crate::genesis::Currency;
use crate::hash::Hash32;
use crate::id::{ContractId, TransactionId, UserId, Username};
use crate::key::{PublicKey, Signature};
use crate::problem::{Code, Problem};
use crate::state::{StateKey, UserState};
use crate::time::{Timestamp, ms};
use crate::transaction::{Party, Role, SignedTransaction, TransactionType};

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransactionStatus {
    /// Accepted, not in a block yet.
    Queued,
    /// In a block, and did what it said.
    Confirmed,
    /// In a block, and changed nothing.
    Failed,
}

impl TransactionStatus {
    /// The wire word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
        }
    }
}

/// The answer to an accepted submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Submitted {
    /// The transaction's id.
    pub id: TransactionId,
    /// `queued`; its present status when it was submitted before.
    pub status: TransactionStatus,
    /// Its place in the queue; absent once it is in a block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_id: Option<String>,
    /// What it does.
    #[serde(rename = "type")]
    pub kind: TransactionType,
    /// As signed.
    pub from: Party,
    /// As signed.
    pub to: Party,
    /// As signed.
    #[serde(with = "ms")]
    pub timestamp: Timestamp,
}

/// One answer of a batch, in the order of the submissions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BatchAnswer {
    /// Queued: `status` 202 and the fields of [`Submitted`] but its status.
    Accepted(BatchAccepted),
    /// Refused.
    Refused(Box<Problem>),
}

/// An accepted member of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchAccepted {
    /// 202, or 200 when it was submitted before.
    pub status: u16,
    /// The transaction's id.
    pub id: TransactionId,
    /// Its place in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_id: Option<String>,
    /// What it does.
    #[serde(rename = "type")]
    pub kind: TransactionType,
    /// As signed.
    pub from: Party,
    /// As signed.
    pub to: Party,
    /// As signed.
    #[serde(with = "ms")]
    pub timestamp: Timestamp,
}

/// What a client reads of a receipt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptView {
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

impl From<Receipt> for ReceiptView {
    fn from(receipt: Receipt) -> Self {
        let Receipt {
            transaction_id: _,
            code,
            message,
            gas_used,
            result,
            logs,
            events,
        } = receipt;
        Self {
            code,
            message,
            gas_used,
            result,
            logs,
            events,
        }
    }
}

/// A transaction and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransactionView {
    /// Its id.
    pub id: TransactionId,
    /// What was signed, and the signature.
    #[serde(flatten)]
    pub signed: SignedTransaction,
    /// Where it stands.
    pub status: TransactionStatus,
    /// The block it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_height: Option<u64>,
    /// When it was signed, as ISO text.
    pub created_at: Timestamp,
    /// The time of its block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
    /// What became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptView>,
}

/// `GET /pending`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// How many wait.
    pub count: u64,
    /// The first of them.
    pub transactions: Vec<TransactionView>,
}

/// The flat form of `POST /users`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateUser {
    /// The new key, as signed.
    pub public_key: String,
    /// The name, as signed.
    pub username: String,
    /// The name for people.
    pub display_name: String,
    /// "" when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bio: Option<String>,
    /// `user` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// By the new key.
    pub signature: Signature,
    /// When it was signed.
    #[serde(with = "ms")]
    pub timestamp: Timestamp,
    /// 0.
    #[serde(default)]
    pub nonce: u64,
    /// The chain it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<String>,
}

/// The answer to `POST /users`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserQueued {
    /// The creating transaction.
    pub transaction_id: TransactionId,
    /// The id that the user will have.
    pub user_id: UserId,
    /// `queued`.
    pub status: TransactionStatus,
    /// In words.
    pub message: String,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    /// The id.
    pub id: UserId,
    /// The name with its `@`.
    pub username: Username,
    /// The name for people.
    pub display_name: String,
    /// The key that signs.
    pub public_key: PublicKey,
    /// The key's address.
    pub address: Address,
    /// What the user may do.
    pub role: Role,
    /// A few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bio: Option<String>,
    /// The last nonce used.
    pub nonce: u64,
    /// Time of the block that created the user.
    pub created_at: Timestamp,
    /// Time of the block that last changed the user.
    pub updated_at: Timestamp,
}

impl UserView {
    /// A user's state as it is answered.
    #[must_use]
    pub fn of(id: UserId, state: UserState, network: Network) -> Self {
        Self {
            id,
            address: Address::of(&state.public_key, network),
            username: state.username,
            display_name: state.display_name,
            public_key: state.public_key,
            role: state.role,
            bio: Some(state.bio).filter(|bio| !bio.is_empty()),
            nonce: state.nonce,
            created_at: state.created_at,
            updated_at: state.updated_at,
        }
    }
}

/// `GET /users/{id}/nonce`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NonceView {
    /// The user.
    pub user_id: UserId,
    /// The name.
    pub username: Username,
    /// The last nonce in a block.
    pub current_nonce: u64,
    /// The last nonce, counting what is queued.
    pub pending_nonce: u64,
    /// What the next transaction carries.
    pub next_nonce: u64,
}

/// Who owns a balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnerType {
    /// A user.
    User,
    /// A contract.
    Contract,
}

/// A balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BalanceView {
    /// The owner.
    pub owner_id: UserId,
    /// What the owner is.
    pub owner_type: OwnerType,
    /// The currency.
    pub currency_code: CurrencyCode,
    /// The shortest exact decimal text.
    pub amount: AmountText,
    /// Time of the block that last changed it.
    pub updated_at: Timestamp,
}

/// A currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrencyView {
    /// Its fields.
    #[serde(flatten)]
    pub currency: Currency,
    /// Whether the chain's owners vouch for it.
    pub verified: bool,
}

/// A block as it is listed, or whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockView {
    /// What the hash covers.
    #[serde(flatten)]
    pub header: BlockHeader,
    /// The hash of the header.
    pub hash: Hash32,
    /// The producer's; none on the genesis.
    pub signature: Option<Signature>,
    /// Not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<Vec<SignedTransaction>>,
    /// Not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipts: Option<Vec<Receipt>>,
    /// Not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_changes: Option<Vec<StateChange>>,
    /// How many of its transactions failed. Only in lists and events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_count: Option<u32>,
}

/// `POST /blocks/build`: what a producer asks the ledger to execute. Needs a token of a producer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildRequest {
    /// In the order of the queue. Ids that are in a block already are skipped and named in the answer.
    pub transactions: Vec<SignedTransaction>,
    /// What happens when nothing is left to put into a block.
    #[serde(default)]
    pub when_empty: WhenEmpty,
}

/// What happens when nothing is left to put into a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenEmpty {
    /// There is none.
    #[default]
    Skip,
    /// There is one all the same: a sign of life.
    Build,
}

/// The answer to `POST /blocks/build`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Built {
    /// The block to sign; `None` when nothing was left to put into one.
    pub block: Option<UnsignedBlock>,
    /// Those that are in a block already: to be acknowledged, not repeated.
    pub known: Vec<TransactionId>,
    /// Those that can never be in a block (such as a signature that does not fit), with the reason: dead letters.
    pub rejected: Vec<Rejected>,
}

/// A transaction that can never be in a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rejected {
    /// Which.
    pub id: TransactionId,
    /// Why, for programs.
    pub code: Code,
    /// Why.
    pub reason: String,
}

/// The answer to `POST /blocks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockAccepted {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: Hash32,
}

/// The six checks of a block, by their wire names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckName {
    /// The hash is the header's.
    Hash,
    /// The transaction root is the transactions'.
    TxRoot,
    /// Every transaction's signature fits.
    Signatures,
    /// The state root is what replay gives.
    StateRoot,
    /// The producer's signature fits.
    ProducerSignature,
    /// The state changes are what execution gives.
    StateChanges,
}

impl CheckName {
    /// All of them, in the order in which they are answered.
    pub const ALL: [Self; 6] = [
        Self::Hash,
        Self::TxRoot,
        Self::Signatures,
        Self::StateRoot,
        Self::ProducerSignature,
        Self::StateChanges,
    ];
}

/// One check of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockCheck {
    /// Which.
    pub name: CheckName,
    /// Whether it held.
    pub ok: bool,
    /// What did not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// `GET /blocks/{height}/verify`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockVerification {
    /// The block.
    pub height: u64,
    /// Whether all held.
    pub valid: bool,
    /// All six.
    pub checks: Vec<BlockCheck>,
}

/// `GET /proof/{key}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProofView {
    /// The state's key.
    pub key: StateKey,
    /// Its value after the block; absent where it has none, which the proof says too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The block.
    pub height: u64,
    /// The root that the proof is against.
    pub state_root: Hash32,
    /// What is checked with `tana_chain::tree::check_proof`.
    pub proof: Value,
}

/// A line of what `tanad verify` prints: first which blocks are verified, then each of them, and, where all of them are,
/// what the database holds besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VerificationLine {
    /// The blocks that are verified.
    Range {
        /// From this height on.
        from: u64,
        /// Up to this one.
        to: u64,
    },
    /// What was found of one.
    Block(BlockVerification),
    /// Rows of the database that belong to no block, in words.
    Strays(Vec<String>),
}

/// A deployed contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContractView {
    /// The id.
    pub id: ContractId,
    /// Who deployed it.
    pub owner_id: UserId,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// A few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// SHA-256 of its source.
    pub code_hash: Hash32,
    /// SHA-256 of the metered code, which is what runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metered_hash: Option<Hash32>,
    /// The version of the gas schedule that it was metered with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gas_schedule: Option<u32>,
    /// Whether it exports `contract`.
    #[serde(default)]
    pub has_contract: bool,
    /// Whether it exports `init`.
    pub has_init: bool,
    /// Whether it exports `get`.
    pub has_get: bool,
    /// Whether it exports `post`.
    pub has_post: bool,
    /// Whether it can be called.
    pub is_active: bool,
    /// The block that deployed it.
    pub deployed_in_block: u64,
    /// The transaction that deployed it.
    pub deployment_tx_id: TransactionId,
    /// The time of that block.
    pub created_at: Timestamp,
    /// Only when one is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_code: Option<String>,
}

/// The answer to `POST /contracts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContractQueued {
    /// The deployment.
    pub transaction_id: TransactionId,
    /// The contract, once that is in a block.
    pub contract_id: ContractId,
    /// SHA-256 of the source, as it was sent.
    pub code_hash: String,
    /// Where the deployment stands.
    pub status: TransactionStatus,
}

/// `GET /queue`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueView {
    /// `embedded` or `redis`.
    pub backend: String,
    /// Entries that are not acknowledged.
    pub length: u64,
    /// Entries that a producer has taken and not acknowledged.
    pub pending: u64,
    /// Entries that no block can take.
    pub dead: u64,
    /// The age of the oldest entry, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_ms: Option<u64>,
    /// Who reads.
    #[serde(default)]
    pub consumers: Vec<String>,
    /// What the operator should know, such as that the server may lose what was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// `GET /queue/dead`: an accepted transaction that no block can take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterView {
    /// The transaction's id.
    pub id: TransactionId,
    /// The place it had in the queue.
    pub stream_id: String,
    /// Why no block can take it, for programs.
    pub code: Code,
    /// Why no block can take it, in words.
    pub reason: String,
    /// Since when it lies there.
    pub buried_at: Timestamp,
    /// What was signed, and the signature.
    #[serde(flatten)]
    pub signed: SignedTransaction,
}

/// The answer to `DELETE /queue/dead/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterDropped {
    /// Which.
    pub id: TransactionId,
    /// That it is gone.
    pub dropped: bool,
}

/// `GET /info` of the ledger: which chain it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChainInfo {
    /// The chain's id.
    pub chain_id: String,
    /// The chain's name.
    pub name: String,
    /// The hash of the genesis block.
    pub genesis_hash: Hash32,
    /// The tip's height.
    pub height: u64,
    /// Whose blocks are accepted.
    pub validators: Vec<crate::genesis::Validator>,
}

/// Names of the ledger's SSE events. `block` carries a listed [`BlockView`], `transaction` a
/// [`TransactionEvent`], `queue` a [`QueueEvent`].
pub mod event {
    /// A block was committed.
    pub const BLOCK: &str = "block";
    /// A transaction is in a block.
    pub const TRANSACTION: &str = "transaction";
    /// The queue's length changed.
    pub const QUEUE: &str = "queue";
}

/// A transaction is in a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransactionEvent {
    /// Which.
    pub id: TransactionId,
    /// `confirmed` or `failed`.
    pub status: TransactionStatus,
    /// The block it is in.
    pub block_height: u64,
    /// The receipt's code.
    pub code: String,
}

/// The queue's length changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueEvent {
    /// Entries that are not acknowledged.
    pub length: u64,
}

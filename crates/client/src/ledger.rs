//! The ledger: users, balances, transactions, blocks, contracts, the queue and its events.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::de::DeserializeOwned;
use tana_protocol::api::content::SyncStatus;
use tana_protocol::api::health::Health;
use tana_protocol::api::ledger::{
    BalanceView, BatchAnswer, BlockAccepted, BlockVerification, BlockView, BuildRequest, Built,
    ChainInfo, ContractView, CreateUser, CurrencyView, DeadLetterDropped, DeadLetterView,
    InclusionView, NonceView, Pending, ProofView, QueueEvent, QueueView, Submitted,
    TransactionEvent, TransactionStatus, TransactionView, UserQueued, UserView, event,
};
use tana_protocol::block::SignedBlockText;
use tana_protocol::{
    ContractId, ContractName, PublicKey, ServiceToken, SignedTransaction, StateKey, TransactionId,
    TransactionType, UserId, Username,
};

use crate::error::ClientError;
use crate::events::{EventStream, StreamEvent};
use crate::http::{Http, Repeat};
use crate::page::{Page, PageQuery};

/// Which transactions a list holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionFilter {
    /// From or to this user.
    pub account: Option<UserId>,
    /// Of this type.
    pub kind: Option<TransactionType>,
    /// That stand there.
    pub status: Option<TransactionStatus>,
}

/// What the ledger reports as it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum LedgerEvent {
    /// A block was committed.
    Block(Box<BlockView>),
    /// A transaction is in a block.
    Transaction(TransactionEvent),
    /// The queue's length changed.
    Queue(QueueEvent),
}

impl StreamEvent for LedgerEvent {
    fn decode(name: &str, data: &str) -> Result<Option<Self>, serde_json::Error> {
        Ok(Some(match name {
            event::BLOCK => Self::Block(serde_json::from_str(data)?),
            event::TRANSACTION => Self::Transaction(serde_json::from_str(data)?),
            event::QUEUE => Self::Queue(serde_json::from_str(data)?),
            _ => return Ok(None),
        }))
    }
}

/// A client of one ledger.
#[derive(Clone, Debug)]
pub struct LedgerClient(Http);

impl LedgerClient {
    /// A client of the ledger at a base URL. Nothing is connected yet.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn new(base: &str) -> Result<Self, ClientError> {
        Http::to("ledger", base).map(Self)
    }

    /// Where it is.
    #[must_use]
    pub fn base(&self) -> &str {
        self.0.base()
    }

    /// Whether it lives and is ready, and what is not.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.0.health().await
    }

    /// What the chain refers to that the node lacks, and from where it comes.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn content_status(&self) -> Result<SyncStatus, ClientError> {
        self.0.get(&["content", "status"]).await
    }

    /// Which chain it serves, and how high it stands.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn info(&self) -> Result<ChainInfo, ClientError> {
        self.0.get(&["info"]).await
    }

    /// Submits a transaction. Sent again when the answer is lost: the same transaction is never queued twice.
    ///
    /// # Errors
    /// The problem when it is refused.
    pub async fn submit(&self, transaction: &SignedTransaction) -> Result<Submitted, ClientError> {
        self.0
            .post(&["transactions"], transaction, Repeat::Allowed)
            .await
    }

    /// Submits up to 500, answered in the same order.
    ///
    /// # Errors
    /// When the whole is refused; members have errors of their own.
    pub async fn submit_batch(
        &self,
        transactions: &[SignedTransaction],
    ) -> Result<Vec<BatchAnswer>, ClientError> {
        self.0
            .post(&["transactions"], transactions, Repeat::Allowed)
            .await
    }

    /// Creates a user, flat form.
    ///
    /// # Errors
    /// The problem when it is refused.
    pub async fn create_user(&self, user: &CreateUser) -> Result<UserQueued, ClientError> {
        self.0.post(&["users"], user, Repeat::Allowed).await
    }

    /// A transaction and what became of it.
    ///
    /// # Errors
    /// `not-found` where there is none.
    pub async fn transaction(&self, id: &TransactionId) -> Result<TransactionView, ClientError> {
        self.0.get(&["transactions", &id.to_string()]).await
    }

    /// Transactions, newest first.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn transactions(
        &self,
        filter: &TransactionFilter,
        page: &PageQuery,
    ) -> Result<Page<TransactionView>, ClientError> {
        let mut query = Vec::new();
        if let Some(account) = &filter.account {
            query.push(("account", account.to_string()));
        }
        if let Some(kind) = filter.kind {
            query.push(("type", kind.as_str().to_owned()));
        }
        if let Some(status) = filter.status {
            query.push(("status", status.as_str().to_owned()));
        }
        self.0.page(&["transactions"], page, query).await
    }

    /// What waits for a block.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn pending(&self) -> Result<Pending, ClientError> {
        self.0.get(&["pending"]).await
    }

    /// Users, newest first.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn users(&self, page: &PageQuery) -> Result<Page<UserView>, ClientError> {
        self.0.page(&["users"], page, Vec::new()).await
    }

    /// One user.
    ///
    /// # Errors
    /// `not-found` where there is none.
    pub async fn user(&self, id: &UserId) -> Result<UserView, ClientError> {
        self.0.get(&["users", &id.to_string()]).await
    }

    /// One user by name.
    ///
    /// # Errors
    /// `not-found` where there is none.
    pub async fn user_named(&self, name: &Username) -> Result<UserView, ClientError> {
        self.0.get(&["users", "username", name.as_str()]).await
    }

    /// One user by key.
    ///
    /// # Errors
    /// `not-found` where there is none.
    pub async fn user_with_key(&self, key: &PublicKey) -> Result<UserView, ClientError> {
        self.0.get(&["users", "publicKey", &key.to_string()]).await
    }

    /// What a user's next transaction carries.
    ///
    /// # Errors
    /// `not-found` where there is no such user.
    pub async fn nonce(&self, id: &UserId) -> Result<NonceView, ClientError> {
        self.0.get(&["users", &id.to_string(), "nonce"]).await
    }

    /// What a user has.
    ///
    /// # Errors
    /// `not-found` where there is no such user.
    pub async fn balances(&self, id: &UserId) -> Result<Vec<BalanceView>, ClientError> {
        self.0.get(&["users", &id.to_string(), "balances"]).await
    }

    /// The chain's currencies.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn currencies(&self) -> Result<Vec<CurrencyView>, ClientError> {
        self.0.get(&["currencies"]).await
    }

    /// Blocks, newest first, without their bodies.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn blocks(&self, page: &PageQuery) -> Result<Page<BlockView>, ClientError> {
        self.0.page(&["blocks"], page, Vec::new()).await
    }

    /// The tip, whole.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn latest_block(&self) -> Result<BlockView, ClientError> {
        self.0.get(&["blocks", "latest"]).await
    }

    /// One block, whole.
    ///
    /// # Errors
    /// `not-found` above the tip.
    pub async fn block(&self, height: u64) -> Result<BlockView, ClientError> {
        self.0.get(&["blocks", &height.to_string()]).await
    }

    /// The ledger's own check of a block.
    ///
    /// # Errors
    /// `not-found` above the tip.
    pub async fn verify_block(&self, height: u64) -> Result<BlockVerification, ClientError> {
        self.0.get(&["blocks", &height.to_string(), "verify"]).await
    }

    /// A value of the state after a block, or that there is none, with its proof. What it says is to be checked.
    ///
    /// # Errors
    /// `not-found` above the tip.
    pub async fn proof(&self, key: &StateKey, height: u64) -> Result<ProofView, ClientError> {
        let key = key.to_string();
        let path: Vec<&str> = std::iter::once("proof").chain(key.split('/')).collect();
        self.0
            .request(Method::GET, &path)
            .query(vec![("height", height.to_string())])
            .json()
            .await
    }

    /// That a transaction is in its block. What it says is to be checked.
    ///
    /// # Errors
    /// `not-found` where it is in none.
    pub async fn inclusion(&self, id: &TransactionId) -> Result<InclusionView, ClientError> {
        self.0
            .request(Method::GET, &["transactions", &id.to_string(), "proof"])
            .json()
            .await
    }

    /// Has a block executed, without committing it. For producers.
    ///
    /// # Errors
    /// The problem when it is refused.
    pub async fn build_block<B: DeserializeOwned + Send + 'static>(
        &self,
        request: &BuildRequest,
        token: &ServiceToken,
    ) -> Result<Built<B>, ClientError> {
        self.0
            .request(Method::POST, &["blocks", "build"])
            .repeat(Repeat::Allowed)
            .token(token)
            .body(request)
            .json()
            .await
    }

    /// Hands over a signed block. For producers. Not repeated here: a producer looks at the tip first.
    ///
    /// # Errors
    /// `wrong-height` with the height that was expected, or another problem.
    pub async fn commit_block(
        &self,
        block: impl Into<SignedBlockText>,
        token: &ServiceToken,
    ) -> Result<BlockAccepted, ClientError> {
        self.0
            .request(Method::POST, &["blocks"])
            .token(token)
            .text(block.into().into())
            .json()
            .await
    }

    /// Contracts, newest first.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn contracts(&self, page: &PageQuery) -> Result<Page<ContractView>, ClientError> {
        self.0.page(&["contracts"], page, Vec::new()).await
    }

    /// One contract with its source.
    ///
    /// # Errors
    /// `not-found` where there is none.
    pub async fn contract(&self, id: &ContractId) -> Result<ContractView, ClientError> {
        self.0.get(&["contracts", &id.to_string()]).await
    }

    /// The contract that answers to a name, with its source.
    ///
    /// # Errors
    /// `not-found` where there is none.
    pub async fn contract_named(&self, name: &ContractName) -> Result<ContractView, ClientError> {
        self.0.get(&["contracts", "name", name.as_str()]).await
    }

    /// All that a contract has stored.
    ///
    /// # Errors
    /// `not-found` where there is no such contract.
    pub async fn contract_data(
        &self,
        id: &ContractId,
    ) -> Result<BTreeMap<String, String>, ClientError> {
        self.0.get(&["contracts", &id.to_string(), "data"]).await
    }

    /// How the queue is.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn queue(&self) -> Result<QueueView, ClientError> {
        self.0.get(&["queue"]).await
    }

    /// Accepted transactions that no block can take, the last first, at most so many.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn dead_letters(&self, most: u32) -> Result<Vec<DeadLetterView>, ClientError> {
        let call = self.0.request(Method::GET, &["queue", "dead"]);
        call.query(vec![("limit", most.to_string())]).json().await
    }

    /// One dead letter.
    ///
    /// # Errors
    /// `not-found` where there is none.
    pub async fn dead_letter(&self, id: &TransactionId) -> Result<DeadLetterView, ClientError> {
        self.0.get(&["queue", "dead", &id.to_string()]).await
    }

    /// Queues a dead letter again, if the rules let it pass now. For producers.
    ///
    /// # Errors
    /// The problem when it is refused; it stays a dead letter then.
    pub async fn retry_dead_letter(
        &self,
        id: &TransactionId,
        token: &ServiceToken,
    ) -> Result<Submitted, ClientError> {
        let id = id.to_string();
        let call = self
            .0
            .request(Method::POST, &["queue", "dead", &id, "retry"]);
        call.token(token).json().await
    }

    /// Deletes a dead letter. For producers.
    ///
    /// # Errors
    /// `not-found` where there is none.
    pub async fn drop_dead_letter(
        &self,
        id: &TransactionId,
        token: &ServiceToken,
    ) -> Result<DeadLetterDropped, ClientError> {
        let id = id.to_string();
        let call = self.0.request(Method::DELETE, &["queue", "dead", &id]);
        call.token(token).json().await
    }

    /// Blocks, transactions and the queue's length, as they change.
    #[must_use]
    pub fn events(&self) -> EventStream<LedgerEvent> {
        EventStream::open(self.0.clone(), &["events"], Vec::new())
    }

    /// The same without those of other names than these of [`event`]: a busy chain has one for each transaction.
    #[must_use]
    pub fn events_of(&self, names: &[&str]) -> EventStream<LedgerEvent> {
        let only = vec![("only", names.join(","))];
        EventStream::open(self.0.clone(), &["events"], only)
    }
}

//! Transactions that an application asks a user for: made here, signed by the phone, carried out by the ledger.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tana_client::ClientError;
use tana_protocol::api::approval::{
    ApproveTransaction, RegisterDevice, RequestQr, RequestStatus, RequestTransaction,
    TransactionRequested,
};
use tana_protocol::api::ledger::{TransactionStatus, TransactionView};
use tana_protocol::login::RequestId;
use tana_protocol::problem::Code;
use tana_protocol::{SignedTransaction, Timestamp, Transaction, TransactionId, TransactionType};
use tana_store::StoreResult;
use tana_store::identity::LiveLogin;
use tana_store::identity::requests::{Device, RequestStep, RequestStepped, TransactionRequest};
use tokio::sync::Notify;

use super::error::IdentityError;
use super::service::Identity;
use super::streams::{Streams, Told, Watch};
use super::tokens;

/// The longest text that a phone is asked to sign.
const MESSAGE: usize = 64 * 1024;

/// Phones of one user.
const DEVICES: usize = 50;

/// How a request stands.
impl Told for TransactionRequest {
    fn is_last(&self) -> bool {
        self.status.is_last()
    }
}

/// Who watches requests, and which transactions are on their way.
#[derive(Default)]
pub(super) struct Approvals {
    streams: Streams<RequestId, TransactionRequest>,
    on_their_way: Mutex<HashMap<TransactionId, RequestId>>,
    more: Notify,
    /// A transaction was asked for: its user's phones are to be told.
    asked: Notify,
}

impl Approvals {
    fn lock(&self) -> MutexGuard<'_, HashMap<TransactionId, RequestId>> {
        self.on_their_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows a transaction until it is settled.
    pub(super) fn follow(&self, transaction: TransactionId, request: RequestId) {
        self.lock().insert(transaction, request);
        self.more.notify_one();
    }

    pub(super) fn forget(&self, transaction: &TransactionId) {
        self.lock().remove(transaction);
    }

    /// The request whose transaction this is.
    pub(super) fn of(&self, transaction: &TransactionId) -> Option<RequestId> {
        self.lock().get(transaction).cloned()
    }

    pub(super) fn all(&self) -> Vec<(TransactionId, RequestId)> {
        let followed = self.lock();
        followed.iter().map(|(tx, id)| (*tx, id.clone())).collect()
    }

    /// Waits until a transaction is asked for.
    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Waits until another one is followed.
    pub(super) async fn more(&self) {
        self.more.notified().await;
    }
}

fn ledger(error: ClientError) -> IdentityError {
    match error {
        ClientError::Problem(problem) if !matches!(problem.status, 429 | 500..) => {
            IdentityError::Refused(problem)
        }
        other => IdentityError::Ledger(Box::new(other)),
    }
}

fn step(from: RequestStatus, to: RequestStatus) -> RequestStep {
    RequestStep {
        from,
        to,
        transaction_id: None,
        reason: None,
    }
}

impl Identity {
    /// Asks a user for a transaction.
    pub(super) async fn ask(
        &self,
        bearer: LiveLogin,
        wanted: RequestTransaction,
    ) -> Result<TransactionRequested, IdentityError> {
        if wanted.kind == TransactionType::UserCreation {
            return Err(IdentityError::Malformed(
                "a user_creation is signed by the new user's phone, not asked for here".to_owned(),
            ));
        }
        let login = bearer.login;
        let nonce = self.ledger().nonce(&login.user_id).await.map_err(ledger)?;
        let chain = self.ledger().info().await.map_err(ledger)?;
        let now = self.now();
        let transaction = Transaction {
            amount: wanted.amount,
            currency_code: wanted.currency_code,
            contract_id: wanted.contract_id,
            contract_input: wanted.contract_input,
            metadata: wanted.metadata,
            chain_id: Some(chain.chain_id),
            ..Transaction::new(
                wanted.kind,
                login.user_id.into(),
                wanted.to,
                now,
                nonce.next_nonce,
            )
        };
        let request = TransactionRequest {
            id: tokens::request_id(),
            user_id: login.user_id,
            public_key: login.public_key,
            status: RequestStatus::Pending,
            message: transaction.message(),
            app_name: bearer.app_name,
            created_at: now,
            expires_at: now.plus(self.config().code_lives),
            transaction_id: None,
            reason: None,
        };
        if request.message.len() > MESSAGE {
            return Err(IdentityError::Malformed(format!(
                "the transaction has {} bytes, more than the {MESSAGE} that a phone is asked to sign",
                request.message.len()
            )));
        }
        self.store().add_request(&request).await?;
        self.code_made();
        self.approvals().asked.notify_one();
        let qr_data = RequestQr {
            protocol: "tana".to_owned(),
            kind: "transaction".to_owned(),
            version: "1".to_owned(),
            request_id: request.id.clone(),
            server: self.config().server.clone(),
            app_name: request.app_name,
        };
        Ok(TransactionRequested {
            request_id: request.id,
            status: request.status,
            expires_at: request.expires_at,
            qr_uri: qr_data.uri(),
            qr_data,
        })
    }

    /// One request, as it stands whether or not its expiry has been marked.
    pub(super) async fn request(&self, id: &str) -> Result<TransactionRequest, IdentityError> {
        let id: RequestId = id.parse().map_err(|_| IdentityError::UnknownRequest)?;
        let found = self.store().request(&id).await?;
        let request = found.ok_or(IdentityError::UnknownRequest)?;
        Ok(as_it_stands(request, self.now()))
    }

    async fn pending(&self, id: &str) -> Result<TransactionRequest, IdentityError> {
        let request = self.request(id).await?;
        match request.status {
            RequestStatus::Pending => Ok(request),
            RequestStatus::Expired => Err(IdentityError::RequestExpired),
            other => Err(IdentityError::RequestNotOpen(other)),
        }
    }

    /// Does a step and tells who watches.
    async fn step_request(&self, id: &RequestId, step: &RequestStep) -> Result<(), IdentityError> {
        match self.store().step_request(id, step, self.now()).await? {
            RequestStepped::Done(request) => {
                self.approvals().streams.tell(id, *request);
                Ok(())
            }
            RequestStepped::TooLate(request) if request.status == RequestStatus::Pending => {
                if request.expires_at > self.now() {
                    // Open still: it is the transaction that answers another request.
                    Err(IdentityError::Differs("transaction"))
                } else {
                    Err(IdentityError::RequestExpired)
                }
            }
            RequestStepped::TooLate(request) => Err(IdentityError::RequestNotOpen(request.status)),
            RequestStepped::Unknown => Err(IdentityError::UnknownRequest),
        }
    }

    /// The phone approves: with a signature that is submitted here, or by naming what it has submitted itself.
    pub(super) async fn approve_request(
        &self,
        id: &str,
        body: ApproveTransaction,
    ) -> Result<TransactionId, IdentityError> {
        let request = self.pending(id).await?;
        match (
            body.message,
            body.signature,
            body.public_key,
            body.transaction_id,
        ) {
            (Some(message), Some(signature), Some(key), None) => {
                if message != request.message {
                    return Err(IdentityError::Differs("transaction"));
                }
                if key != request.public_key {
                    return Err(IdentityError::WrongKey(
                        self.known_name(&request).await.map_err(ledger)?,
                    ));
                }
                key.verify(&message, &signature)
                    .map_err(|_| IdentityError::Signature)?;
                let transaction = asked_for(&request)?;
                self.submit(
                    &request,
                    SignedTransaction {
                        transaction,
                        signature,
                    },
                )
                .await
            }
            (None, None, None, Some(transaction)) => self.adopt(&request, transaction).await,
            _ => Err(IdentityError::Malformed(
                "either message, signature and publicKey are needed, or transactionId alone"
                    .to_owned(),
            )),
        }
    }

    async fn known_name(
        &self,
        request: &TransactionRequest,
    ) -> Result<tana_protocol::Username, ClientError> {
        Ok(self.ledger().user(&request.user_id).await?.username)
    }

    async fn submit(
        &self,
        request: &TransactionRequest,
        signed: SignedTransaction,
    ) -> Result<TransactionId, IdentityError> {
        let transaction = signed.id();
        let approved = RequestStep {
            transaction_id: Some(transaction),
            ..step(RequestStatus::Pending, RequestStatus::Approved)
        };
        self.step_request(&request.id, &approved).await?;
        // Before it is handed over: its block may come sooner than the ledger's answer.
        self.approvals().follow(transaction, request.id.clone());
        match self.ledger().submit(&signed).await.map_err(ledger) {
            Ok(_) => {
                let submitted = step(RequestStatus::Approved, RequestStatus::Submitted);
                match self.step_request(&request.id, &submitted).await {
                    // It was in a block already, and the follower has said so.
                    Ok(()) | Err(IdentityError::RequestNotOpen(_)) => Ok(transaction),
                    Err(error) => Err(error),
                }
            }
            Err(IdentityError::Refused(problem)) => {
                self.approvals().forget(&transaction);
                let failed = RequestStep {
                    reason: Some(problem.detail.clone()),
                    ..step(RequestStatus::Approved, RequestStatus::Failed)
                };
                self.step_request(&request.id, &failed).await?;
                Err(IdentityError::Refused(problem))
            }
            Err(error) => {
                // The phone may send the same again: a transaction is queued once, however often it is submitted.
                self.approvals().forget(&transaction);
                let again = step(RequestStatus::Approved, RequestStatus::Pending);
                self.step_request(&request.id, &again).await?;
                Err(error)
            }
        }
    }

    /// A transaction that the phone has submitted itself: it must do what was asked for.
    async fn adopt(
        &self,
        request: &TransactionRequest,
        id: TransactionId,
    ) -> Result<TransactionId, IdentityError> {
        let found = match self.ledger().transaction(&id).await {
            Ok(found) => found,
            Err(error) if error.code() == Some(Code::NotFound) => {
                return Err(IdentityError::Differs("transaction"));
            }
            Err(error) => return Err(ledger(error)),
        };
        let mut wanted = asked_for(request)?;
        // One with a lower nonce was made before anybody asked: an old payment is no answer to a new request.
        if found.signed.transaction.nonce < wanted.nonce {
            return Err(IdentityError::Differs("transaction"));
        }
        // Otherwise when and under which nonce is the phone's to choose.
        wanted.timestamp = found.signed.transaction.timestamp;
        wanted.nonce = found.signed.transaction.nonce;
        wanted
            .chain_id
            .clone_from(&found.signed.transaction.chain_id);
        if wanted != found.signed.transaction {
            return Err(IdentityError::Differs("transaction"));
        }
        let submitted = RequestStep {
            transaction_id: Some(id),
            ..step(RequestStatus::Pending, RequestStatus::Submitted)
        };
        self.step_request(&request.id, &submitted).await?;
        self.approvals().follow(id, request.id.clone());
        // Read again: it may have been put into a block before it was followed.
        if let Ok(found) = self.ledger().transaction(&id).await {
            self.settle(&request.id, &found).await?;
        }
        Ok(id)
    }

    /// Writes what became of a transaction, once it is in a block.
    pub(super) async fn settle(
        &self,
        request: &RequestId,
        found: &TransactionView,
    ) -> Result<(), IdentityError> {
        let (to, reason) = match found.status {
            TransactionStatus::Queued => return Ok(()),
            TransactionStatus::Confirmed => (RequestStatus::Confirmed, None),
            TransactionStatus::Failed => (
                RequestStatus::Failed,
                found
                    .receipt
                    .as_ref()
                    .map(|receipt| receipt.message.clone()),
            ),
        };
        for from in [RequestStatus::Submitted, RequestStatus::Approved] {
            let settled = RequestStep {
                reason: reason.clone(),
                ..step(from, to)
            };
            match self.step_request(request, &settled).await {
                Ok(()) => break,
                Err(IdentityError::RequestNotOpen(_) | IdentityError::UnknownRequest) => {}
                Err(error) => return Err(error),
            }
        }
        self.approvals().forget(&found.id);
        Ok(())
    }

    /// An approved request whose transaction the ledger has never seen: the phone may approve again.
    pub(super) async fn reopen(&self, request: &RequestId) -> Result<(), IdentityError> {
        let again = step(RequestStatus::Approved, RequestStatus::Pending);
        self.step_request(request, &again).await
    }

    pub(super) async fn reject_request(
        &self,
        id: &str,
        reason: Option<String>,
    ) -> Result<(), IdentityError> {
        let request = self.pending(id).await?;
        let rejected = RequestStep {
            reason: reason.map(|text| {
                let shown = text.chars().filter(|c| !c.is_control());
                shown.take(200).collect()
            }),
            ..step(RequestStatus::Pending, RequestStatus::Rejected)
        };
        self.step_request(&request.id, &rejected).await
    }

    pub(super) async fn watch_request(
        &self,
        id: &str,
    ) -> Result<(Watch<RequestId, TransactionRequest>, TransactionRequest), IdentityError> {
        let request = self.request(id).await?;
        let watch = self.approvals().streams.watch(&request.id);
        // Read again: what happened before the watch began is in the state, what happens after is in the watch.
        Ok((watch, self.request(id).await?))
    }

    /// Ends the requests that are over.
    pub(super) async fn end_requests(&self, now: Timestamp) -> StoreResult<()> {
        for request in self.store().expire_requests(now).await? {
            let id = request.id.clone();
            self.approvals().streams.tell(&id, request);
        }
        Ok(())
    }

    pub(super) async fn add_device(
        &self,
        bearer: &LiveLogin,
        wanted: RegisterDevice,
    ) -> Result<Device, IdentityError> {
        let texts = [
            ("pushToken", Some(&wanted.push_token), 512),
            ("deviceName", wanted.device_name.as_ref(), 100),
            ("platform", wanted.platform.as_ref(), 50),
            ("appVersion", wanted.app_version.as_ref(), 50),
        ];
        for (name, text, most) in texts {
            let fits = text.is_none_or(|text| {
                !text.is_empty() && text.len() <= most && !text.chars().any(char::is_control)
            });
            if !fits {
                return Err(IdentityError::Malformed(format!(
                    "{name} must be 1 to {most} bytes without control characters"
                )));
            }
        }
        let known = self.store().devices(&bearer.login.user_id).await?;
        let is_new = known
            .iter()
            .all(|device| device.push_token != wanted.push_token);
        if is_new && known.len() >= DEVICES {
            return Err(IdentityError::TooManyDevices(DEVICES));
        }
        let device = Device {
            id: format!("dev_{:032x}", rand::random::<u128>()),
            user_id: bearer.login.user_id,
            push_token: wanted.push_token,
            device_name: wanted.device_name,
            platform: wanted.platform,
            app_version: wanted.app_version,
            created_at: self.now(),
        };
        Ok(self.store().add_device(&device).await?)
    }

    pub(super) async fn remove_device(
        &self,
        bearer: &LiveLogin,
        id: &str,
    ) -> Result<(), IdentityError> {
        match self
            .store()
            .remove_device(&bearer.login.user_id, id)
            .await?
        {
            0 => Err(IdentityError::UnknownDevice),
            _ => Ok(()),
        }
    }
}

/// A request at `now`, whether or not its expiry has been marked.
pub(super) fn as_it_stands(request: TransactionRequest, now: Timestamp) -> TransactionRequest {
    if request.status == RequestStatus::Pending && request.expires_at <= now {
        return TransactionRequest {
            status: RequestStatus::Expired,
            ..request
        };
    }
    request
}

/// The transaction of a request, read back from the text that is signed.
pub(super) fn asked_for(request: &TransactionRequest) -> Result<Transaction, IdentityError> {
    serde_json::from_str(&request.message).map_err(|error| {
        IdentityError::Store(tana_store::StoreError::Damaged {
            what: format!("transaction request {}", request.id),
            detail: error.to_string(),
        })
    })
}

//! Transactions that an application asks a user for: made, read, rejected and ended here. What a phone approves is
//! `approve`'s.

use std::time::Duration;

use tana_client::ClientError;
use tana_protocol::api::approval::{
    RequestQr, RequestStatus, RequestTransaction, TransactionRequested,
};
use tana_protocol::login::RequestId;
use tana_protocol::{Timestamp, Transaction, TransactionType};
use tana_store::StoreResult;
use tana_store::identity::LiveLogin;
use tana_store::identity::requests::{
    Added, RequestStep, RequestStepped, Room, TransactionRequest,
};

use super::error::IdentityError;
use super::service::Identity;
use super::streams::Watch;
use super::tokens;

/// The longest text that a phone is asked to sign.
const MESSAGE: usize = 64 * 1024;

/// Requests of one user within the time that one lives, not counting those that were signed.
const REQUESTS: u32 = 50;

pub(super) fn ledger(error: ClientError) -> IdentityError {
    match error {
        ClientError::Problem(problem) if !matches!(problem.status, 429 | 500..) => {
            IdentityError::Refused(problem)
        }
        other => IdentityError::Ledger(Box::new(other)),
    }
}

pub(super) fn step(from: RequestStatus, to: RequestStatus) -> RequestStep {
    RequestStep {
        from,
        also_from: None,
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
        // By when it was made, not by whether it is open: anybody who knows a request can reject it and make room.
        let room = Room {
            most: REQUESTS,
            since: before(now, self.config().code_lives),
        };
        if self.store().add_request(&request, room).await? == Added::NoRoom {
            return Err(IdentityError::TooManyRequests {
                most: REQUESTS,
                within: self.config().code_lives,
            });
        }
        self.code_made();
        self.approvals().tell_asked();
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

    pub(super) async fn pending(&self, id: &str) -> Result<TransactionRequest, IdentityError> {
        let request = self.request(id).await?;
        match request.status {
            RequestStatus::Pending => Ok(request),
            RequestStatus::Expired => Err(IdentityError::RequestExpired),
            other => Err(IdentityError::RequestNotOpen(other)),
        }
    }

    /// Does a step and tells who watches.
    pub(super) async fn step_request(
        &self,
        id: &RequestId,
        step: &RequestStep,
    ) -> Result<(), IdentityError> {
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
}

fn before(now: Timestamp, time: Duration) -> Timestamp {
    let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_ms(now.ms().saturating_sub(time))
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

//! What a phone approves: handed to the ledger, or adopted where the phone has handed it over itself, and written down as
//! far as the ledger's answer reaches. What it does not say `follow` learns.

use std::time::Instant;

use tana_client::ClientError;
use tana_protocol::api::approval::{ApproveTransaction, RequestStatus};
use tana_protocol::api::ledger::{Submitted, TransactionStatus, TransactionView};
use tana_protocol::login::RequestId;
use tana_protocol::problem::{Code, Problem};
use tana_protocol::{SignedTransaction, TransactionId};
use tana_store::identity::requests::{RequestStep, TransactionRequest};

use super::error::IdentityError;
use super::on_the_way::Way;
use super::requests::{asked_for, ledger, step};
use super::service::Identity;

impl Identity {
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
        let follow = |way| {
            self.approvals()
                .follow(transaction, request.id.clone(), way);
        };
        let approved = RequestStep {
            transaction_id: Some(transaction),
            ..step(RequestStatus::Pending, RequestStatus::Approved)
        };
        if let Err(error) = self.step_request(&request.id, &approved).await {
            if matches!(error, IdentityError::Store(_)) {
                // It may have been written all the same, and nobody hands it over.
                follow(Way::Unknown(Instant::now()));
            }
            return Err(error);
        }
        // Before it is handed over: its block may come sooner than the ledger's answer.
        follow(Way::HandingOver);
        match handed_over(self.ledger().submit(&signed).await) {
            HandedOver::Taken => {
                let submitted = step(RequestStatus::Approved, RequestStatus::Submitted);
                match self.step_request(&request.id, &submitted).await {
                    // It was in a block already, and the follower has said so.
                    Ok(()) | Err(IdentityError::RequestNotOpen(_)) => {
                        self.approvals().taken(&transaction);
                    }
                    Err(error) => {
                        tracing::warn!(request = %request.id, "that it was submitted cannot be written yet: {error}");
                        follow(Way::Unknown(Instant::now()));
                    }
                }
                Ok(transaction)
            }
            HandedOver::Refused(problem) => {
                self.approvals().forget(&transaction);
                let failed = RequestStep {
                    reason: Some(problem.detail.clone()),
                    ..step(RequestStatus::Approved, RequestStatus::Failed)
                };
                if let Err(error) = self.step_request(&request.id, &failed).await {
                    follow(Way::Unknown(Instant::now()));
                    return Err(error);
                }
                Err(IdentityError::Refused(problem))
            }
            HandedOver::NotTaken(error) => {
                // The phone may send the same again.
                self.reopen(&request.id, transaction).await?;
                Err(IdentityError::Ledger(error))
            }
            HandedOver::Unknown(error) => {
                // It may be on its way, so nobody is to ask for another: `follow` learns whether it is.
                follow(Way::Unknown(Instant::now()));
                Err(IdentityError::Unknown(error))
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
        self.approvals().follow(id, request.id.clone(), Way::Taken);
        // Read again: it may have been put into a block before it was followed.
        if let Ok(found) = self.ledger().transaction(&id).await {
            self.settle(&request.id, &found).await?;
        }
        Ok(id)
    }

    /// Writes what has become of a transaction, as the ledger tells it.
    pub(super) async fn settle(
        &self,
        request: &RequestId,
        found: &TransactionView,
    ) -> Result<(), IdentityError> {
        let settled = match found.status {
            TransactionStatus::Queued => return self.is_queued(request, &found.id).await,
            TransactionStatus::Confirmed => RequestStep {
                also_from: Some(RequestStatus::Approved),
                ..step(RequestStatus::Submitted, RequestStatus::Confirmed)
            },
            TransactionStatus::Failed => RequestStep {
                also_from: Some(RequestStatus::Approved),
                reason: found
                    .receipt
                    .as_ref()
                    .map(|receipt| receipt.message.clone()),
                ..step(RequestStatus::Submitted, RequestStatus::Failed)
            },
        };
        match self.step_request(request, &settled).await {
            // It came to stand like this between the step and the look at it; the next step meets it.
            Err(IdentityError::RequestNotOpen(status)) if !status.is_last() => Ok(()),
            Err(error @ IdentityError::Store(_)) => Err(error),
            _ => {
                self.approvals().forget(&found.id);
                Ok(())
            }
        }
    }

    /// The ledger has it: so far that was not known, perhaps.
    async fn is_queued(
        &self,
        request: &RequestId,
        transaction: &TransactionId,
    ) -> Result<(), IdentityError> {
        let known = self.approvals().of(transaction);
        if known.is_none_or(|known| known.way == Way::Taken) {
            return Ok(());
        }
        let submitted = step(RequestStatus::Approved, RequestStatus::Submitted);
        if let Err(error @ IdentityError::Store(_)) = self.step_request(request, &submitted).await {
            return Err(error);
        }
        self.approvals().taken(transaction);
        Ok(())
    }

    /// An approved request whose transaction the ledger has never seen, and nobody hands over: the phone may approve again.
    pub(super) async fn reopen(
        &self,
        request: &RequestId,
        transaction: TransactionId,
    ) -> Result<(), IdentityError> {
        // First: once it is open, the phone may hand the same over again.
        self.approvals().forget(&transaction);
        let again = step(RequestStatus::Approved, RequestStatus::Pending);
        match self.step_request(request, &again).await {
            Err(error @ IdentityError::Store(_)) => {
                let way = Way::Unknown(Instant::now());
                self.approvals().follow(transaction, request.clone(), way);
                Err(error)
            }
            // Where it stands elsewhere it is not approved any more.
            _ => {
                self.code_reopened();
                Ok(())
            }
        }
    }
}

/// What came of handing a transaction to the ledger.
enum HandedOver {
    /// The ledger has it.
    Taken,
    /// The ledger will never have it.
    Refused(Box<Problem>),
    /// The ledger does not have it.
    NotTaken(Box<ClientError>),
    /// The ledger may have it.
    Unknown(Box<ClientError>),
}

fn handed_over(answer: Result<Submitted, ClientError>) -> HandedOver {
    match answer {
        Ok(_) => HandedOver::Taken,
        Err(ClientError::Problem(problem)) if !matches!(problem.status, 429 | 500..) => {
            HandedOver::Refused(problem)
        }
        Err(error) => {
            let too_many = matches!(&error, ClientError::Problem(problem) if problem.status == 429);
            // 503 says neither: the ledger answers it too when its queue broke off while it was written.
            if error.is_unreachable() || too_many {
                HandedOver::NotTaken(Box::new(error))
            } else {
                HandedOver::Unknown(Box::new(error))
            }
        }
    }
}

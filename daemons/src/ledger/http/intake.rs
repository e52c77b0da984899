//! What comes in: transactions of clients, blocks of producers.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::value::RawValue;
use tana_chain::Prepared;
use tana_kit::{ApiError, ApiResult, Caller, Json, JsonText};
use tana_protocol::api::ledger::{
    BatchAnswer, BlockAccepted, BuildRequest, Built, ContractQueued, CreateUser, Submitted,
    UserQueued,
};
use tana_protocol::problem::Code;
use tana_protocol::transaction::{NewUser, Party};
use tana_protocol::{ContractId, SignedTransaction, Transaction, TransactionType, UserId};

use crate::ledger::error::LedgerError;
use crate::ledger::service::Ledger;
use crate::ledger::submit::{Accepted, Known};
use crate::ledger::views;

/// Transactions that one request may hold.
const MOST: usize = 500;

async fn submit_one(ledger: &Ledger, signed: SignedTransaction) -> ApiResult<Accepted> {
    let mut answers = ledger.submit(vec![Prepared::new(signed)]).await?;
    let answer = answers.pop().unwrap_or(Err(LedgerError::Stopping));
    Ok(answer?)
}

/// 202 for what was queued now, 200 for what had been submitted before.
pub(super) const fn status_of(accepted: &Accepted) -> StatusCode {
    match accepted.known {
        Known::New => StatusCode::ACCEPTED,
        Known::Before => StatusCode::OK,
    }
}

async fn answer_one(
    ledger: &Ledger,
    signed: SignedTransaction,
) -> ApiResult<(StatusCode, Json<Submitted>)> {
    let accepted = submit_one(ledger, signed).await?;
    Ok((status_of(&accepted), Json(views::submitted(accepted))))
}

#[utoipa::path(post, path = "/transactions", request_body = Object,
    responses((status = 202, description = "queued"), (status = 200, description = "had been submitted before; a batch's answers"),
    (status = 400), (status = 401), (status = 413), (status = 415), (status = 422), (status = 429), (status = 503), (status = 507)))]
pub(super) async fn transactions(
    State(ledger): State<Ledger>,
    body: JsonText,
) -> ApiResult<Response> {
    let first = body.bytes().iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') {
        return Ok(Json(batch(&ledger, body).await?).into_response());
    }
    Ok(answer_one(&ledger, body.read()?).await?.into_response())
}

/// Each member is judged for itself; the good ones are queued together.
async fn batch(ledger: &Ledger, body: JsonText) -> ApiResult<Vec<BatchAnswer>> {
    let members = tokio::task::spawn_blocking(move || members(&body))
        .await
        .map_err(LedgerError::from)??;
    let mut prepared = Vec::with_capacity(members.len());
    let mut answers: Vec<Option<ApiError>> = Vec::with_capacity(members.len());
    for member in members {
        answers.push(match member {
            Ok(member) => {
                prepared.push(member);
                None
            }
            Err(error) => Some(error),
        });
    }
    let mut judged = if prepared.is_empty() {
        Vec::new()
    } else {
        ledger.submit(prepared).await?
    }
    .into_iter();
    Ok(answers
        .into_iter()
        .map(|malformed| match malformed {
            Some(error) => BatchAnswer::Refused(Box::new(error.into())),
            None => match judged.next().unwrap_or(Err(LedgerError::Stopping)) {
                Ok(accepted) => {
                    let status = status_of(&accepted).as_u16();
                    BatchAnswer::Accepted(views::batch_member(accepted, status))
                }
                Err(error) => BatchAnswer::Refused(Box::new(ApiError::from(error).into())),
            },
        })
        .collect())
}

/// The members of a batch, each read for itself.
fn members(body: &JsonText) -> ApiResult<Vec<ApiResult<Prepared>>> {
    let members: Vec<&RawValue> = body.read()?;
    if members.len() > MOST {
        return Err(ApiError::new(
            Code::OutOfRange,
            format!("{} transactions at once; {MOST} are allowed", members.len()),
        ));
    }
    let one = |member: &RawValue| {
        let signed = serde_json::from_str(member.get()).map_err(|error| {
            ApiError::new(Code::Malformed, format!("the body does not fit: {error}"))
        })?;
        Ok(Prepared::new(signed))
    };
    Ok(members.into_iter().map(one).collect())
}

#[utoipa::path(post, path = "/users", request_body = Object,
    responses((status = 202, description = "queued"), (status = 200, description = "had been submitted before"),
    (status = 400), (status = 401), (status = 413), (status = 415), (status = 422), (status = 429), (status = 503), (status = 507)))]
pub(super) async fn user(
    State(ledger): State<Ledger>,
    body: JsonText,
) -> ApiResult<(StatusCode, Json<UserQueued>)> {
    #[derive(serde::Deserialize)]
    struct Form {
        #[serde(rename = "type")]
        kind: Option<TransactionType>,
    }
    let signed = match body.read::<Form>()?.kind {
        Some(TransactionType::UserCreation) => body.read()?,
        Some(kind) => return Err(wrong_kind(kind, TransactionType::UserCreation)),
        None => flat(body.read()?)?,
    };
    let accepted = submit_one(&ledger, signed).await?;
    let answer = UserQueued {
        transaction_id: accepted.id,
        user_id: UserId::created_by(&accepted.id),
        status: accepted.status,
        message: "the user exists once the transaction is in a block".to_owned(),
    };
    Ok((status_of(&accepted), Json(answer)))
}

/// The transaction that the flat form stands for.
fn flat(form: CreateUser) -> ApiResult<SignedTransaction> {
    let new = NewUser {
        username: form.username,
        display_name: form.display_name,
        public_key: form.public_key,
        bio: form.bio.unwrap_or_default(),
        role: form.role.unwrap_or_else(|| "user".to_owned()),
    };
    let mut transaction = Transaction::new(
        TransactionType::UserCreation,
        Party::system(),
        Party::system(),
        form.timestamp,
        form.nonce,
    );
    let input = serde_json::to_value(new)
        .map_err(|error| ApiError::new(Code::Malformed, error.to_string()))?;
    transaction.contract_input = Some(input);
    transaction.chain_id = form.chain_id;
    Ok(SignedTransaction {
        transaction,
        signature: form.signature,
    })
}

fn wrong_kind(kind: TransactionType, wanted: TransactionType) -> ApiError {
    ApiError::new(
        Code::BadTransaction,
        format!("this path takes {wanted}, not {kind}; POST /transactions takes all types"),
    )
}

#[utoipa::path(post, path = "/balances", request_body = Object,
    responses((status = 202, description = "queued"), (status = 200, description = "had been submitted before"),
    (status = 400), (status = 401), (status = 413), (status = 415), (status = 422), (status = 429), (status = 503), (status = 507)))]
pub(super) async fn balance(
    State(ledger): State<Ledger>,
    Json(signed): Json<SignedTransaction>,
) -> ApiResult<(StatusCode, Json<Submitted>)> {
    let wanted = TransactionType::BalanceAdjustment;
    let kind = signed.transaction.kind;
    if kind != wanted {
        return Err(wrong_kind(kind, wanted));
    }
    answer_one(&ledger, signed).await
}

#[utoipa::path(post, path = "/contracts", request_body = Object,
    responses((status = 202, description = "queued"), (status = 200, description = "had been submitted before"),
    (status = 400), (status = 401), (status = 409), (status = 413), (status = 415), (status = 422), (status = 429), (status = 503), (status = 507)))]
pub(super) async fn contract(
    State(ledger): State<Ledger>,
    Json(signed): Json<SignedTransaction>,
) -> ApiResult<(StatusCode, Json<ContractQueued>)> {
    let wanted = TransactionType::ContractDeployment;
    let kind = signed.transaction.kind;
    if kind != wanted {
        return Err(wrong_kind(kind, wanted));
    }
    let code_hash = (signed.transaction.contract_input.as_ref())
        .and_then(|input| input.get("codeHash")?.as_str().map(str::to_owned));
    let accepted = submit_one(&ledger, signed).await?;
    let answer = ContractQueued {
        transaction_id: accepted.id,
        contract_id: ContractId::created_by(&accepted.id),
        code_hash: code_hash.unwrap_or_default(),
        status: accepted.status,
    };
    Ok((status_of(&accepted), Json(answer)))
}

#[utoipa::path(post, path = "/blocks/build", request_body = Object,
    responses((status = 200, description = "the block to sign, what is known, what is rejected"), (status = 400), (status = 401), (status = 403), (status = 413)))]
pub(super) async fn build(
    State(ledger): State<Ledger>,
    Caller(claims): Caller,
    Json(request): Json<BuildRequest>,
) -> ApiResult<Json<Built<Arc<RawValue>>>> {
    let built = ledger
        .build(claims.node_id, request.transactions, request.when_empty)
        .await?;
    Ok(Json(built))
}

#[utoipa::path(post, path = "/blocks", request_body = Object,
    responses((status = 201, description = "committed"), (status = 400), (status = 401), (status = 403), (status = 409), (status = 413), (status = 422)))]
pub(super) async fn commit(
    State(ledger): State<Ledger>,
    body: JsonText,
) -> ApiResult<(StatusCode, Json<BlockAccepted>)> {
    let accepted = match ledger.commit_built(body.bytes()).await? {
        Some(accepted) => accepted,
        None => ledger.commit(body.read()?).await?,
    };
    Ok((StatusCode::CREATED, Json(accepted)))
}

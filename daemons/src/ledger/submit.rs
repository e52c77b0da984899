//! Takes transactions in. One task judges all of them in order, as many at a time as have come: one look at the state,
//! all cores for the signatures, one write to the queue. So nothing races for a nonce, and a write to the disk is shared.
//! While some are judged and written, the next are looked at.

mod look;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tana_chain::{Contracts, Executor, Failure, MemoryState, Outcome, Prepared, plan};
use tana_protocol::api::ledger::TransactionStatus;
use tana_protocol::problem::Code;
use tana_protocol::{SignedTransaction, StateKey, StateValue, TransactionId, UserId};
use tana_store::StoreError;
use tana_store::queue::{Pushed, StreamId};
use tokio::sync::{mpsc, oneshot};

use super::error::LedgerError;
use super::mempool::{Checked, Mempool};
use super::service::Ledger;
use look::Looked;

/// Transactions that are judged together at most.
const TOGETHER: usize = 1000;
/// Signed messages that may wait in the queue, together. Ledger and producer hold them in memory, more than once.
const QUEUED_BYTES: usize = 128 << 20;

/// Transactions that came together, and who waits for the answers.
pub(super) struct Submission {
    pub(super) transactions: Vec<Prepared>,
    pub(super) answer: oneshot::Sender<Vec<Result<Accepted, LedgerError>>>,
}

/// A transaction that was taken.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Accepted {
    pub(super) signed: SignedTransaction,
    pub(super) id: TransactionId,
    pub(super) status: TransactionStatus,
    pub(super) stream_id: Option<StreamId>,
    pub(super) known: Known,
}

/// Whether it had been submitted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It is new.
    New,
    /// It was there.
    Before,
}

/// Submissions that are judged together.
struct Batch {
    transactions: Arc<[Prepared]>,
    looked: Result<Looked, LedgerError>,
    /// How many of them each who waits has handed in.
    answers: Vec<(usize, oneshot::Sender<Answers>)>,
}

type Answers = Vec<Result<Accepted, LedgerError>>;

pub(super) async fn serve(ledger: Ledger, received: mpsc::Receiver<Submission>) {
    let (hand, handed) = mpsc::channel(1);
    tokio::join!(
        look_at_all(&ledger, received, hand),
        judge_all(&ledger, handed)
    );
}

async fn look_at_all(
    ledger: &Ledger,
    mut received: mpsc::Receiver<Submission>,
    hand: mpsc::Sender<Batch>,
) {
    let mut waiting: Vec<Submission> = Vec::new();
    while received.recv_many(&mut waiting, 256).await > 0 {
        let mut rest = waiting.drain(..).peekable();
        while rest.peek().is_some() {
            let (mut transactions, mut answers) = (Vec::new(), Vec::new());
            while transactions.len() < TOGETHER
                && let Some(submission) = rest.next()
            {
                answers.push((submission.transactions.len(), submission.answer));
                transactions.extend(submission.transactions);
            }
            let transactions: Arc<[Prepared]> = transactions.into();
            let batch = Batch {
                looked: Looked::at(ledger, &transactions).await,
                transactions,
                answers,
            };
            if hand.send(batch).await.is_err() {
                return;
            }
        }
    }
}

async fn judge_all(ledger: &Ledger, mut handed: mpsc::Receiver<Batch>) {
    while let Some(batch) = handed.recv().await {
        let count = batch.transactions.len();
        let mut answers = match judge(ledger, &batch.transactions, batch.looked).await {
            Ok(answers) => answers,
            // The first who waits hears why; the others that the same thing happened to them.
            Err(error) => {
                let text = error.to_string();
                let unavailable =
                    move || Err(LedgerError::refused(Code::Unavailable, text.clone()));
                std::iter::once(Err(error))
                    .chain(std::iter::repeat_with(unavailable))
                    .take(count)
                    .collect()
            }
        }
        .into_iter();
        for (size, answer) in batch.answers {
            // Who has gone away does not need it; what was taken stays taken.
            let _gone = answer.send(answers.by_ref().take(size).collect());
        }
    }
}

async fn judge(
    ledger: &Ledger,
    transactions: &Arc<[Prepared]>,
    looked: Result<Looked, LedgerError>,
) -> Result<Answers, LedgerError> {
    let mut looked = looked?;
    let mut caught_up = ledger.settle_queue().await?;
    loop {
        if ledger.tip().hash != looked.tip {
            looked = looked.again(ledger, transactions).await?;
        }
        // Another ledger on the same queue may have been given what comes before these.
        if !caught_up && ledger.queue().is_shared() && leaves_a_gap(ledger, transactions, &looked) {
            ledger.catch_up().await?;
            caught_up = true;
        }
        // A block came in between: what was read is of before it, what is queued of after it.
        let Some(mut answers) = all(ledger, transactions, &looked) else {
            continue;
        };
        for (prepared, answer) in transactions.iter().zip(&mut answers) {
            if looked.included.contains_key(&prepared.id) {
                *answer = in_block(ledger, prepared).await;
            }
        }
        enqueue(ledger, &mut answers).await;
        return Ok(answers);
    }
}

/// Judges all of them at one moment; `None` where the chain has moved on since the look.
fn all(ledger: &Ledger, transactions: &[Prepared], looked: &Looked) -> Option<Answers> {
    let mut mempool = ledger.mempool();
    if ledger.tip().hash != looked.tip {
        return None;
    }
    let answers = transactions
        .iter()
        .zip(looked.fits())
        .map(|(prepared, fits)| {
            if looked.included.contains_key(&prepared.id) {
                return Err(LedgerError::refused(
                    Code::AlreadyExists,
                    "it is in a block",
                ));
            }
            one(ledger, &mut mempool, prepared, &looked.state, fits)
        });
    Some(answers.collect())
}

/// Whether a transaction's nonce is not the next one, as far as is known here: of its sender's in the chain, in the queue
/// and before it among these.
fn leaves_a_gap(ledger: &Ledger, transactions: &[Prepared], looked: &Looked) -> bool {
    let mempool = ledger.mempool();
    let mut last: BTreeMap<UserId, u64> = BTreeMap::new();
    transactions.iter().any(|prepared| {
        let transaction = &prepared.signed.transaction;
        let Some(sender) = plan::party(&transaction.from, &looked.state) else {
            return false;
        };
        let Some(StateValue::User(user)) = looked.state.peek(&StateKey::User(sender)) else {
            return false;
        };
        let known = || mempool.last_nonce(sender, user.nonce);
        let last = last.entry(sender).or_insert_with(known);
        let gap = transaction.nonce > last.saturating_add(1);
        *last = transaction.nonce.max(*last);
        gap
    })
}

async fn in_block(ledger: &Ledger, prepared: &Prepared) -> Result<Accepted, LedgerError> {
    let record = ledger.store().transaction(&prepared.id).await?;
    let record = record.ok_or_else(|| LedgerError::not_found(prepared.id))?;
    Ok(Accepted {
        signed: prepared.signed.clone(),
        id: prepared.id,
        status: record.status,
        stream_id: None,
        known: Known::Before,
    })
}

/// Judges one transaction over the committed state with what is queued counted in, and notes it where it passes.
fn one(
    ledger: &Ledger,
    mempool: &mut Mempool,
    prepared: &Prepared,
    state: &MemoryState,
    fits: bool,
) -> Result<Accepted, LedgerError> {
    let accepted = |stream_id, known| Accepted {
        signed: prepared.signed.clone(),
        id: prepared.id,
        status: TransactionStatus::Queued,
        stream_id,
        known,
    };
    if mempool.contains(&prepared.id) {
        return Ok(accepted(mempool.stream_id(&prepared.id), Known::Before));
    }
    let transaction = &prepared.signed.transaction;
    // No rule of the chain's, which has to read what it has: but what comes in from now on can be read by everybody.
    transaction
        .nests_little()
        .map_err(|text| LedgerError::refused(Code::BadTransaction, text))?;
    let limit = ledger.queue_limit();
    if ledger.queue_length(mempool.len()) >= limit || mempool.bytes() >= QUEUED_BYTES {
        return Err(LedgerError::QueueFull {
            queued: ledger.queue_length(mempool.len()),
        });
    }
    let sender = plan::party(&transaction.from, state).filter(|sender| *sender != UserId::SYSTEM);
    let expected = mempool.over(state, sender);
    let height = ledger.tip().header.height.saturating_add(1);
    let contracts = match ledger.engine() {
        Some(_) => Contracts::Unrun,
        None => Contracts::Refused,
    };
    let mut executor =
        Executor::new(ledger.spec(), height, ledger.now(), &expected).with_contracts(contracts);
    match executor.apply(prepared, &mut |_, _| fits)? {
        Outcome::Included(receipt) if receipt.is_ok() => {}
        Outcome::Included(receipt) => {
            return Err(LedgerError::refused(
                code_of(&receipt.code),
                receipt.message,
            ));
        }
        Outcome::Excluded(failure) => return Err(failure.into()),
    }
    let bytes = prepared.message.len();
    mempool.add(prepared.id, transaction, bytes, state, Checked::Yes);
    Ok(accepted(None, Known::New))
}

/// The code of a receipt, which is one of the wire's.
fn code_of(text: &str) -> Code {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .unwrap_or(Code::BadTransaction)
}

/// Writes what passed to the queue. What cannot be written is not taken.
async fn enqueue(ledger: &Ledger, answers: &mut Answers) {
    let (places, transactions): (Vec<usize>, Vec<SignedTransaction>) = answers
        .iter()
        .enumerate()
        .filter_map(|(place, answer)| match answer {
            Ok(accepted) if accepted.known == Known::New => Some((place, accepted.signed.clone())),
            _ => None,
        })
        .unzip();
    if places.is_empty() {
        return;
    }
    let ids: Vec<TransactionId> = (places.iter())
        .filter_map(|place| answers[*place].as_ref().ok().map(|accepted| accepted.id))
        .collect();
    match ledger.queue().push(&transactions, ledger.now()).await {
        Ok(pushed) => {
            let at: BTreeMap<_, _> = (ids.into_iter())
                .zip(pushed.into_iter().map(Pushed::stream_id))
                .collect();
            let mut mempool = ledger.mempool();
            at.iter().for_each(|(id, at)| mempool.queued(id, *at));
            // The same one may have come twice.
            for accepted in answers.iter_mut().flatten() {
                accepted.stream_id = accepted.stream_id.or(at.get(&accepted.id).copied());
            }
        }
        Err(error) => {
            if matches!(error, StoreError::OutcomeUnknown { .. }) {
                ledger.doubt_queue();
            }
            let ids: BTreeSet<_> = ids.into_iter().collect();
            let mut mempool = ledger.mempool();
            ids.iter().for_each(|id| mempool.remove(id));
            let code = match error {
                StoreError::Full => Code::InsufficientStorage,
                _ => Code::Unavailable,
            };
            let mut first = Some(error);
            for answer in answers {
                if answer.as_ref().is_ok_and(|it| ids.contains(&it.id)) {
                    let same = Failure::new(code, "the transaction could not be queued; try again");
                    *answer = Err(first.take().map_or_else(|| same.into(), LedgerError::Store));
                }
            }
        }
    }
    ledger.tell_queue();
}

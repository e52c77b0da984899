//! Makes the next block of what is queued: executes it on top of the tip, and seals what came of it.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use tana_chain::signatures::{self, Job};
use tana_chain::{
    BlockPlan, Execution, Executor, Failure, MemoryState, Outcome, Prepared, TreeNodes, plan, seal,
    tree,
};
use tana_protocol::api::ledger::{Built, Rejected, WhenEmpty};
use tana_protocol::problem::Code;
use tana_protocol::{
    NodeId, PublicKey, SignedTransaction, StateKey, Timestamp, TransactionId, UnsignedBlock,
};
use tana_store::ledger::Tip;

use super::{Written, contracts, written};
use crate::ledger::error::LedgerError;
use crate::ledger::load::{self, At};
use crate::ledger::service::{Ledger, Workshop};
use crate::ledger::world::Lazy;

/// Nodes of the tree that are kept between blocks; each is up to a KiB.
const KEPT_NODES: usize = 4096;
/// The longest text of a block that is made here. Those who read blocks read answers of 32 MiB.
const MOST_BYTES: usize = 24 << 20;
/// A block that takes longer to execute is closed with what it has.
const BUILD_TIME: Duration = Duration::from_secs(2);

/// A block that was executed here, with what belongs to it in the database.
pub(in crate::ledger) struct BuiltBlock {
    pub(super) content: UnsignedBlock,
    /// The content as it was handed to the producer.
    pub(super) text: Arc<RawValue>,
    pub(super) written: Written,
}

/// What execution of a list gave.
struct Tried {
    state: MemoryState,
    included: Vec<SignedTransaction>,
    rejected: Vec<Rejected>,
    execution: Execution,
    timestamp: Timestamp,
}

impl Ledger {
    /// Executes transactions on top of the tip and answers the block that they make.
    pub(in crate::ledger) async fn build(
        &self,
        producer: NodeId,
        transactions: Vec<SignedTransaction>,
        when_empty: WhenEmpty,
    ) -> Result<Built<Arc<RawValue>>, LedgerError> {
        let mut workshop = self.workshop().await?;
        let tip = self.tip();
        let prepared = prepare(transactions).await?;
        let ids = self.may_be_known(&prepared);
        let in_blocks = self.store().included(&ids).await?;
        let mut seen = BTreeSet::new();
        let (mut known, mut fresh) = (Vec::new(), Vec::new());
        for prepared in prepared {
            if in_blocks.contains_key(&prepared.id) {
                known.push(prepared.id);
            } else if seen.insert(prepared.id) {
                fresh.push(prepared);
            }
        }
        let (mut fresh, mut rejected) = self.without_given_up(fresh);
        let built = loop {
            let mut tried = self.execute(&tip, fresh).await?;
            rejected.append(&mut tried.rejected);
            if tried.included.is_empty() && when_empty == WhenEmpty::Skip {
                break None;
            }
            let built = self.seal(&mut workshop, &tip, &producer, tried).await?;
            if built.text.get().len() <= MOST_BYTES {
                break Some(built);
            }
            // What is left out comes again with the next block.
            let mut fewer = built.content.transactions;
            if let [lone] = &fewer[..] {
                let text = "a block with it alone is larger than others read";
                rejected.push(rejection(lone.id(), Failure::new(Code::TooLarge, text)));
            }
            fewer.truncate(fewer.len() / 2);
            fresh = prepare(fewer).await?;
        };
        self.forget(rejected.iter().map(|rejected| rejected.id));
        let block = built.as_ref().map(|built| Arc::clone(&built.text));
        workshop.built = built;
        Ok(Built {
            block,
            known,
            rejected,
        })
    }

    /// Those that may be in a block already. What was taken in here was in none then, and has left the mempool with its
    /// block since, where it is in one.
    fn may_be_known(&self, prepared: &[Prepared]) -> Vec<TransactionId> {
        let mempool = self.mempool();
        let ids = prepared.iter().map(|prepared| prepared.id);
        ids.filter(|id| !mempool.is_checked(id)).collect()
    }

    /// The time of the next block: now, and later than the tip's.
    fn next_time(&self, tip: &Tip) -> Timestamp {
        self.now()
            .max(tip.header.timestamp.plus(Duration::from_millis(1)))
    }

    /// Takes out what has cost too many workers to be tried again.
    fn without_given_up(&self, fresh: Vec<Prepared>) -> (Vec<Prepared>, Vec<Rejected>) {
        let Some(engine) = self.engine() else {
            return (fresh, Vec::new());
        };
        let (lost, fresh): (Vec<_>, Vec<_>) = fresh
            .into_iter()
            .partition(|prepared| engine.has_given_up(&prepared.id));
        let rejected = lost.into_iter().map(|prepared| {
            engine.forget(&prepared.id);
            Rejected {
                id: prepared.id,
                code: Code::ContractError,
                reason: "the contract ran out of time or memory, or brought its worker down, at every try; make it do less"
                    .to_owned(),
            }
        });
        (fresh, rejected.collect())
    }

    async fn execute(&self, tip: &Tip, fresh: Vec<Prepared>) -> Result<Tried, LedgerError> {
        let wanted = fresh.iter().map(|prepared| &prepared.signed.transaction);
        let state = load::state(self.store(), wanted, At::Tip).await?;
        let checked: Vec<bool> = {
            let mempool = self.mempool();
            fresh.iter().map(|p| mempool.is_checked(&p.id)).collect()
        };
        let (spec, height, timestamp) = (
            Arc::clone(self.spec()),
            tip.header.height.saturating_add(1),
            self.next_time(tip),
        );
        let threads = self.threads();
        let (ledger, parent, before) = (self.clone(), tip.hash, tip.header.height);
        tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            let fits = check_signatures(&fresh, &checked, &state, threads);
            let state = Lazy::new(state, ledger.store_shared(), At::Tip, before);
            let host = ledger.engine().map(|engine| engine.on_top_of(&state));
            let mut executor = Executor::new(&spec, height, timestamp, &state)
                .with_contracts(contracts(host.as_ref(), parent));
            let (mut included, mut rejected) = (Vec::new(), Vec::new());
            for (prepared, fits) in fresh.into_iter().zip(fits) {
                // What does not fit stays in the queue and comes again; what fits into no block does not.
                if !executor.has_room(prepared.signed.transaction.kind) {
                    if included.is_empty() {
                        let text = "it needs more gas than a block of this chain may use";
                        rejected.push(rejection(prepared.id, Failure::new(Code::OutOfGas, text)));
                        continue;
                    }
                    break;
                }
                if !included.is_empty() && started.elapsed() > BUILD_TIME {
                    break;
                }
                let outcome = executor.apply(&prepared, &mut |key, prepared| {
                    let signed = &prepared.signed;
                    match &fits {
                        Fits::Checked => true,
                        Fits::With(by, fits) if by == key => *fits,
                        _ => key.verify(&prepared.message, &signed.signature).is_ok(),
                    }
                })?;
                match outcome {
                    Outcome::Included(_) => included.push(prepared.signed),
                    Outcome::Excluded(failure) => rejected.push(rejection(prepared.id, failure)),
                }
            }
            let execution = executor.finish()?;
            Ok(Tried {
                state: state.into_loaded(),
                included,
                rejected,
                execution,
                timestamp,
            })
        })
        .await?
    }

    async fn seal(
        &self,
        workshop: &mut Workshop,
        tip: &Tip,
        producer: &NodeId,
        tried: Tried,
    ) -> Result<BuiltBlock, LedgerError> {
        let changed: Vec<StateKey> = tried
            .execution
            .values
            .iter()
            .map(|(key, _)| key.clone())
            .collect();
        if workshop.nodes.len() > KEPT_NODES {
            workshop.nodes = TreeNodes::default();
        }
        load::nodes(
            self.store(),
            &mut workshop.nodes,
            tip.header.height,
            &changed,
        )
        .await?;
        let nodes = std::mem::take(&mut workshop.nodes);
        let (spec, tip, producer) = (Arc::clone(self.spec()), tip.clone(), producer.clone());
        let (nodes, built) = tokio::task::spawn_blocking(move || {
            let made = make(&spec, &tip, producer, tried, &nodes);
            (nodes, made)
        })
        .await?;
        workshop.nodes = nodes;
        built
    }

    fn forget(&self, ids: impl Iterator<Item = TransactionId>) {
        let mut mempool = self.mempool();
        ids.for_each(|id| mempool.reject(&id));
    }
}

fn rejection(id: TransactionId, failure: Failure) -> Rejected {
    Rejected {
        id,
        code: failure.code,
        reason: failure.message,
    }
}

/// What is known of a signature before a block is executed.
enum Fits {
    /// It was checked when it was submitted here.
    Checked,
    /// It was checked now, with this key.
    With(PublicKey, bool),
    /// Its signer is not known before the block.
    Later,
}

/// Checks what was submitted to another ledger or before a restart, on all cores.
fn check_signatures(
    prepared: &[Prepared],
    checked: &[bool],
    state: &MemoryState,
    threads: NonZeroUsize,
) -> Vec<Fits> {
    let mut fits: Vec<Fits> = Vec::with_capacity(prepared.len());
    let (mut places, mut jobs) = (Vec::new(), Vec::new());
    for (place, (prepared, checked)) in prepared.iter().zip(checked).enumerate() {
        fits.push(if *checked { Fits::Checked } else { Fits::Later });
        let transaction = &prepared.signed.transaction;
        if let Some(key) = plan::signer(transaction, state).filter(|_| !checked) {
            places.push(place);
            jobs.push(Job {
                key,
                message: &prepared.message,
                signature: prepared.signed.signature,
            });
        }
    }
    for ((place, job), fit) in places
        .into_iter()
        .zip(&jobs)
        .zip(signatures::check(&jobs, threads))
    {
        fits[place] = Fits::With(job.key, fit);
    }
    fits
}

/// Derives ids; of many, off the async threads.
async fn prepare(transactions: Vec<SignedTransaction>) -> Result<Vec<Prepared>, LedgerError> {
    let all = move || transactions.into_iter().map(Prepared::new).collect();
    Ok(tokio::task::spawn_blocking(all).await?)
}

fn make(
    spec: &tana_protocol::ChainSpec,
    tip: &Tip,
    producer: NodeId,
    tried: Tried,
    nodes: &TreeNodes,
) -> Result<BuiltBlock, LedgerError> {
    let height = tip.header.height.saturating_add(1);
    let tree = tree::update_of(nodes, height, &tried.execution.changes)?;
    let plan = BlockPlan {
        spec,
        parent: &tip.header,
        parent_hash: tip.hash,
        timestamp: tried.timestamp,
        producer,
    };
    let ids: Vec<TransactionId> = tried
        .execution
        .receipts
        .iter()
        .map(|receipt| receipt.transaction_id)
        .collect();
    let content = seal(&plan, tried.included, &tried.execution, &tree)?;
    let written = written(
        &content.transactions,
        &ids,
        tried.state,
        tried.execution,
        tree,
    );
    Ok(BuiltBlock {
        text: content.to_text().into(),
        content,
        written,
    })
}

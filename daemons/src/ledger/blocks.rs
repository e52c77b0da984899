//! Builds, commits and verifies blocks. The database is asked before and after, computing happens off the async threads.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tana_chain::signatures::{self, Job};
use tana_chain::{
    BlockPlan, Contracts, Execution, Executor, Failure, MemoryState, Outcome, Prepared, TreeNodes,
    TreeUpdate, plan, seal, tree,
};
use tana_protocol::api::ledger::{
    BlockAccepted, BlockVerification, Built, Rejected, TransactionEvent, TransactionStatus,
    WhenEmpty, event,
};
use tana_protocol::problem::Code;
use tana_protocol::state::TreeNode;
use tana_protocol::{
    Block, Hash32, NodeId, PublicKey, SignedTransaction, StateKey, StateValue, Timestamp,
    TransactionId, TransactionType, UnsignedBlock, UserId,
};
use tana_store::ledger::{BlockRef, Commit, Committed, Parties, Tip};

use super::error::LedgerError;
use super::load::{self, At};
use super::service::{Ledger, Workshop};
use super::views;
use super::world::Lazy;
use crate::contracts::EngineAt;

/// How far ahead of this clock a block's time may lie.
const AHEAD: Duration = Duration::from_secs(60);
/// Nodes of the tree that are kept between blocks; each is up to a KiB.
const KEPT_NODES: usize = 4096;
/// A block that takes longer to execute is closed with what it has.
const BUILD_TIME: Duration = Duration::from_secs(2);
/// Events that are published before listeners get a turn.
const EVENTS: usize = 64;

/// A block that was executed here, with what belongs to it in the database.
pub(super) struct BuiltBlock {
    content: UnsignedBlock,
    written: Written,
}

/// What is written with a block.
pub(super) struct Written {
    pub(super) values: Vec<(StateKey, StateValue)>,
    pub(super) nodes: Vec<TreeNode>,
    pub(super) parties: Vec<Parties>,
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
    pub(super) async fn build(
        &self,
        producer: NodeId,
        transactions: Vec<SignedTransaction>,
        when_empty: WhenEmpty,
    ) -> Result<Built, LedgerError> {
        let mut workshop = self.inner().workshop.lock().await;
        let tip = self.tip();
        let prepared = prepare(transactions).await?;
        let ids: Vec<TransactionId> = prepared.iter().map(|prepared| prepared.id).collect();
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
        let (fresh, mut given_up) = self.without_given_up(fresh);
        let mut tried = self.execute(&tip, fresh).await?;
        tried.rejected.append(&mut given_up);
        self.forget(tried.rejected.iter().map(|rejected| rejected.id));
        let rejected = tried.rejected.clone();
        if tried.included.is_empty() && when_empty == WhenEmpty::Skip {
            return Ok(Built {
                block: None,
                known,
                rejected,
            });
        }
        let built = self.seal(&mut workshop, &tip, producer, tried).await?;
        let block = Some(built.content.clone());
        workshop.built = Some(built);
        Ok(Built {
            block,
            known,
            rejected,
        })
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
        producer: NodeId,
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
        let (spec, tip) = (Arc::clone(self.spec()), tip.clone());
        let (nodes, built) = tokio::task::spawn_blocking(move || {
            let made = make(&spec, &tip, producer, tried, &nodes);
            (nodes, made)
        })
        .await?;
        workshop.nodes = nodes;
        built
    }

    /// Commits a block that a producer has signed, once it is exactly what executing it gives.
    pub(super) async fn commit(&self, block: Block) -> Result<BlockAccepted, LedgerError> {
        let mut workshop = self.inner().workshop.lock().await;
        let accepted = BlockAccepted {
            height: block.height(),
            hash: block.content.hash,
        };
        let tip = self.tip();
        let expected = tip.header.height.saturating_add(1);
        if block.height() != expected {
            let there = self.store().block(BlockRef::Height(block.height())).await?;
            // Handed over again because the first answer was lost.
            if there.is_some_and(|there| there == block) {
                return Ok(accepted);
            }
            return Err(LedgerError::WrongHeight { expected });
        }
        if block.content.header.timestamp > self.now().plus(AHEAD) {
            return Err(bad("its time lies ahead of this node's clock"));
        }
        let built = workshop
            .built
            .take()
            .filter(|built| built.content == block.content);
        let (block, written) = match built {
            // What was executed here a moment ago, byte for byte: only the signature is new.
            Some(built) => (self.signed(block)?, built.written),
            None => self.replay(&tip, block).await?,
        };
        let commit = Commit {
            block: &block,
            values: &written.values,
            nodes: &written.nodes,
            parties: &written.parties,
        };
        match self.store().commit(&commit).await? {
            Committed::Done | Committed::Known => {}
            Committed::WrongHeight { expected } => {
                return Err(LedgerError::WrongHeight { expected });
            }
        }
        self.committed(&block, &written);
        workshop.nodes.load(written.nodes)?;
        drop(workshop);
        self.tell(&block).await;
        Ok(accepted)
    }

    fn signed(&self, block: Block) -> Result<Block, LedgerError> {
        let producer = &block.content.header.producer;
        let key = self
            .validators()
            .key_of(producer)
            .ok_or_else(|| bad(format!("{producer} is no validator")))?;
        block
            .verify_producer(&key)
            .map_err(|error| bad(format!("the producer's signature: {error}")))?;
        Ok(block)
    }

    /// Verifies a block on top of the tip that was not built here.
    async fn replay(&self, tip: &Tip, block: Block) -> Result<(Block, Written), LedgerError> {
        let ids: Vec<TransactionId> = block
            .content
            .transactions
            .iter()
            .map(SignedTransaction::id)
            .collect();
        if let Some((id, height)) = self.store().included(&ids).await?.pop_first() {
            return Err(bad(format!("{id} is in block {height} already")));
        }
        let (verification, block, replayed) =
            self.verifier().judge(tip.clone(), block, At::Tip).await?;
        let failed = verification.checks.into_iter().find(|check| !check.ok);
        match (failed, replayed) {
            (None, Some((state, execution, tree))) => {
                let written = written(&block.content.transactions, &ids, state, execution, tree);
                Ok((block, written))
            }
            (failed, _) => Err(bad(failed.map_or_else(
                || "replay did not come to an end".to_owned(),
                |check| {
                    let word = views::check_word(check.name);
                    format!("check {word}: {}", check.detail.unwrap_or_default())
                },
            ))),
        }
    }

    /// All six checks of a stored block.
    pub(super) async fn verify(&self, height: u64) -> Result<BlockVerification, LedgerError> {
        let _one_at_a_time = self.inner().verifying.lock().await;
        let verified = self.verifier().block(height).await?;
        verified.ok_or_else(|| LedgerError::not_found(format!("block {height}")))
    }

    pub(super) async fn stored(&self, height: u64) -> Result<Block, LedgerError> {
        let block = self.store().block(BlockRef::Height(height)).await?;
        block.ok_or_else(|| LedgerError::not_found(format!("block {height}")))
    }

    /// Takes a committed block as the tip; what was queued of it is not queued any more. At one moment for all who look
    /// at both.
    fn committed(&self, block: &Block, written: &Written) {
        let validators = written.values.iter().find_map(|(_, value)| match value {
            StateValue::Validators(validators) => Some(validators.clone()),
            _ => None,
        });
        let tip = Tip {
            header: block.content.header.clone(),
            hash: block.content.hash,
        };
        let mut mempool = self.mempool();
        self.stand_at(tip, validators.unwrap_or_else(|| self.validators()));
        for receipt in &block.content.receipts {
            mempool.remove(&receipt.transaction_id);
            if let Some(engine) = self.engine() {
                engine.forget(&receipt.transaction_id);
            }
        }
    }

    fn forget(&self, ids: impl Iterator<Item = TransactionId>) {
        let mut mempool = self.mempool();
        ids.for_each(|id| mempool.reject(&id));
    }

    /// Tells who listens.
    async fn tell(&self, block: &Block) {
        self.hub().publish(event::BLOCK, &views::listed(block));
        for (count, receipt) in block.content.receipts.iter().enumerate() {
            let status = if receipt.is_ok() {
                TransactionStatus::Confirmed
            } else {
                TransactionStatus::Failed
            };
            let told = TransactionEvent {
                id: receipt.transaction_id,
                status,
                block_height: block.height(),
                code: receipt.code.clone(),
            };
            self.hub().publish(event::TRANSACTION, &told);
            if count % EVENTS == EVENTS - 1 {
                tokio::task::yield_now().await;
            }
        }
        self.tell_queue();
    }
}

/// What becomes of contracts on top of the block with this hash.
pub(super) fn contracts<'a>(host: Option<&'a EngineAt<'a>>, parent: Hash32) -> Contracts<'a> {
    match host {
        Some(host) => Contracts::Run(host, parent),
        None => Contracts::Refused,
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

fn bad(detail: impl std::fmt::Display) -> LedgerError {
    LedgerError::refused(Code::BadBlock, format!("the block does not hold: {detail}"))
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
    let tree = tree::update(nodes, height, &tried.execution.values)?;
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
    Ok(BuiltBlock { content, written })
}

pub(super) fn written(
    transactions: &[SignedTransaction],
    ids: &[TransactionId],
    mut state: MemoryState,
    execution: Execution,
    tree: TreeUpdate,
) -> Written {
    // Names that the block itself created are known after it.
    state.apply(&execution.values);
    let parties = transactions
        .iter()
        .zip(ids)
        .map(|(signed, id)| {
            let transaction = &signed.transaction;
            let to = match transaction.kind {
                TransactionType::UserCreation => Some(UserId::created_by(id)),
                _ => plan::party(&transaction.to, &state),
            };
            Parties {
                from: plan::party(&transaction.from, &state),
                to,
            }
        })
        .collect();
    Written {
        values: execution.values,
        nodes: tree.nodes,
        parties,
    }
}

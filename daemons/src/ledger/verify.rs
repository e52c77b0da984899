//! Verifies what is stored: the six checks of a block, replay included, and every row that it wrote.
//!
//! Needs nothing but the database and the chain file, so it serves the ledger and `tanad verify` alike. What cannot be
//! read because somebody changed it is a finding, not an error.

use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use futures::future::BoxFuture;
use tana_chain::{
    Execution, Judged, MemoryState, TreeNodes, TreeUpdate, genesis, verify, verify_genesis,
};
use tana_protocol::api::ledger::{BlockCheck, BlockVerification, CheckName, VerificationLine};
use tana_protocol::{Block, ChainSpec, SignedTransaction, StateKey, TransactionId};
use tana_store::StoreError;
use tana_store::ledger::{Commit, Difference, LedgerStore, Slice, StoredBlock, Tip};

use super::blocks::{Written, contracts, written};
use super::config::Config;
use super::error::LedgerError;
use super::load::{self, At};
use super::start;
use super::world::Lazy;
use crate::contracts::Engine;

/// What replay of a block gave: the state that it read, what execution gave, and the tree after it.
pub(super) type Replay = (MemoryState, Execution, TreeUpdate);

/// What was found of a block, the block, and its replay where it came to an end.
pub(super) type Judgement = (BlockVerification, Block, Option<Replay>);

/// Verifies blocks of one chain in one database. Clones share them.
#[derive(Clone)]
pub(crate) struct Verifier {
    store: Arc<dyn LedgerStore>,
    spec: Arc<ChainSpec>,
    engine: Option<Arc<Engine>>,
    threads: NonZeroUsize,
}

impl Verifier {
    pub(crate) const fn new(
        store: Arc<dyn LedgerStore>,
        spec: Arc<ChainSpec>,
        engine: Option<Arc<Engine>>,
        threads: NonZeroUsize,
    ) -> Self {
        Self {
            store,
            spec,
            engine,
            threads,
        }
    }

    /// All six checks of a block on top of its parent.
    pub(super) async fn judge(
        &self,
        parent: Tip,
        block: Block,
        at: At,
    ) -> Result<Judgement, LedgerError> {
        let wanted = block
            .content
            .transactions
            .iter()
            .map(|signed| &signed.transaction);
        let state = load::state(&*self.store, wanted, at).await?;
        let mut keys: Vec<StateKey> = state.keys().cloned().collect();
        keys.extend(tana_chain::verify::named_keys(&block));
        let mut nodes = TreeNodes::default();
        load::nodes(&*self.store, &mut nodes, parent.header.height, &keys).await?;
        let (spec, engine, threads) = (Arc::clone(&self.spec), self.engine.clone(), self.threads);
        let state = Lazy::new(state, Arc::clone(&self.store), at, parent.header.height);
        tokio::task::spawn_blocking(move || {
            let host = engine.as_deref().map(|engine| engine.on_top_of(&state));
            let judged = Judged {
                spec: &spec,
                parent: (&parent.header, parent.hash),
                block: &block,
                state: &state,
                nodes: &nodes,
                contracts: contracts(host.as_ref(), parent.hash),
                threads,
            };
            let (verification, replayed) = verify(&judged)?;
            let state = state.into_loaded();
            let replayed = replayed.map(|replayed| (state, replayed.execution, replayed.tree));
            Ok((verification, block, replayed))
        })
        .await?
    }

    /// All six checks of a stored block and of every row that it wrote; `None` where there is no such block.
    pub(crate) async fn block(
        &self,
        height: u64,
    ) -> Result<Option<BlockVerification>, LedgerError> {
        let stored = self.store.stored(height).await?;
        let block = match stored.block() {
            Ok(Some(block)) => block,
            Ok(None) => return Ok(None),
            Err(damage) => return Ok(Some(damaged(height, &damage))),
        };
        let verified = match height.checked_sub(1) {
            None => self.genesis(&stored, &block).await,
            Some(before) => self.above(before, &stored, block).await,
        };
        match verified {
            Err(error) => match finding(&error) {
                Some(detail) => Ok(Some(failed(height, CheckName::StateRoot, &detail))),
                None => Err(error),
            },
            Ok(verification) => Ok(Some(verification)),
        }
    }

    async fn genesis(
        &self,
        stored: &StoredBlock,
        block: &Block,
    ) -> Result<BlockVerification, LedgerError> {
        let mut verification = verify_genesis(&self.spec, block);
        if let Ok(right) = genesis(&self.spec) {
            let written = Written {
                values: right.values,
                nodes: right.tree.nodes,
                parties: Vec::new(),
            };
            self.rows(stored, &right.block, &written, &mut verification)
                .await?;
        }
        Ok(verification)
    }

    async fn above(
        &self,
        before: u64,
        stored: &StoredBlock,
        block: Block,
    ) -> Result<BlockVerification, LedgerError> {
        let height = stored.height();
        let parent = match self.header(before).await {
            Ok(Some(parent)) => parent,
            Ok(None) => {
                let detail = format!("block {before}, which comes before, is missing");
                return Ok(failed(height, CheckName::Hash, &detail));
            }
            Err(LedgerError::Store(error @ StoreError::Damaged { .. })) => {
                let detail = format!("of block {before}, which comes before, {error}");
                return Ok(failed(height, CheckName::Hash, &detail));
            }
            Err(error) => return Err(error),
        };
        let (mut verification, block, replayed) =
            self.judge(parent, block, At::Height(before)).await?;
        if let Some((state, execution, tree)) = replayed {
            let transactions = &block.content.transactions;
            let ids: Vec<TransactionId> = transactions.iter().map(SignedTransaction::id).collect();
            let written = written(transactions, &ids, state, execution, tree);
            self.rows(stored, &block, &written, &mut verification)
                .await?;
        }
        Ok(verification)
    }

    async fn header(&self, height: u64) -> Result<Option<Tip>, LedgerError> {
        let slice = Slice {
            after: Some(height.saturating_add(1)),
            offset: 0,
            limit: 1,
        };
        let found = self.store.blocks(slice).await?.pop();
        let found = found.filter(|found| found.header.height == height);
        Ok(found.map(|found| Tip {
            header: found.header,
            hash: found.hash,
        }))
    }

    /// Compares the rows that lie in the database with those that replay writes.
    async fn rows(
        &self,
        stored: &StoredBlock,
        block: &Block,
        written: &Written,
        verification: &mut BlockVerification,
    ) -> Result<(), LedgerError> {
        let commit = Commit {
            block,
            values: &written.values,
            nodes: &written.nodes,
            parties: &written.parties,
        };
        let present = self
            .store
            .differences(stored.height(), &written.values)
            .await?;
        // A block with fewer receipts than transactions has failed its checks already.
        let history = stored.differences(&commit).unwrap_or_default();
        for difference in history.iter().chain(&present) {
            note(verification, check_of(difference), described(difference));
        }
        Ok(())
    }

    /// Rows that belong to no block and to no value, in words.
    pub(crate) async fn strays(&self) -> Result<Vec<String>, LedgerError> {
        let strays = self.store.strays().await?;
        Ok(strays.iter().map(described).collect())
    }
}

/// Which blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heights {
    /// The last one.
    Tip,
    /// From one to another; absent: from the first, to the last.
    Between(Option<u64>, Option<u64>),
    /// All, and what the database holds besides.
    All,
}

/// What a database holds of the chain, verified without any service.
pub struct Offline {
    verifier: Verifier,
    close: BoxFuture<'static, ()>,
}

impl Offline {
    /// Opens the database, and starts the engine that the chain names.
    ///
    /// # Errors
    /// One sentence that says what is not there.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let engine = Engine::start(&config.chain, &config.runtime).await?;
        let (store, close) = start::open_existing(&config.database_url).await?;
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let spec = Arc::new(config.chain.clone());
        let verifier = Verifier::new(store, spec, engine.map(Arc::new), threads);
        Ok(Self { verifier, close })
    }

    /// Verifies what the database holds now, and reports line by line.
    ///
    /// # Errors
    /// One sentence where the database cannot be read, or has no such blocks.
    pub async fn verify(
        &self,
        heights: Heights,
        mut report: impl FnMut(VerificationLine) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.verifier.lines(heights, &mut report).await
    }

    /// Lets go of the database.
    pub async fn close(self) {
        let Self { verifier, close } = self;
        drop(verifier);
        close.await;
    }
}

impl Verifier {
    async fn lines(
        &self,
        heights: Heights,
        report: &mut impl FnMut(VerificationLine) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let tip = self.store.height().await?;
        let tip = tip.context("the database holds no block yet; start the node once")?;
        let (from, to) = match heights {
            Heights::Tip => (tip, tip),
            Heights::Between(from, to) => (from.unwrap_or(0), to.unwrap_or(tip)),
            Heights::All => (0, tip),
        };
        if from > to || to > tip {
            bail!("there are no blocks {from} to {to}; the chain has 0 to {tip}");
        }
        report(VerificationLine::Range { from, to })?;
        for height in from..=to {
            let found = self.block(height).await?;
            report(VerificationLine::Block(found.unwrap_or_else(|| {
                failed(height, CheckName::Hash, "the block is missing")
            })))?;
        }
        if heights == Heights::All {
            report(VerificationLine::Strays(self.strays().await?))?;
        }
        Ok(())
    }
}

fn described(difference: &Difference) -> String {
    format!("{}: {}", difference.place(), difference.detail)
}

/// The check that a row belongs to.
fn check_of(difference: &Difference) -> CheckName {
    match (difference.table, difference.column) {
        ("blocks", Some("signature")) => CheckName::ProducerSignature,
        ("blocks", Some("transactions" | "failed_count")) | ("transactions", _) => {
            CheckName::TxRoot
        }
        ("blocks", _) => CheckName::Hash,
        ("state_changes", _) => CheckName::StateChanges,
        _ => CheckName::StateRoot,
    }
}

/// Notes that a check fails; the first reason stays.
fn note(verification: &mut BlockVerification, name: CheckName, detail: String) {
    verification.valid = false;
    let check = verification.checks.iter_mut().find(|c| c.name == name);
    if let Some(check) = check.filter(|check| check.ok) {
        check.ok = false;
        check.detail = Some(detail);
    }
}

/// A block of which one check fails and the others could not be made.
fn failed(height: u64, name: CheckName, detail: &str) -> BlockVerification {
    let checks = CheckName::ALL.into_iter().map(|check| BlockCheck {
        name: check,
        ok: false,
        detail: Some(if check == name {
            detail.to_owned()
        } else {
            "could not be made".to_owned()
        }),
    });
    BlockVerification {
        height,
        valid: false,
        checks: checks.collect(),
    }
}

fn damaged(height: u64, damage: &Difference) -> BlockVerification {
    failed(height, check_of(damage), &described(damage))
}

/// What an error says about what is stored; `None` where it says nothing about it.
fn finding(error: &LedgerError) -> Option<String> {
    match error {
        LedgerError::Store(StoreError::Damaged { .. })
        | LedgerError::Tree(_)
        | LedgerError::State(
            tana_chain::StateError::NotLoaded(_) | tana_chain::StateError::WrongKind(_),
        ) => Some(error.to_string()),
        _ => None,
    }
}

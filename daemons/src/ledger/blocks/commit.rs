//! Takes a block that a producer has signed: what was built here is recognised, anything else is executed again.

use std::time::Duration;

use tana_protocol::api::ledger::{BlockAccepted, TransactionEvent, TransactionStatus, event};
use tana_protocol::block::signature_on;
use tana_protocol::problem::Code;
use tana_protocol::state::ValidatorState;
use tana_protocol::{Block, SignedTransaction, StateKey, StateValue, TransactionId};
use tana_store::ledger::{BlockRef, Commit, Committed, LedgerStore, Tip};
use tokio::sync::MutexGuard;

use super::{Written, written};
use crate::ledger::error::LedgerError;
use crate::ledger::load::At;
use crate::ledger::service::{Ledger, TipIs, Workshop};
use crate::ledger::views;

/// How far ahead of this clock a block's time may lie.
const AHEAD: Duration = Duration::from_secs(60);
/// Events that are published before listeners get a turn.
const EVENTS: usize = 64;

impl Ledger {
    /// Commits what was built here a moment ago, where this is its text, byte for byte, with a producer's signature;
    /// `None` where it is any other text. Only the signature is new then: nothing of the block is read or executed again.
    pub(in crate::ledger) async fn commit_built(
        &self,
        text: &[u8],
    ) -> Result<Option<BlockAccepted>, LedgerError> {
        let mut workshop = self.workshop().await?;
        let recognised =
            (workshop.built.as_ref()).and_then(|built| signature_on(built.text.get(), text));
        let (Some(signature), Some(built)) =
            (recognised, workshop.built.take_if(|_| recognised.is_some()))
        else {
            return Ok(None);
        };
        let block = Block {
            content: built.content,
            signature: Some(signature),
        };
        let block = self.signed(block)?;
        self.write(workshop, block, built.written).await.map(Some)
    }

    /// Commits a block that a producer has signed, once it is exactly what executing it gives.
    pub(in crate::ledger) async fn commit(
        &self,
        block: Block,
    ) -> Result<BlockAccepted, LedgerError> {
        let mut workshop = self.workshop().await?;
        let tip = self.tip();
        let expected = tip.header.height.saturating_add(1);
        if block.height() != expected {
            let there = self.store().block(BlockRef::Height(block.height())).await?;
            // Handed over again because the first answer was lost.
            if there.is_some_and(|there| there == block) {
                return Ok(accepted(&block));
            }
            return Err(LedgerError::WrongHeight { expected });
        }
        let built = workshop
            .built
            .take()
            .filter(|built| built.content == block.content);
        let (block, written) = match built {
            // Written in other bytes, such as by another producer's software, but what was executed here.
            Some(built) => (self.signed(block)?, built.written),
            None => self.replay(&tip, block).await?,
        };
        self.write(workshop, block, written).await
    }

    /// Writes a block that holds, and stands on it.
    async fn write(
        &self,
        mut workshop: MutexGuard<'_, Workshop>,
        block: Block,
        written: Written,
    ) -> Result<BlockAccepted, LedgerError> {
        let commit = Commit {
            block: &block,
            values: &written.values,
            nodes: &written.nodes,
            parties: &written.parties,
        };
        // Where the answer is lost, or who asked goes away now, the block may be there: the next who comes looks before
        // anything else is done.
        workshop.tip = TipIs::Unsure;
        match self.store().commit(&commit).await? {
            Committed::Done | Committed::Known => {}
            Committed::WrongHeight { expected } => {
                return Err(LedgerError::WrongHeight { expected });
            }
        }
        let validators = written.values.iter().find_map(|(_, value)| match value {
            StateValue::Validators(validators) => Some(ValidatorState::clone(validators)),
            _ => None,
        });
        self.committed(&block, validators);
        workshop.nodes.load(written.nodes)?;
        workshop.tip = TipIs::Known;
        drop(workshop);
        self.tell(&block).await;
        Ok(accepted(&block))
    }

    /// The place where blocks are made, on the tip that the store has.
    pub(super) async fn workshop(&self) -> Result<MutexGuard<'_, Workshop>, LedgerError> {
        let mut workshop = self.inner().workshop.lock().await;
        if workshop.tip == TipIs::Unsure {
            let stored = self.store().tip().await?;
            let stored = stored.ok_or_else(|| LedgerError::not_found("block in the database"))?;
            for height in self.tip().header.height.saturating_add(1)..=stored.header.height {
                let block = self.stored(height).await?;
                self.committed(&block, validators_of(self.store()).await?);
                tracing::warn!("block {height} was committed, and its commit was not answered");
                self.tell(&block).await;
            }
            *workshop = Workshop::default();
        }
        Ok(workshop)
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
        // What was built here is never refused for its time: where the clock was set back, it follows the tip's.
        if block.content.header.timestamp > self.now().plus(AHEAD) {
            return Err(bad("its time lies ahead of this node's clock"));
        }
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

    /// Takes a committed block as the tip; what was queued of it is not queued any more. At one moment for all who look
    /// at both.
    fn committed(&self, block: &Block, validators: Option<ValidatorState>) {
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

async fn validators_of(store: &dyn LedgerStore) -> Result<Option<ValidatorState>, LedgerError> {
    let mut found = store.state(&[StateKey::Validators]).await?;
    Ok(match found.remove(&StateKey::Validators) {
        Some(StateValue::Validators(validators)) => Some(*validators),
        _ => None,
    })
}

const fn accepted(block: &Block) -> BlockAccepted {
    BlockAccepted {
        height: block.height(),
        hash: block.content.hash,
    }
}

fn bad(detail: impl std::fmt::Display) -> LedgerError {
    LedgerError::refused(Code::BadBlock, format!("the block does not hold: {detail}"))
}

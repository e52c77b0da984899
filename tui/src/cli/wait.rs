//! `--wait`: until a transaction is in a block, told by the ledger's events rather than by asking again and again.

use std::time::Duration;

use clap::Args;
use tana_client::{LedgerClient, LedgerEvent, StreamItem};
use tana_protocol::TransactionId;
use tana_protocol::api::ledger::{TransactionStatus, TransactionView};
use tokio::time::MissedTickBehavior;

use super::exit::{Exit, failure};

/// Where the events cannot be had, the ledger is asked this often.
const FALLBACK: Duration = Duration::from_secs(1);

/// Whether, and how long, a command waits.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Wait {
    /// Return once it is confirmed
    #[arg(long)]
    pub(crate) wait: bool,
    /// Seconds that --wait waits at most
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) timeout: u64,
}

impl Wait {
    pub(crate) fn limit(self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    pub(crate) fn is_wanted(self) -> bool {
        self.wait
    }
}

/// Waits until a transaction is in a block.
pub(crate) async fn confirmed(
    ledger: &LedgerClient,
    id: &TransactionId,
    limit: Duration,
) -> anyhow::Result<TransactionView> {
    match tokio::time::timeout(limit, until_in_block(ledger, id)).await {
        Ok(found) => found,
        Err(_) => Err(failure(
            Exit::TimedOut,
            format!(
                "{id} was submitted and is in no block after {} s; it stays in the queue, do not submit it again: see tana queue, and tana status for the producer",
                limit.as_secs()
            ),
        )),
    }
}

async fn until_in_block(
    ledger: &LedgerClient,
    id: &TransactionId,
) -> anyhow::Result<TransactionView> {
    let mut events = Some(ledger.events());
    let mut fallback = tokio::time::interval(FALLBACK);
    fallback.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once, before anything can be known.
    fallback.tick().await;
    loop {
        let next = async {
            match &mut events {
                Some(events) => events.next().await,
                None => std::future::pending().await,
            }
        };
        let look = tokio::select! {
            item = next => match item {
                // It may have been confirmed before the stream stood.
                Some(StreamItem::Connected) => true,
                Some(StreamItem::Event(LedgerEvent::Transaction(event))) => event.id == *id,
                Some(StreamItem::Event(_) | StreamItem::Lost { .. }) => false,
                Some(StreamItem::Refused(_)) | None => {
                    events = None;
                    false
                }
            },
            _ = fallback.tick() => true,
        };
        if !look {
            continue;
        }
        match ledger.transaction(id).await {
            Ok(view) if view.status != TransactionStatus::Queued => return Ok(view),
            Ok(_) => {}
            // It is submitted: whatever the ledger says now says nothing about it, and one that restarts is back in a
            // moment. The time limit ends this.
            Err(_) => {}
        }
    }
}

//! `tana verify`: has the ledger check blocks, one, a range or all, and names what does not hold.

use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use tana_protocol::api::ledger::BlockVerification;

use super::context::Context;
use super::exit::{Exit, failure};
use crate::show::{clean, count};

/// Blocks that are checked at the same time.
const AT_ONCE: usize = 4;
/// Between two words of progress.
const PROGRESS: u64 = 1000;

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The block; default: the latest
    #[arg(conflicts_with_all = ["from", "to", "all"])]
    height: Option<u64>,
    /// From this block on
    #[arg(long, value_name = "HEIGHT", conflicts_with = "all")]
    from: Option<u64>,
    /// Up to this block
    #[arg(long, value_name = "HEIGHT", conflicts_with = "all")]
    to: Option<u64>,
    /// Every block
    #[arg(long)]
    all: bool,
}

impl Verify {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let ledger = context.ledger()?;
        let tip = ledger.info().await?.height;
        let (from, to) = match self.height {
            Some(height) => (height, height),
            None if self.all => (0, tip),
            None if self.from.is_none() && self.to.is_none() => (tip, tip),
            None => (self.from.unwrap_or(0), self.to.unwrap_or(tip)),
        };
        if from > to || to > tip {
            return Err(failure(
                Exit::Misuse,
                format!("there are no blocks {from} to {to}; the chain has 0 to {tip}"),
            ));
        }
        let mut checks = stream::iter(from..=to)
            .map(|height| ledger.verify_block(height))
            .buffered(AT_ONCE);
        let mut bad: Vec<BlockVerification> = Vec::new();
        while let Some(block) = checks.try_next().await? {
            if block.height > from && (block.height - from).is_multiple_of(PROGRESS) {
                context.out.progress(&format!(
                    "{} of {}",
                    count(block.height - from),
                    count(to - from)
                ));
            }
            if !block.valid || block.checks.iter().any(|check| !check.ok) {
                bad.push(block);
            }
        }
        let checked = to - from + 1;
        let value = json!({
            "valid": bad.is_empty(), "from": from, "to": to, "checked": checked, "invalid": bad,
        });
        context.out.show(&value, || {
            if bad.is_empty() {
                let blocks = if checked == 1 {
                    format!("block {from} is valid")
                } else {
                    format!("blocks {from} to {to} are valid ({})", count(checked))
                };
                return format!("{blocks}: hash, roots, signatures and state by replay\n");
            }
            bad.iter().map(says).collect()
        })?;
        if bad.is_empty() {
            Ok(Exit::Done)
        } else {
            context.out.hint(
                "stop the node and restore its data from a copy, or from another validator",
            )?;
            Ok(Exit::Failed)
        }
    }
}

fn says(block: &BlockVerification) -> String {
    let mut text = format!("block {} is not valid\n", block.height);
    for check in block.checks.iter().filter(|check| !check.ok) {
        let name = serde_json::to_value(check.name)
            .ok()
            .and_then(|name| name.as_str().map(str::to_owned))
            .unwrap_or_default();
        let detail = check.detail.as_deref().unwrap_or("does not hold");
        text.push_str(&format!("  {name}: {}\n", clean(detail)));
    }
    text
}

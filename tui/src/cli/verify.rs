//! `tana verify`: has the ledger check blocks, one, a range or all, and names what does not hold; or `tanad` straight from
//! the database.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use tana_protocol::api::ledger::{BlockVerification, VerificationLine};

use super::bar::Bar;
use super::context::Context;
use super::exit::{Exit, failure};
use super::launch;
use crate::show::{clean, count};

/// Blocks that are checked at the same time.
const AT_ONCE: usize = 4;

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
    /// Straight from this node's database, without its services; with --all also what the database holds besides
    #[arg(long)]
    offline: bool,
}

/// What was found.
#[derive(Default)]
struct Found {
    from: u64,
    to: u64,
    checked: u64,
    bad: Vec<BlockVerification>,
    /// Rows of the database that belong to no block; only where they were looked for.
    strays: Option<Vec<String>>,
}

impl Found {
    fn is_good(&self) -> bool {
        self.bad.is_empty() && self.strays.as_ref().is_none_or(Vec::is_empty)
    }

    fn take(&mut self, block: BlockVerification, bar: &mut Bar) {
        self.checked += 1;
        bar.at(self.checked);
        if !block.valid || block.checks.iter().any(|check| !check.ok) {
            self.bad.push(block);
        }
    }
}

impl Verify {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let found = if self.offline {
            self.offline(context)?
        } else {
            self.online(context).await?
        };
        let Found {
            from, to, checked, ..
        } = found;
        let mut value = json!({
            "valid": found.is_good(), "from": from, "to": to, "checked": checked, "invalid": found.bad,
        });
        if let Some(strays) = &found.strays {
            value["strays"] = json!(strays);
        }
        context.out.show(&value, || {
            if found.is_good() {
                let blocks = if checked == 1 {
                    format!("block {from} is valid")
                } else {
                    format!("blocks {from} to {to} are valid ({})", count(checked))
                };
                return format!("{blocks}: hash, roots, signatures and state by replay\n");
            }
            let strays = found.strays.iter().flatten();
            let strays = strays.map(|stray| format!("of no block: {}\n", clean(stray)));
            found.bad.iter().map(says).chain(strays).collect()
        })?;
        if found.is_good() {
            Ok(Exit::Done)
        } else {
            context.out.hint(
                "stop the node and restore its data from a copy, or from another validator",
            )?;
            Ok(Exit::Failed)
        }
    }

    async fn online(&self, context: &Context) -> anyhow::Result<Found> {
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
        let mut found = Found {
            from,
            to,
            ..Found::default()
        };
        let mut bar = Bar::new(to - from + 1);
        let mut checks = stream::iter(from..=to)
            .map(|height| ledger.verify_block(height))
            .buffered(AT_ONCE);
        while let Some(block) = checks.try_next().await? {
            found.take(block, &mut bar);
        }
        Ok(found)
    }

    /// Has `tanad verify` read the database: this program itself knows nothing of databases.
    fn offline(&self, context: &Context) -> anyhow::Result<Found> {
        if context.is_remote() {
            return Err(failure(
                Exit::Misuse,
                "--offline reads this machine's database; leave --node out, or run this there over SSH",
            ));
        }
        let program = launch::program("tanad")?;
        let mut command = Command::new(&program);
        command
            .arg("verify")
            .envs(launch::environment(&context.settings))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let (from, to) = match self.height {
            Some(height) => (Some(height), Some(height)),
            None => (self.from, self.to),
        };
        if self.all {
            command.arg("--all");
        }
        for (flag, height) in [("--from", from), ("--to", to)] {
            if let Some(height) = height {
                command.args([flag, &height.to_string()]);
            }
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("{} cannot be run", program.display()))?;
        let lines = child.stdout.take().context("its output is not there")?;
        let (mut found, mut bar) = (Found::default(), Bar::new(0));
        for line in BufReader::new(lines).lines() {
            let line = serde_json::from_str(&line?)
                .context("tanad is of another version than tana; install both from one build")?;
            match line {
                VerificationLine::Range { from, to } => {
                    (found.from, found.to) = (from, to);
                    bar = Bar::new(to - from + 1);
                }
                VerificationLine::Block(block) => found.take(block, &mut bar),
                VerificationLine::Strays(strays) => found.strays = Some(strays),
            }
        }
        drop(bar);
        let ended = child.wait_with_output()?;
        if !ended.status.success() {
            let said = String::from_utf8_lossy(&ended.stderr);
            let last = said.lines().rev().find(|line| !line.trim().is_empty());
            return Err(failure(
                Exit::Failed,
                last.map_or_else(|| format!("tanad verify: {}", ended.status), clean),
            ));
        }
        Ok(found)
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

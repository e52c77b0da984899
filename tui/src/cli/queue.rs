//! `tana queue`: what waits for a block, and the dead letters: accepted transactions that no block can take.

use std::time::Duration;

use clap::{Args, Subcommand};
use tana_home::{KeyFile, Settings};
use tana_protocol::api::ledger::DeadLetterView;
use tana_protocol::node::NodeKey;
use tana_protocol::{ServiceKind, ServiceToken, TransactionId};

use super::context::Context;
use super::exit::Exit;
use super::output::{Side, Table};
use crate::show::clean;

/// How long the token of one request is good for.
const TOKEN: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(crate) struct Queue {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The dead letters, the last first
    List(List),
    /// One dead letter: what was submitted, and why no block can take it
    Inspect(One),
    /// Queue a dead letter again, if the rules let it pass now
    Retry(One),
    /// Delete a dead letter
    Drop(One),
}

#[derive(Debug, Args)]
struct List {
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
}

#[derive(Debug, Args)]
struct One {
    /// The transaction's id
    id: TransactionId,
}

impl Queue {
    /// Whether it changes anything.
    pub(super) fn changes(&self) -> bool {
        matches!(self.what, Some(What::Retry(_) | What::Drop(_)))
    }

    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        match self.what {
            None => show(context).await,
            Some(What::List(list)) => list.execute(context).await,
            Some(What::Inspect(one)) => inspect(context, &one.id).await,
            Some(What::Retry(one)) => retry(context, &one.id).await,
            Some(What::Drop(one)) => drop_one(context, &one.id).await,
        }
    }
}

async fn show(context: &Context) -> anyhow::Result<Exit> {
    let view = context.ledger()?.queue().await?;
    context.out.show(&view, || {
        let oldest = view
            .oldest_ms
            .map_or_else(|| "–".to_owned(), |ms| format!("{ms} ms"));
        let readers = if view.consumers.is_empty() {
            "nobody".to_owned()
        } else {
            view.consumers
                .iter()
                .map(|name| clean(name))
                .collect::<Vec<_>>()
                .join(", ")
        };
        format!(
            "queue     {}\nwaiting   {}\ntaken     {}\ndead      {}\noldest    {oldest}\nread by   {readers}\n",
            clean(&view.backend),
            view.length,
            view.pending,
            view.dead
        )
    })?;
    if let Some(warning) = &view.warning {
        context.out.hint(&clean(warning))?;
    }
    if view.dead > 0 {
        context
            .out
            .hint("no block can take dead entries; tana queue list says why")?;
    }
    Ok(Exit::Done)
}

impl List {
    async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let letters = context.ledger()?.dead_letters(self.limit).await?;
        context.out.show(&letters, || {
            if letters.is_empty() {
                return "no dead letters\n".to_owned();
            }
            let mut table = Table::new(&[
                ("since", Side::Left),
                ("type", Side::Left),
                ("transaction", Side::Left),
                ("why", Side::Left),
            ]);
            for letter in &letters {
                table.row([
                    letter.buried_at.to_string(),
                    letter.signed.transaction.kind.to_string(),
                    letter.id.to_string(),
                    clean(&letter.reason),
                ]);
            }
            table.text(context.out)
        })?;
        Ok(Exit::Done)
    }
}

async fn inspect(context: &Context, id: &TransactionId) -> anyhow::Result<Exit> {
    let letter = context.ledger()?.dead_letter(id).await?;
    context.out.show(&letter, || described(&letter))?;
    Ok(Exit::Done)
}

fn described(letter: &DeadLetterView) -> String {
    let transaction = &letter.signed.transaction;
    let mut lines = vec![
        ("transaction", letter.id.to_string()),
        (
            "why",
            format!("{} ({})", clean(&letter.reason), letter.code),
        ),
        ("since", letter.buried_at.to_string()),
        ("place", clean(&letter.stream_id)),
        ("type", transaction.kind.to_string()),
        ("from", clean(transaction.from.as_str())),
        ("to", clean(transaction.to.as_str())),
        ("signed at", transaction.timestamp.to_string()),
        ("nonce", transaction.nonce.to_string()),
    ];
    if let (Some(amount), Some(code)) = (&transaction.amount, &transaction.currency_code) {
        lines.push(("amount", format!("{amount} {code}")));
    }
    lines
        .into_iter()
        .map(|(name, value)| format!("{name:<12}{value}\n"))
        .collect()
}

/// A token of this node's producer: its ledger lets validators change the queue.
pub(crate) fn token(settings: &Settings) -> anyhow::Result<ServiceToken> {
    let file = KeyFile::read(&settings.home.node_key_file())?;
    let key = NodeKey::new(file.secret_key).service_key(ServiceKind::Producer);
    Ok(ServiceToken::issue(
        &key,
        ServiceKind::Producer,
        settings.node_id.clone(),
        tana_client::now(),
        TOKEN,
    ))
}

async fn retry(context: &Context, id: &TransactionId) -> anyhow::Result<Exit> {
    let token = token(&context.settings)?;
    let submitted = context.ledger()?.retry_dead_letter(id, &token).await?;
    context.out.show(&submitted, || {
        format!("{} is {}\n", submitted.id, submitted.status.as_str())
    })?;
    Ok(Exit::Done)
}

async fn drop_one(context: &Context, id: &TransactionId) -> anyhow::Result<Exit> {
    let token = token(&context.settings)?;
    let dropped = context.ledger()?.drop_dead_letter(id, &token).await?;
    context
        .out
        .show(&dropped, || format!("{} is gone\n", dropped.id))?;
    Ok(Exit::Done)
}

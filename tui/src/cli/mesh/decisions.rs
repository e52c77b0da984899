//! `tana mesh decisions`: the log of what was decided, checked here entry by entry.

use clap::Args;
use tana_protocol::Hash32;
use tana_protocol::decisions::{Entry, check_log};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, failure};
use crate::cli::output::{Side, Table};
use crate::cli::status::clock;
use crate::show::clean;

#[derive(Debug, Args)]
pub(crate) struct Decisions {
    /// So many of the latest
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

impl Decisions {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let mesh = context.mesh()?;
        let (mut number, mut hash) = (0, Hash32::ZERO);
        let mut latest: Vec<Entry> = Vec::new();
        loop {
            let log = mesh.decisions(number + 1).await?;
            let tampered = |why: String| {
                failure(
                    Exit::Failed,
                    format!(
                        "{why}; do not believe this mesh, compare its mesh.db with a copy of it"
                    ),
                )
            };
            (number, hash) = check_log(number, hash, &log.decisions)
                .map_err(|error| tampered(error.to_string()))?;
            let done = log.decisions.is_empty();
            latest.extend(log.decisions);
            let old = latest.len().saturating_sub(self.limit);
            latest.drain(..old);
            if done {
                if (number, hash) != (log.end.count, log.end.hash) {
                    return Err(tampered(format!(
                        "the log of decisions ends at {number}, and should at {}",
                        log.end.count
                    )));
                }
                break;
            }
        }
        context.out.show(&latest, || table(context, &latest))?;
        context.out.hint(&format!(
            "{number} in all, none is missing or changed; the last hash is {hash}"
        ))?;
        Ok(Exit::Done)
    }
}

fn table(context: &Context, entries: &[Entry]) -> String {
    let clock = clock();
    let mut table = Table::new(&[
        ("number", Side::Right),
        ("time", Side::Left),
        ("what", Side::Left),
        ("of", Side::Left),
        ("by", Side::Left),
    ]);
    for entry in entries {
        table.row([
            entry.number.to_string(),
            clock.full(entry.at),
            clean(&entry.kind),
            clean(&entry.subject),
            entry
                .by
                .map_or_else(|| "set-up".to_owned(), |key| key.short()),
        ]);
    }
    table.text(context.out)
}

//! `tana queue`: what waits for a block.

use super::context::Context;
use super::exit::Exit;
use crate::show::clean;

pub(crate) async fn execute(context: &Context) -> anyhow::Result<Exit> {
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
    if view.dead > 0 {
        context
            .out
            .hint("dead entries can be in no block; the console's Queue screen says why")?;
    }
    Ok(Exit::Done)
}

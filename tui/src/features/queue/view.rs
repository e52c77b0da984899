//! Draws the screen Queue: how it is in a few words, then its entries, the dead letters first.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::model::{self, Entry, Found};
use crate::model::{Model, Source};
use crate::show::{clean, count, short};
use crate::theme::Tone;
use crate::widgets::details::{self, labelled};
use crate::widgets::grid::Column;
use crate::widgets::list::List;
use crate::widgets::{Paint, Words};

const COLUMNS: [Column; 7] = [
    Column::left("transaction", 12, 10),
    Column::left("state", 8, 9),
    Column::left("type", 19, 8),
    Column::left("from", 11, 5),
    Column::left("to", 11, 4),
    Column::right("amount", 14, 6),
    Column::left("since", 12, 7),
];

/// An entry that waits longer than this is worth a word.
const LONG: std::time::Duration = std::time::Duration::from_secs(10);

pub(crate) fn draw(model: &Model, area: Rect, paint: &mut Paint<'_>) {
    let Some((found, at)) = &model.queue.found else {
        let failed = model.queue.failed.clone();
        super::super::nothing(model, Source::Ledger, area, paint, |w| match failed {
            Some(why) => w.tone(
                Tone::Warn,
                format!("The ledger did not answer: {}", clean(&why)),
            ),
            None => w.dim("asking the ledger for the queue…"),
        });
        return;
    };
    let facts = facts(model, found, *at, area, paint);
    let margin = if area.width >= 60 { 3 } else { 1 };
    let top = u16::from(area.height > 14);
    let inside = Rect {
        x: area.x + margin,
        y: area.y + top,
        width: area.width.saturating_sub(margin),
        height: area.height.saturating_sub(top),
    };
    let zoomed = model.zoom == crate::widgets::details::Zoom::On;
    let used = if zoomed {
        0
    } else {
        paint.lines(inside, &facts) + 2 * top
    };
    let below = Rect {
        y: area.y + used,
        height: area.height.saturating_sub(used),
        ..area
    };
    let rows = model::rows(model);
    if rows.is_empty() || below.height < 2 {
        return;
    }
    let keys = model::keys(model);
    let list = List::new(&COLUMNS, 10, row, detail);
    list.draw(
        model,
        model.zoom,
        (
            &rows.iter().collect::<Vec<_>>(),
            model.queue.cursor.index(&keys),
        ),
        below,
        paint,
    );
}

/// How the queue is: what waits, how far the producer is behind, who reads; a line each, or one for all where it is small.
fn facts(
    model: &Model,
    found: &Found,
    at: tana_protocol::Timestamp,
    area: Rect,
    paint: &Paint<'_>,
) -> Vec<Line<'static>> {
    let queue = &found.queue;
    let look = paint.look;
    let words = || Words::new(look);
    let lag = queue.length.saturating_sub(queue.pending);
    let stale = model.queue.failed.as_ref();
    if area.height < 12 {
        let mut line = words()
            .strong(count(queue.length))
            .dim(" wait  ")
            .text(count(queue.pending))
            .dim(" taken  ");
        line = if queue.dead == 0 {
            line.dim("0 dead")
        } else {
            line.tone(Tone::Bad, format!("{} dead", count(queue.dead)))
        };
        return vec![line.line()];
    }
    let width = area.width.saturating_sub(4);
    let waits = match queue.length {
        0 => words()
            .text("nothing")
            .dim("   every transaction is in a block"),
        1 => words().strong("1").text(" transaction"),
        n => words().strong(count(n)).text(" transactions"),
    };
    let oldest = queue.oldest_ms.filter(|_| queue.length > 0).map(|ms| {
        let since = tana_protocol::Timestamp::from_ms(at.ms().saturating_sub(ms));
        let tone = if u128::from(ms) > LONG.as_millis() {
            Tone::Warn
        } else {
            Tone::Dim
        };
        (
            tone,
            format!("   the oldest since {}", model.clock.time(since)),
        )
    });
    let waits = match oldest {
        Some((tone, text)) => waits.tone(tone, text),
        None => waits,
    };
    let mut lines = labelled(look, width, "waits", waits);
    let taken = words()
        .text(count(queue.pending))
        .dim(" by a producer, not in a block yet   ")
        .text(count(lag))
        .dim(" not taken");
    lines.extend(labelled(look, width, "taken", taken));
    let dead = if queue.dead == 0 {
        words().text("0")
    } else {
        words().tone(Tone::Bad, count(queue.dead))
    };
    lines.extend(labelled(
        look,
        width,
        "dead",
        dead.dim("   no block can take them"),
    ));
    // The embedded queue keeps no list of who reads it.
    let mut kept = words().text(clean(&queue.backend));
    if !queue.consumers.is_empty() {
        kept = kept
            .dim("   read by ")
            .text(clean(&queue.consumers.join(", ")));
    } else if queue.backend == "redis" {
        kept = kept.tone(Tone::Warn, "   no producer reads it");
    }
    kept = match stale {
        Some(why) => kept.tone(
            Tone::Warn,
            format!(
                "   no newer answer than {}: {}",
                model.clock.time(at),
                clean(why)
            ),
        ),
        None => kept.dim(format!("   as of {}", model.clock.time(at))),
    };
    lines.extend(labelled(look, width, "kept in", kept));
    if let Some(warning) = &queue.warning {
        let warning = words().tone(Tone::Warn, clean(warning));
        lines.extend(labelled(look, width, "beware", warning));
    }
    lines
}

/// A user or contract as a row shows it.
fn party(model: &Model, text: &str) -> String {
    if text == tana_protocol::UserId::SYSTEM.to_string() {
        return "system".to_owned();
    }
    let known = model.blocks.whole.values();
    let name = known.filter_map(|block| block.names.get(text)).next();
    name.map_or_else(|| short(text), |name| clean(name))
}

fn amount(entry: &Entry<'_>) -> String {
    let transaction = &entry.signed().transaction;
    match (&transaction.amount, &transaction.currency_code) {
        (Some(amount), Some(currency)) => format!("{amount} {currency}"),
        (Some(amount), None) => amount.to_string(),
        _ => String::new(),
    }
}

fn row(model: &Model, paint: &Paint<'_>, entry: &Entry<'_>) -> Vec<Line<'static>> {
    let w = || paint.words();
    let transaction = &entry.signed().transaction;
    let since = model.clock.time(entry.since());
    let (state, since) = match entry {
        Entry::Dead(_) => (w().state(Tone::Bad, "dead"), w().text(since)),
        Entry::Waiting(view) => {
            let long = model.clock.now.since(view.created_at) > LONG;
            let tone = if long { Tone::Warn } else { Tone::Plain };
            (w().state(tone, "waits"), w().tone(tone, since))
        }
    };
    [
        w().strong(short(&entry.id().to_string())),
        state,
        w().text(transaction.kind.as_str().replace('_', " ")),
        w().text(party(model, transaction.from.as_str())),
        w().text(party(model, transaction.to.as_str())),
        w().text(amount(entry)),
        since,
    ]
    .into_iter()
    .map(Words::line)
    .collect()
}

fn detail(model: &Model, area: Rect, paint: &mut Paint<'_>, entry: &Entry<'_>) {
    let id = entry.id().to_string();
    let right = paint
        .words()
        .dim(match entry {
            Entry::Dead(letter) => format!("dead since {}", model.clock.time(letter.buried_at)),
            Entry::Waiting(view) => format!("signed {}", model.clock.time(view.created_at)),
        })
        .line();
    let area = details::heading(paint, area, &short(&id), &right);
    let look = paint.look;
    let words = || Words::new(look);
    let transaction = &entry.signed().transaction;
    let mut lines = Vec::new();
    let mut add = |label: &str, value: Words<'_>| {
        lines.extend(labelled(look, area.width, label, value));
    };
    if let Entry::Dead(letter) = entry {
        add(
            "why",
            words()
                .tone(Tone::Bad, clean(&letter.reason))
                .dim(format!("   {}", letter.code)),
        );
    }
    add("id", words().text(id));
    add("from", words().text(clean(transaction.from.as_str())));
    add("to", words().text(clean(transaction.to.as_str())));
    let amount = amount(entry);
    if !amount.is_empty() {
        add("amount", words().text(amount));
    }
    add(
        "signed",
        words()
            .text(model.clock.full(transaction.timestamp))
            .dim(format!("   nonce {}", transaction.nonce)),
    );
    if let Entry::Dead(letter) = entry {
        add("place", words().text(clean(&letter.stream_id)));
    }
    if let Some(input) = &transaction.contract_input {
        add("input", words().text(clean(&input.to_string())));
    }
    if let Some(metadata) = &transaction.metadata {
        add("metadata", words().text(clean(&metadata.to_string())));
    }
    paint.lines(area, &lines);
}

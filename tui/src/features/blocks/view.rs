//! Draws the screen Blocks: two charts and the list; one block in full is `detail`'s.

use ratatui::layout::Rect;
use ratatui::text::Line;
use tana_protocol::api::ledger::BlockView;

use super::model::{self, Verdict};
use crate::model::{Model, Source};
use crate::show::{count, short};
use crate::theme::Tone;
use crate::widgets::details::{self, Zoom};
use crate::widgets::grid::{self, Column, Rows};
use crate::widgets::{Paint, Words, chart};

const COLUMNS: [Column; 8] = [
    Column::right("height", 9, 10),
    Column::left("time", 12, 9),
    Column::left("producer", 12, 6).up_to(20),
    Column::right("tx", 5, 8),
    Column::right("failed", 6, 5),
    Column::right("gas", 9, 3),
    Column::left("hash", 9, 2),
    Column::left("checked", 13, 7),
];

pub(crate) fn draw(model: &Model, area: Rect, paint: &mut Paint<'_>) {
    let rows = model::rows(model);
    if rows.is_empty() {
        super::super::nothing(model, Source::Ledger, area, paint, |w| {
            w.text("No block yet. One is made when a transaction waits: ")
                .strong("tana deposit USER AMOUNT CUR")
                .text(".")
        });
        return;
    }
    let mut area = area;
    if model.zoom == Zoom::Off && area.height >= 14 && area.width >= 50 {
        charts(model, Rect { height: 2, ..area }, paint);
        let used = if area.height >= 22 { 3 } else { 2 };
        area = Rect {
            y: area.y + used,
            height: area.height - used,
            ..area
        };
    }
    let looked_at = model.blocks.height();
    let selected = rows.iter().position(|b| Some(b.header.height) == looked_at);
    // A list that grows by itself keeps to half of the room.
    let list_rows = (u16::try_from(rows.len())
        .unwrap_or(u16::MAX)
        .saturating_add(1))
    .min(area.height / 2);
    let split = details::split(area, list_rows, area.height / 2, model.zoom);
    if let Some(list) = split.list {
        grid::draw(
            paint,
            list,
            &COLUMNS,
            Rows {
                count: rows.len(),
                selected,
            },
            |p, i| row(model, p, rows[i]),
        );
    }
    if let (Some(area), Some(height)) = (split.details, looked_at) {
        super::detail::draw(model, area, paint, height);
    }
}

fn charts(model: &Model, area: Rect, paint: &mut Paint<'_>) {
    let margin = if area.width >= 60 { 3 } else { 2 };
    let label = 16;
    let numbers = if area.width >= 100 { 34 } else { 22 };
    let width = area
        .width
        .saturating_sub(margin + label + numbers + 2)
        .min(100);
    let now = model.blocks.list.first();
    let intervals = model.blocks.intervals();
    let transactions = model.blocks.transactions();
    let per_second = {
        let shown: u64 = transactions.iter().rev().take(usize::from(width)).sum();
        let time: u64 = intervals.iter().rev().take(usize::from(width)).sum();
        (shown * 10_000)
            .checked_div(time)
            .map(|tenths| format!("{}.{}", tenths / 10, tenths % 10))
    };
    let rows: [(&str, &[u64], Line<'static>); 2] = [
        ("block time", &intervals, {
            let mut w = paint.words();
            if let Some(last) = intervals.last() {
                w = w.dim("now ").text(span(*last));
            }
            if let (Some(most), true) = (intervals.iter().max(), area.width >= 100) {
                w = w.dim("   most ").text(span(*most));
            }
            w.line()
        }),
        ("transactions", &transactions, {
            let mut w = paint.words();
            if let Some(block) = now {
                w = w.dim("now ").text(count(block.header.tx_count));
            }
            if let (Some(most), true) = (transactions.iter().max(), area.width >= 100) {
                w = w.dim("   most ").text(count(*most));
            }
            if let Some(rate) = per_second {
                w = w.dim("   ").text(rate).dim("/s");
            }
            w.line()
        }),
    ];
    for (y, (name, values, numbers)) in (area.y..area.bottom()).zip(rows) {
        let line = paint.words().dim(name).line();
        paint.line(area.x + margin, y, label, &line);
        let line = paint
            .words()
            .accent(chart::bars(values, usize::from(width)))
            .line();
        paint.line(area.x + margin + label, y, width, &line);
        let x = area.x + margin + label + width + 2;
        paint.line(x, y, area.right().saturating_sub(x), &numbers);
    }
}

/// Milliseconds as they are read: `47 ms`, `1.2 s`, `3 min`.
fn span(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        60_000..7_200_000 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}

fn row(model: &Model, paint: &Paint<'_>, block: &BlockView) -> Vec<Line<'static>> {
    let w = || paint.words();
    let header = &block.header;
    let whole = model.blocks.whole.get(&header.height);
    let failed = block.failed_count.or_else(|| {
        whole?
            .block
            .receipts
            .as_ref()
            .map(|r| u32::try_from(r.iter().filter(|r| !r.is_ok()).count()).unwrap_or(u32::MAX))
    });
    let failed = match failed {
        Some(0) => w().dim("0"),
        Some(n) => w().tone(Tone::Bad, count(n)),
        None => w().dim("–"),
    };
    let verdict = match model.blocks.verdict(header.height) {
        Verdict::Unknown => w().dim("–"),
        Verdict::Holds(n) => w().tone(Tone::Good, "✓").text(format!(" {n} of 6")),
        Verdict::Broken => w().tone(Tone::Bad, "× not valid"),
    };
    [
        w().strong(count(header.height)),
        w().text(model.clock.time(header.timestamp)),
        w().text(header.producer.as_str()),
        w().text(count(header.tx_count)),
        failed,
        w().text(count(header.gas_used)),
        w().dim(short(&block.hash.to_hex())),
        verdict,
    ]
    .into_iter()
    .map(Words::line)
    .collect()
}

//! Draws the screen Blocks: two charts, the list, one block in full with its receipts and checks.

use ratatui::layout::Rect;
use ratatui::text::Line;
use tana_protocol::SignedTransaction;
use tana_protocol::api::ledger::{BlockView, CheckName};
use tana_protocol::block::Receipt;

use super::model::{self, Finding, Replay, Verdict, WholeBlock};
use crate::keys::Action;
use crate::model::{Model, Source};
use crate::show::{clean, count, short};
use crate::theme::Tone;
use crate::widgets::details::{self, Zoom, labelled};
use crate::widgets::grid::{self, Column, Rows, Side};
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
            w.text("No block yet. One is made when a transaction waits: ").strong("tana deposit USER AMOUNT CUR").text(".")
        });
        return;
    }
    let mut area = area;
    if model.zoom == Zoom::Off && area.height >= 14 && area.width >= 50 {
        charts(model, Rect { height: 2, ..area }, paint);
        let used = if area.height >= 22 { 3 } else { 2 };
        area = Rect { y: area.y + used, height: area.height - used, ..area };
    }
    let looked_at = model.blocks.height();
    let selected = rows.iter().position(|b| Some(b.header.height) == looked_at);
    // A list that grows by itself keeps to half of the room.
    let list_rows = (u16::try_from(rows.len()).unwrap_or(u16::MAX).saturating_add(1)).min(area.height / 2);
    let split = details::split(area, list_rows, area.height / 2, model.zoom);
    if let Some(list) = split.list {
        grid::draw(paint, list, &COLUMNS, Rows { count: rows.len(), selected }, |p, i| row(model, p, rows[i]));
    }
    if let (Some(area), Some(height)) = (split.details, looked_at) {
        detail(model, area, paint, height);
    }
}

fn charts(model: &Model, area: Rect, paint: &mut Paint<'_>) {
    let margin = if area.width >= 60 { 3 } else { 2 };
    let label = 16;
    let numbers = if area.width >= 100 { 34 } else { 22 };
    let width = area.width.saturating_sub(margin + label + numbers + 2).min(100);
    let now = model.blocks.list.first();
    let intervals = model.blocks.intervals();
    let transactions = model.blocks.transactions();
    let per_second = {
        let shown: u64 = transactions.iter().rev().take(usize::from(width)).sum();
        let time: u64 = intervals.iter().rev().take(usize::from(width)).sum();
        (shown * 10_000).checked_div(time).map(|tenths| format!("{}.{}", tenths / 10, tenths % 10))
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
        let line = paint.words().accent(chart::bars(values, usize::from(width))).line();
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
    let failed = block
        .failed_count
        .or_else(|| whole?.block.receipts.as_ref().map(|r| u32::try_from(r.iter().filter(|r| !r.is_ok()).count()).unwrap_or(u32::MAX)));
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

fn detail(model: &Model, area: Rect, paint: &mut Paint<'_>, height: u64) {
    let title = format!("block {}", count(height));
    let Some(whole) = model.blocks.whole.get(&height) else {
        let area = details::heading(paint, area, &title, &Line::default());
        let line = match &model.blocks.failed {
            Some((h, why)) if *h == height => paint.words().tone(Tone::Warn, format!("no answer: {}", clean(why))),
            _ if model.blocks.loading.is_some() => paint.words().dim("asking the ledger…"),
            _ => paint.words().dim("not read yet"),
        }
        .line();
        paint.lines(area, &[line]);
        return;
    };
    let transactions = whole.block.transactions.as_deref().unwrap_or_default();
    let receipts = whole.block.receipts.as_deref().unwrap_or_default();
    let noun = if transactions.len() == 1 { "transaction" } else { "transactions" };
    let right = paint.words().dim(format!("{} {noun}", count(u64::try_from(transactions.len()).unwrap_or(0)))).line();
    let area = details::heading(paint, area, &title, &right);
    let look = paint.look;
    let mut facts = vec![checks(model, paint, area.width, whole)];
    facts.extend(trouble(model, paint, area.width, whole));
    let full = area.height >= 12;
    if full {
        let header = &whole.block.header;
        for (label, hash) in [("hash", whole.block.hash.to_hex()), ("before", header.previous_hash.to_hex()), ("state root", header.state_root.to_hex())]
        {
            facts.push(labelled(look, area.width, label, Words::new(look).text(hash)));
        }
    }
    let used = paint.lines(area, &facts);
    let gap = u16::from(area.height > used + 3);
    let area = Rect { y: area.y + used + gap, height: area.height.saturating_sub(used + gap), ..area };
    if transactions.is_empty() {
        let text = if height == 0 { "the genesis block: what the chain file says" } else { "an empty block" };
        let line = paint.words().dim(text).line();
        paint.lines(area, &[line]);
        return;
    }
    let chosen = model.blocks.transaction.min(transactions.len() - 1);
    let more = 4.min(area.height.saturating_sub(3));
    let list = usize::from(area.height - more);
    let first = grid::first_row(Rows { count: transactions.len(), selected: Some(chosen) }, list);
    let mut y = area.y;
    for (i, transaction) in transactions.iter().enumerate().skip(first).take(list) {
        let receipt = receipts.get(i);
        transaction_row(paint, Rect { y, height: 1, ..area }, whole, transaction, receipt);
        if i == chosen && transactions.len() > 1 {
            let bar = area.x.saturating_sub(2);
            paint.select(Rect { x: bar, y, width: area.right() - bar, height: 1 });
        }
        y += 1;
    }
    if more > 0 {
        let below = Rect { y: y + 1, height: area.bottom().saturating_sub(y + 1), ..area };
        chosen_transaction(paint, below, &transactions[chosen], receipts.get(chosen));
    }
}

fn transaction_row(paint: &mut Paint<'_>, area: Rect, whole: &WholeBlock, signed: &SignedTransaction, receipt: Option<&Receipt>) {
    let t = &signed.transaction;
    let columns: [(u16, Side); 6] = [(2, Side::Left), (20, Side::Left), (16, Side::Left), (18, Side::Left), (18, Side::Right), (12, Side::Left)];
    let ok = receipt.is_none_or(Receipt::is_ok);
    let party = |text: &str| {
        let name = whole.names.get(text).cloned().unwrap_or_else(|| text.to_owned());
        let name = if text == tana_protocol::UserId::SYSTEM.to_string() { "system".to_owned() } else { name };
        clean(&if name.len() > 30 { short(&name) } else { name })
    };
    let amount = match (&t.amount, &t.currency_code) {
        (Some(amount), Some(currency)) => format!("{amount} {currency}"),
        (Some(amount), None) => amount.to_string(),
        _ => String::new(),
    };
    let w = || Words::new(paint.look);
    let cells = [
        if ok { w().tone(Tone::Good, "✓") } else { w().tone(Tone::Bad, "×") },
        w().text(t.kind.as_str().replace('_', " ")),
        w().text(party(t.from.as_str())),
        w().dim("→ ").text(party(t.to.as_str())),
        w().text(amount),
        w().dim(format!("tx_{}", signed.id().short().trim_start_matches("tx_"))),
    ];
    let narrow = area.width < 90;
    let mut x = area.x;
    for (i, ((width, side), cell)) in columns.into_iter().zip(cells).enumerate() {
        if narrow && i == 5 {
            continue;
        }
        let width = if narrow { [2, 14, 12, 14, 14, 0][i] } else { width };
        let line = cell.line();
        let taken = u16::try_from(line.width()).unwrap_or(u16::MAX).min(width);
        let at = if side == Side::Right { x + width - taken } else { x };
        if at + taken <= area.right() {
            paint.line(at, area.y, taken, &line);
        }
        x += width + if i == 0 { 0 } else { 1 };
    }
    if let Some(receipt) = receipt.filter(|r| !r.is_ok()) {
        let line = paint.words().tone(Tone::Bad, clean(&receipt.message)).line();
        let x = x + 1;
        if x + 8 < area.right() {
            paint.line(x, area.y, area.right() - x, &line);
        }
    }
}

fn chosen_transaction(paint: &mut Paint<'_>, area: Rect, signed: &SignedTransaction, receipt: Option<&Receipt>) {
    let look = paint.look;
    let words = || Words::new(look);
    let mut lines = vec![labelled(look, area.width, "id", words().text(signed.id().to_string()))];
    if let Some(receipt) = receipt {
        let result = if receipt.is_ok() {
            words().text("ok")
        } else {
            words().tone(Tone::Bad, format!("{}: {}", clean(&receipt.code), clean(&receipt.message)))
        };
        lines.push(labelled(look, area.width, "receipt", result.dim(format!("   gas {}", count(receipt.gas_used)))));
        if let Some(result) = &receipt.result {
            lines.push(labelled(look, area.width, "result", words().text(clean(&result.to_string()))));
        }
        for log in receipt.logs.iter().flatten() {
            lines.push(labelled(look, area.width, "log", words().text(clean(log))));
        }
    }
    let by = words().text(signed.transaction.from.as_str()).dim(format!("   nonce {}", signed.transaction.nonce));
    lines.push(labelled(look, area.width, "signed by", by));
    paint.lines(area, &lines);
}

const ALL_CHECKS: [(CheckName, &str); 6] = [
    (CheckName::Hash, "hash"),
    (CheckName::TxRoot, "transactions"),
    (CheckName::Signatures, "signatures"),
    (CheckName::ProducerSignature, "producer"),
    (CheckName::StateRoot, "state root"),
    (CheckName::StateChanges, "changes"),
];

/// The six checks in one line: done here, done by the ledger's replay, or open.
fn checks(model: &Model, paint: &Paint<'_>, width: u16, whole: &WholeBlock) -> Line<'static> {
    let replay = model.blocks.replayed.get(&whole.block.header.height);
    let mut words = paint.words();
    let mut open = false;
    for (name, word) in ALL_CHECKS {
        let local = whole.checks.iter().find(|c| c.name == name).map(|c| &c.finding);
        let remote = match replay {
            Some(Replay::Answered(v)) => v.checks.iter().find(|c| c.name == name).map(|c| c.ok),
            _ => None,
        };
        words = match (local, remote) {
            (Some(Finding::Broken(_)), _) | (_, Some(false)) => words.tone(Tone::Bad, format!("× {word}  ")),
            (Some(Finding::Holds), _) | (_, Some(true)) => words.tone(Tone::Good, "✓ ").text(format!("{word}  ")),
            _ => {
                open = true;
                words.dim(format!("· {word}  "))
            }
        };
    }
    if open {
        words = match replay {
            Some(Replay::Asked) => words.dim("asking the ledger…"),
            _ => words.accent(model.keys.key(Action::VerifyBlock)).dim(" replays the rest"),
        };
    }
    labelled(paint.look, width, "checked", words)
}

/// What does not hold, a line each.
fn trouble(model: &Model, paint: &Paint<'_>, width: u16, whole: &WholeBlock) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut add = |label: &str, tone: Tone, text: &str| {
        lines.push(labelled(paint.look, width, label, paint.words().tone(tone, clean(text))));
    };
    for check in &whole.checks {
        match &check.finding {
            Finding::Broken(why) => add("broken", Tone::Bad, why),
            Finding::Open(why) => add("open", Tone::Dim, why),
            Finding::Holds => {}
        }
    }
    match model.blocks.replayed.get(&whole.block.header.height) {
        Some(Replay::Answered(v)) => {
            for check in v.checks.iter().filter(|c| !c.ok) {
                add("broken", Tone::Bad, check.detail.as_deref().unwrap_or("the ledger's replay differs"));
            }
        }
        Some(Replay::Failed(why)) => add("open", Tone::Warn, &format!("the ledger did not verify it: {why}")),
        Some(Replay::Asked) | None => {}
    }
    lines
}

//! One block in full: what was checked of it, its transactions with their receipts.

use ratatui::layout::Rect;
use ratatui::text::Line;
use tana_protocol::SignedTransaction;
use tana_protocol::block::Receipt;

use super::model::WholeBlock;
use crate::model::Model;
use crate::show::{clean, count, short};
use crate::theme::Tone;
use crate::widgets::details::{self, labelled};
use crate::widgets::grid::{self, Rows, Side};
use crate::widgets::{Paint, Words};

pub(super) fn draw(model: &Model, area: Rect, paint: &mut Paint<'_>, height: u64) {
    // While the newest is being read the one before it stays, rather than a blank between two blocks.
    let newest = model.blocks.whole.keys().next_back().copied();
    let height = match newest {
        Some(before)
            if model.blocks.at.is_none()
                && (model.blocks.loading == Some(height)
                    || model.blocks.next_follow().is_some()) =>
        {
            before
        }
        _ => height,
    };
    let title = format!("block {}", count(height));
    let Some(whole) = model.blocks.whole.get(&height) else {
        let area = details::heading(paint, area, &title, &Line::default());
        let line = match &model.blocks.failed {
            Some((h, why)) if *h == height => paint
                .words()
                .tone(Tone::Warn, format!("no answer: {}", clean(why))),
            _ if model.blocks.loading.is_some() => paint.words().dim("asking the ledger…"),
            _ => paint.words().dim("not read yet"),
        }
        .line();
        paint.lines(area, &[line]);
        return;
    };
    let transactions = whole.block.transactions.as_deref().unwrap_or_default();
    let receipts = whole.block.receipts.as_deref().unwrap_or_default();
    let noun = if transactions.len() == 1 {
        "transaction"
    } else {
        "transactions"
    };
    let right = paint
        .words()
        .dim(format!(
            "{} {noun}",
            count(u64::try_from(transactions.len()).unwrap_or(0))
        ))
        .line();
    let area = details::heading(paint, area, &title, &right);
    let look = paint.look;
    let mut facts = super::checks::lines(model, paint, area.width, whole);
    facts.extend(super::checks::trouble(model, paint, area.width, whole));
    let chosen = model
        .blocks
        .transaction
        .min(transactions.len().saturating_sub(1));
    let below = transactions
        .get(chosen)
        .map(|t| chosen_transaction(paint, area.width, t, receipts.get(chosen)))
        .unwrap_or_default();
    // At least three transactions stay, or all where there are fewer.
    let least = transactions.len().min(3) + 1;
    let header = &whole.block.header;
    for (label, hash) in [
        ("hash", whole.block.hash),
        ("before", header.previous_hash),
        ("state root", header.state_root),
    ] {
        let value = Words::new(look).text(hash.to_hex());
        let lines = labelled(look, area.width, label, value);
        // Whole or not at all, and only where what the transactions need is left.
        let needed = facts.len() + lines.len() + 1 + least + 1 + below.len();
        if needed <= usize::from(area.height) {
            facts.extend(lines);
        }
    }
    let used = paint.lines(area, &facts);
    let gap = u16::from(area.height > used + 3);
    let area = Rect {
        y: area.y + used + gap,
        height: area.height.saturating_sub(used + gap),
        ..area
    };
    if transactions.is_empty() {
        let text = if height == 0 {
            "the genesis block: what the chain file says"
        } else {
            "an empty block"
        };
        let line = paint.words().dim(text).line();
        paint.lines(area, &[line]);
        return;
    }
    let least = u16::try_from(least).unwrap_or(4);
    let more = u16::try_from(below.len())
        .unwrap_or(u16::MAX)
        .saturating_add(1)
        .min(area.height.saturating_sub(least));
    let list = usize::from(area.height - more);
    let first = grid::first_row(
        Rows {
            count: transactions.len(),
            selected: Some(chosen),
        },
        list,
    );
    let mut y = area.y;
    for (i, transaction) in transactions.iter().enumerate().skip(first).take(list) {
        let receipt = receipts.get(i);
        transaction_row(
            paint,
            Rect {
                y,
                height: 1,
                ..area
            },
            whole,
            transaction,
            receipt,
        );
        if i == chosen && transactions.len() > 1 {
            let bar = area.x.saturating_sub(2);
            paint.select(Rect {
                x: bar,
                y,
                width: area.right() - bar,
                height: 1,
            });
        }
        y += 1;
    }
    if more > 0 {
        let room = Rect {
            y: y + 1,
            height: area.bottom().saturating_sub(y + 1),
            ..area
        };
        paint.lines(room, &below);
    }
}

fn transaction_row(
    paint: &mut Paint<'_>,
    area: Rect,
    whole: &WholeBlock,
    signed: &SignedTransaction,
    receipt: Option<&Receipt>,
) {
    let t = &signed.transaction;
    let columns: [(u16, Side); 6] = [
        (2, Side::Left),
        (20, Side::Left),
        (16, Side::Left),
        (18, Side::Left),
        (18, Side::Right),
        (12, Side::Left),
    ];
    let ok = receipt.is_none_or(Receipt::is_ok);
    let party = |text: &str| {
        let name = whole
            .names
            .get(text)
            .cloned()
            .unwrap_or_else(|| text.to_owned());
        let name = if text == tana_protocol::UserId::SYSTEM.to_string() {
            "system".to_owned()
        } else {
            name
        };
        clean(&if name.len() > 30 { short(&name) } else { name })
    };
    let amount = match (&t.amount, &t.currency_code) {
        (Some(amount), Some(currency)) => format!("{amount} {currency}"),
        (Some(amount), None) => amount.to_string(),
        _ => String::new(),
    };
    let w = || Words::new(paint.look);
    let cells = [
        if ok {
            w().tone(Tone::Good, "✓")
        } else {
            w().tone(Tone::Bad, "×")
        },
        w().text(t.kind.as_str().replace('_', " ")),
        w().text(party(t.from.as_str())),
        w().dim("→ ").text(party(t.to.as_str())),
        w().text(amount),
        w().dim(format!(
            "tx_{}",
            signed.id().short().trim_start_matches("tx_")
        )),
    ];
    let narrow = area.width < 90;
    let mut x = area.x;
    for (i, ((width, side), cell)) in columns.into_iter().zip(cells).enumerate() {
        if narrow && i == 5 {
            continue;
        }
        let width = if narrow {
            [2, 14, 12, 14, 14, 0][i]
        } else {
            width
        };
        let line = cell.line();
        let taken = u16::try_from(line.width()).unwrap_or(u16::MAX).min(width);
        let at = if side == Side::Right {
            x + width - taken
        } else {
            x
        };
        if at + taken <= area.right() {
            paint.line(at, area.y, taken, &line);
        }
        x += width + if i == 0 { 0 } else { 1 };
    }
    if let Some(receipt) = receipt.filter(|r| !r.is_ok()) {
        let line = paint
            .words()
            .tone(Tone::Bad, clean(&receipt.message))
            .line();
        let x = x + 1;
        if x + 8 < area.right() {
            paint.line(x, area.y, area.right() - x, &line);
        }
    }
}

fn chosen_transaction(
    paint: &Paint<'_>,
    width: u16,
    signed: &SignedTransaction,
    receipt: Option<&Receipt>,
) -> Vec<Line<'static>> {
    let look = paint.look;
    let words = || Words::new(look);
    let mut lines = labelled(look, width, "id", words().text(signed.id().to_string()));
    if let Some(receipt) = receipt {
        let result = if receipt.is_ok() {
            words().text("ok")
        } else {
            words().tone(
                Tone::Bad,
                format!("{}: {}", clean(&receipt.code), clean(&receipt.message)),
            )
        };
        lines.extend(labelled(
            look,
            width,
            "receipt",
            result.dim(format!("   gas {}", count(receipt.gas_used))),
        ));
        if let Some(result) = &receipt.result {
            lines.extend(labelled(
                look,
                width,
                "result",
                words().text(clean(&result.to_string())),
            ));
        }
        for log in receipt.logs.iter().flatten() {
            lines.extend(labelled(look, width, "log", words().text(clean(log))));
        }
    }
    let by = words()
        .text(signed.transaction.from.as_str())
        .dim(format!("   nonce {}", signed.transaction.nonce));
    lines.extend(labelled(look, width, "signed by", by));
    lines
}

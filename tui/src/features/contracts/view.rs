//! Draws the screen Contracts: the list, one contract with its source. The playground is drawn by its own `view`.

use ratatui::layout::Rect;
use ratatui::text::Line;
use tana_protocol::api::ledger::ContractView;

use super::model::{self, Source as Code};
use super::playground;
use crate::keys::Action;
use crate::model::{Model, Source};
use crate::show::{clean, count, short};
use crate::theme::Tone;
use crate::widgets::details::{self, labelled};
use crate::widgets::grid::Column;
use crate::widgets::list::List;
use crate::widgets::{Paint, Words};

const COLUMNS: [Column; 6] = [
    Column::left("contract", 14, 10).up_to(30),
    Column::left("version", 8, 5),
    Column::left("answers", 14, 6),
    Column::right("block", 9, 7),
    Column::left("deployed", 12, 4),
    Column::left("code", 9, 3),
];

pub(crate) fn draw(model: &Model, area: Rect, paint: &mut Paint<'_>) {
    if let Some(playground) = model.contracts.in_view() {
        playground::view::draw(model, playground, area, paint);
        return;
    }
    let rows = model::rows(model);
    if rows.is_empty() {
        let (failed, asked) = (
            model.contracts.failed.clone(),
            model.contracts.list.is_none(),
        );
        super::super::nothing(model, Source::Ledger, area, paint, |w| match failed {
            Some(why) => w.tone(
                Tone::Warn,
                format!("The ledger did not answer: {}", clean(&why)),
            ),
            None if asked => w.dim("asking the ledger for the contracts…"),
            None => w
                .text("No contract is deployed. ")
                .accent(model.keys.key(Action::NewContract))
                .text(" makes one, ")
                .accent(model.keys.key(Action::EditContract))
                .text(" opens the playground to try something."),
        });
        return;
    }
    let keys = model::keys(model);
    let selected = model.contracts.cursor.index(&keys);
    let list = List::new(&COLUMNS, 20, row, detail);
    list.draw(model, model.zoom, (&rows, selected), area, paint);
}

fn answers(contract: &ContractView) -> String {
    let exports = [
        ("init", contract.has_init),
        ("get", contract.has_get),
        ("post", contract.has_post),
    ];
    let names: Vec<&str> = exports
        .into_iter()
        .filter(|(_, has)| *has)
        .map(|(name, _)| name)
        .collect();
    if names.is_empty() {
        "calls".into()
    } else {
        names.join(" ")
    }
}

fn row(model: &Model, paint: &Paint<'_>, contract: &ContractView) -> Vec<Line<'static>> {
    let w = || paint.words();
    let name = w().strong(clean(&contract.name));
    [
        if contract.is_active {
            name
        } else {
            name.dim(" off")
        },
        w().text(clean(&contract.version)),
        w().text(answers(contract)),
        w().text(count(contract.deployed_in_block)),
        w().text(model.clock.time(contract.created_at)),
        w().dim(short(&contract.code_hash.to_hex())),
    ]
    .into_iter()
    .map(Words::line)
    .collect()
}

fn detail(model: &Model, area: Rect, paint: &mut Paint<'_>, contract: &ContractView) {
    let right = paint
        .words()
        .dim(format!(
            "deployed {}",
            model.clock.time(contract.created_at)
        ))
        .line();
    let area = details::heading(paint, area, &clean(&contract.name), &right);
    let look = paint.look;
    let words = || Words::new(look);
    let mut lines = Vec::new();
    if let Some(text) = contract.description.as_deref().filter(|t| !t.is_empty()) {
        lines.extend(labelled(
            look,
            area.width,
            "about",
            words().text(clean(text)),
        ));
    }
    let facts = [
        ("id", contract.id.to_string()),
        ("owner", contract.owner_id.to_string()),
        ("code", contract.code_hash.to_hex()),
        ("transaction", contract.deployment_tx_id.to_string()),
    ];
    // Where there is little room the source is worth more than what the list has already.
    let facts = &facts[..if area.height >= 24 { 4 } else { 1 }];
    for (label, value) in facts {
        lines.extend(labelled(
            look,
            area.width,
            label,
            words().text(value.clone()),
        ));
    }
    let used = paint.lines(area, &lines);
    let gap = u16::from(area.height > used + 6);
    let below = Rect {
        y: area.y + used + gap,
        height: area.height.saturating_sub(used + gap),
        ..area
    };
    source(model, below, paint, contract);
}

fn source(model: &Model, area: Rect, paint: &mut Paint<'_>, contract: &ContractView) {
    let words = || Words::new(paint.look);
    let code = match model.contracts.sources.get(&contract.id) {
        Some(Code::Here { code, .. }) => code,
        Some(Code::Failed(why)) => {
            let why = format!("the source cannot be read: {}", clean(why));
            let line = words().tone(Tone::Warn, why).line();
            paint.lines(area, &[line]);
            return;
        }
        Some(Code::Asked) | None => {
            let line = words().dim("reading the source…").line();
            paint.lines(area, &[line]);
            return;
        }
    };
    let rows = usize::from(area.height);
    let first = model.contracts.scroll.min(code.len().saturating_sub(rows));
    for (y, at) in (area.y..area.bottom()).zip(first..code.len()) {
        let number = paint.words().dim(format!("{:>4}", at + 1)).line();
        paint.line(area.x, y, 4, &number);
        let line = code.line(paint.look, at);
        paint.line(area.x + 6, y, area.width.saturating_sub(6), &line);
    }
    let left = code.len().saturating_sub(first + rows);
    if left > 0 && area.width >= 40 {
        let line = paint.words().dim(format!(" {left} more ")).line();
        let width = u16::try_from(line.width()).unwrap_or(0);
        let x = area.right().saturating_sub(width);
        paint.line(x, area.bottom().saturating_sub(1), width, &line);
    }
}

//! Draws the screen Contracts.

use ratatui::layout::Rect;
use ratatui::text::Line;
use tana_protocol::api::ledger::ContractView;

use super::model;
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
                .strong("tana new contract NAME")
                .text(" makes one, ")
                .strong("tana run")
                .text(" tries it."),
        });
        return;
    }
    let keys = model::keys(model);
    let selected = model.contracts.cursor.index(&keys);
    List {
        columns: &COLUMNS,
        rows: &rows,
        selected,
        wanted: 9,
        zoom: model.zoom,
    }
    .draw(
        paint,
        area,
        |paint, contract| row(model, paint, contract),
        |paint, area, contract| detail(model, area, paint, contract),
    );
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
    if let Some(text) = &contract.description {
        lines.extend(labelled(
            look,
            area.width,
            "about",
            words().text(clean(text)),
        ));
    }
    for (label, value) in [
        ("id", contract.id.to_string()),
        ("owner", contract.owner_id.to_string()),
        ("code", contract.code_hash.to_hex()),
        ("transaction", contract.deployment_tx_id.to_string()),
    ] {
        lines.extend(labelled(look, area.width, label, words().text(value)));
    }
    paint.lines(area, &lines);
}

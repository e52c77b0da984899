//! Draws the screen Approvals.

use ratatui::layout::Rect;
use ratatui::text::Line;
use tana_protocol::api::mesh::Node;

use super::model::{self, Check};
use crate::features::mesh::model::role;
use crate::features::mesh::view::fingerprint_lines;
use crate::keys::Action;
use crate::model::{Mode, Model, Source};
use crate::show::clean;
use crate::theme::Tone;
use crate::widgets::details::{self, labelled};
use crate::widgets::grid::Column;
use crate::widgets::list::List;
use crate::widgets::{Paint, Words};

const COLUMNS: [Column; 6] = [
    Column::left("waiting", 14, 10).up_to(24),
    Column::left("kind", 11, 5),
    Column::left("host", 14, 4).up_to(32),
    Column::left("key", 9, 8),
    Column::left("since", 12, 7),
    Column::left("signature", 14, 9),
];

pub(crate) fn draw(model: &Model, area: Rect, paint: &mut Paint<'_>) {
    let rows = model::rows(model);
    if rows.is_empty() {
        super::super::nothing(model, Source::Mesh, area, paint, |w| {
            w.text("No node waits for approval. One registers with ")
                .strong("tana mesh register")
                .text(".")
        });
        return;
    }
    let keys: Vec<_> = rows.iter().map(|n| n.id.clone()).collect();
    let selected = model.approvals.cursor.index(&keys);
    List {
        columns: &COLUMNS,
        rows: &rows,
        selected,
        wanted: 13,
        zoom: model.zoom,
    }
    .draw(
        paint,
        area,
        |paint, node| row(model, paint, node),
        |paint, area, node| detail(model, area, paint, node),
    );
}

fn signature<'w>(words: Words<'w>, check: Option<Check>) -> Words<'w> {
    match check {
        Some(Check::Fits) => words.tone(Tone::Good, "✓ checked here"),
        Some(Check::Wrong) => words.tone(Tone::Bad, "× does not fit"),
        None => words.dim("not checked"),
    }
}

fn row(model: &Model, paint: &Paint<'_>, node: &Node) -> Vec<Line<'static>> {
    let w = || paint.words();
    [
        w().strong(node.id.as_str()),
        w().text(role(node)),
        w().text(clean(&node.tailscale_hostname)),
        w().dim(node.public_key.short()),
        w().text(model.clock.time(node.registered_at)),
        signature(w(), model::check(model, &node.id)),
    ]
    .into_iter()
    .map(Words::line)
    .collect()
}

fn detail(model: &Model, area: Rect, paint: &mut Paint<'_>, node: &Node) {
    let right = paint
        .words()
        .dim(format!(
            "registered {}",
            model.clock.time(node.registered_at)
        ))
        .line();
    let area = details::heading(paint, area, node.id.as_str(), &right);
    let look = paint.look;
    let words = || Words::new(look);
    let roomy = area.height >= 12;
    let mut lines = fingerprint_lines(look, area.width, &node.public_key.fingerprint());
    lines.extend(labelled(
        look,
        area.width,
        "",
        words().dim("compare it with what its operator reads to you"),
    ));
    if roomy {
        lines.push(Line::default());
    }
    let mut host = words().text(clean(&node.tailscale_hostname));
    if let Some(ip) = &node.tailscale_ip {
        host = host.dim(format!("   {}", clean(ip)));
    }
    lines.extend(labelled(look, area.width, "host", host));
    let mut services = words();
    for (i, s) in node.services.iter().enumerate() {
        services = services
            .gap(if i > 0 { 3 } else { 0 })
            .text(clean(&s.kind))
            .dim(format!(" {}", s.port));
    }
    if node.services.is_empty() {
        services = services.dim("offers none");
    }
    lines.extend(labelled(look, area.width, "services", services));
    for (label, value) in [("region", &node.region), ("version", &node.version)] {
        if let Some(value) = value {
            lines.extend(labelled(
                look,
                area.width,
                label,
                words().text(clean(value)).dim("   says its operator"),
            ));
        }
    }
    lines.extend(labelled(
        look,
        area.width,
        "signature",
        signature(words(), model::check(model, &node.id)),
    ));
    if roomy {
        lines.push(Line::default());
    }
    let approve = words()
        .accent(model.keys.key(Action::Approve))
        .text(" makes it part of the mesh")
        .gap(3);
    let both = approve
        .accent(model.keys.key(Action::Deny))
        .text(" keeps it out for good");
    lines.extend(labelled(look, area.width, "decide", both));
    let signers = model::signers(model).len();
    let sign = match (model::signer(model), model.mode) {
        (_, Mode::ReadOnly) => {
            words().tone(Tone::Warn, "read-only: nothing is decided in this console")
        }
        (Some(signer), _) => {
            let known = model
                .approvals
                .sovereigns
                .iter()
                .find(|k| k.public_key == signer.key);
            let mut line = words()
                .text(signer.key.short())
                .dim(format!("   {}", signer.place));
            if signers > 1 {
                line = line
                    .gap(3)
                    .accent(model.keys.key(Action::NextSigner))
                    .dim(" another key");
            }
            match known.and_then(|k| k.description.as_deref()) {
                Some(whose) => line.dim(format!("   {}", clean(whose))),
                None if known.is_none() && !model.approvals.sovereigns.is_empty() => {
                    line.tone(Tone::Warn, "   the mesh does not know this key")
                }
                None => line,
            }
        }
        (None, _) => words().tone(
            Tone::Warn,
            format!(
                "no sovereign key in {} nor in an ssh-agent",
                model.here.home
            ),
        ),
    };
    lines.extend(labelled(look, area.width, "sign with", sign));
    paint.lines(area, &lines);
}

//! Draws the screen Approvals.

use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::text::Line;
use tana_protocol::api::approval::RequestView;
use tana_protocol::api::mesh::Node;

use super::model::{self, Check, Scan, Waits};
use crate::features::mesh::model::role;
use crate::features::mesh::view::fingerprint_lines;
use crate::keys::Action;
use crate::model::{Mode, Model, Source};
use crate::show::{clean, short};
use crate::theme::Tone;
use crate::widgets::details::{self, labelled};
use crate::widgets::fold::fold;
use crate::widgets::grid::Column;
use crate::widgets::list::List;
use crate::widgets::{Paint, Words, qr};

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
        let unknown = model.approvals.unknown.as_deref().map(clean);
        super::super::nothing(model, Source::Mesh, area, paint, |w| {
            match unknown {
            Some(why) => w
                .text("No node waits for approval. ")
                .tone(Tone::Warn, format!("What phones are asked to sign is not known: {why}")),
            None => w.text(
                "No node waits for approval, and no phone is asked to sign. A node registers with ",
            )
            .strong("tana mesh register")
            .text(".")
        }
        });
        return;
    }
    let keys = model::keys(model);
    let selected = model.approvals.cursor.index(&keys);
    let list = List::new(&COLUMNS, 13, row, detail);
    list.draw(
        model,
        model.zoom,
        (&rows.iter().collect::<Vec<_>>(), selected),
        area,
        paint,
    );
}

fn signature<'w>(words: Words<'w>, check: Option<Check>) -> Words<'w> {
    match check {
        Some(Check::Fits) => words.tone(Tone::Good, "✓ checked here"),
        Some(Check::Wrong) => words.tone(Tone::Bad, "× does not fit"),
        None => words.dim("not checked"),
    }
}

fn row(model: &Model, paint: &Paint<'_>, waits: &Waits<'_>) -> Vec<Line<'static>> {
    let w = || paint.words();
    let cells = match waits {
        Waits::Node(node) => [
            w().strong(node.id.as_str()),
            w().text(role(node)),
            w().text(clean(&node.tailscale_hostname)),
            w().dim(node.public_key.short()),
            w().text(model.clock.time(node.registered_at)),
            signature(w(), model::check(model, &node.id)),
        ],
        Waits::Request(request) => [
            w().strong(asked(request)),
            w().text(request.transaction.kind.as_str().replace('_', " ")),
            w().text(clean(request.app_name.as_deref().unwrap_or("–"))),
            w().dim("a phone's"),
            w().text(model.clock.time(request.transaction.timestamp)),
            message(w(), request),
        ],
    };
    cells.into_iter().map(Words::line).collect()
}

/// What a phone is asked for, in a few words.
fn asked(request: &RequestView) -> String {
    let transaction = &request.transaction;
    match (&transaction.amount, &transaction.currency_code) {
        (Some(amount), Some(currency)) => format!("{amount} {currency}"),
        _ => short(request.request_id.as_str()),
    }
}

fn message<'w>(words: Words<'w>, request: &RequestView) -> Words<'w> {
    match model::reads_as_it_says(request) {
        Check::Fits => words.tone(Tone::Good, "✓ as asked"),
        Check::Wrong => words.tone(Tone::Bad, "× differs"),
    }
}

fn detail(model: &Model, area: Rect, paint: &mut Paint<'_>, waits: &Waits<'_>) {
    match waits {
        Waits::Node(node) => node_detail(model, area, paint, node),
        Waits::Request(request) => request_detail(model, area, paint, request),
    }
}

/// What a phone is asked to sign, whole: its user reads it there, and the operator here.
fn request_detail(model: &Model, area: Rect, paint: &mut Paint<'_>, request: &RequestView) {
    let until = format!("until {}", model.clock.time(request.expires_at));
    let right = paint.words().dim(until).line();
    let area = details::heading(paint, area, request.request_id.as_str(), &right);
    let look = paint.look;
    let words = || Words::new(look);
    let transaction = &request.transaction;
    let mut lines = Vec::new();
    let mut add = |label: &str, value: Words<'_>| {
        lines.extend(labelled(look, area.width, label, value));
    };
    if let Some(app) = &request.app_name {
        add("asked by", words().strong(clean(app)));
    }
    add(
        "what",
        words()
            .strong(asked(request))
            .dim(format!("   {}", transaction.kind)),
    );
    add("from", words().text(clean(transaction.from.as_str())));
    add("to", words().text(clean(transaction.to.as_str())));
    add("message", message(words(), request));
    add("signs", words().text(clean(&request.message)));
    add(
        "decide",
        words().dim("its user's phone does; nobody else can"),
    );
    paint.lines(area, &lines);
}

fn node_detail(model: &Model, area: Rect, paint: &mut Paint<'_>, node: &Node) {
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
    let signer = model::signer(model);
    let sign = match (signer.key, model.mode) {
        (_, Mode::ReadOnly) => {
            words().tone(Tone::Warn, "read-only: nothing is decided in this console")
        }
        (Some(key), _) => {
            let known = model
                .approvals
                .sovereigns
                .iter()
                .find(|k| k.public_key == key);
            let mut line = words()
                .text(key.short())
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
        (None, _) => {
            let line = words().text(signer.place);
            if signers > 1 {
                line.gap(3)
                    .accent(model.keys.key(Action::NextSigner))
                    .dim(" another key")
            } else {
                line.dim(format!(
                    "   no sovereign key in {} nor in an ssh-agent",
                    model.here.home
                ))
            }
        }
    };
    lines.extend(labelled(look, area.width, "sign with", sign));
    paint.lines(area, &lines);
}

/// The code that a phone scans to decide, over the whole screen, and what it is about.
pub(crate) fn scan(model: &Model, scan: &Scan, area: Rect, paint: &mut Paint<'_>) {
    let look = paint.look;
    let words = || Words::new(look);
    paint.hits.clear();
    ratatui::widgets::Widget::render(ratatui::widgets::Clear, area, paint.buf);
    paint.buf.set_style(area, look.base());
    let last = area.bottom().saturating_sub(1);
    let keys = words()
        .accent("Esc")
        .dim(" not now   a new code every half minute")
        .line();
    paint.line(area.x + 1, last, area.width.saturating_sub(2), &keys);
    let area = Rect {
        height: area.height.saturating_sub(1),
        ..area
    };
    let Some(code) = scan.code(model) else {
        let line = words()
            .tone(Tone::Warn, "it is not known where the mesh is")
            .line();
        paint.lines(area, &[line]);
        return;
    };
    let (rich, short) = (code.json(), code.uri());
    let offered = [rich.as_str(), short.as_str()];
    let beside = area.width.saturating_sub(TEXT + 3);
    let fits = |width: u16| qr::plan(&offered, width, area.height, look);
    let (plan, text) = match fits(beside.saturating_sub(2)) {
        Ok(plan) => {
            let x = area.x + plan.width + 4;
            let right = Rect {
                x,
                y: area.y + u16::from(area.height > 12),
                width: area.right().saturating_sub(x + 1).min(70),
                ..area
            };
            (Some(plan), Some(right))
        }
        Err(_) => (fits(area.width).ok(), None),
    };
    let text = match (&plan, text) {
        (Some(plan), text) => {
            qr::draw(plan, area, paint.buf, look);
            let Some(text) = text else { return };
            text
        }
        (None, _) => Rect {
            x: area.x + 1,
            width: area.width.saturating_sub(2),
            ..area
        },
    };
    let title = format!("{} {}", scan.decision.verb(), scan.node);
    let mut lines = vec![words().title(title).line(), Line::default()];
    if plan.is_none() {
        if let Err(small) = fits(area.width) {
            let need = format!(
                "the code needs {} columns and {} rows",
                small.columns,
                small.rows + 1
            );
            lines.push(words().tone(Tone::Warn, need).line());
        }
        lines.push(words().strong(code.uri()).line());
    }
    lines.extend(fingerprint_lines(look, text.width, &scan.key.fingerprint()));
    lines.push(Line::default());
    for (label, value) in [
        ("signs", code.message()),
        ("hands it to", code.server.to_string()),
        (
            "until",
            model.clock.time(scan.at.plus(Duration::from_secs(60))),
        ),
    ] {
        lines.extend(labelled(look, text.width, label, words().text(value)));
    }
    lines.push(Line::default());
    let note = "A phone with a sovereign's key signs what stands here and hands it to the mesh, which it must be able to reach.";
    lines.push(words().dim(note).line());
    let width = usize::from(text.width.max(1));
    let lines: Vec<Line<'static>> = lines.into_iter().flat_map(|l| fold(l, width)).collect();
    paint.lines(text, &lines);
}

/// Columns that the text beside the code needs at the least.
const TEXT: u16 = 30;

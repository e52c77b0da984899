//! Draws the screen Mesh: the graph where there is room, the table, one node in full.

use ratatui::layout::Rect;
use ratatui::text::Line;
use tana_protocol::api::mesh::Node;

use super::model::{self, Shown, Standing, Whole};
use crate::model::{Model, Source};
use crate::show::count;
use crate::theme::Tone;
use crate::widgets::details::{self, Zoom, labelled};
use crate::widgets::grid::Column;
use crate::widgets::list::List;
use crate::widgets::{Paint, Words, chart};

const COLUMNS: [Column; 10] = [
    Column::left("node", 14, 10).up_to(24),
    Column::left("state", 10, 9),
    Column::left("role", 11, 5),
    Column::left("region", 6, 1),
    Column::right("latency", 7, 3),
    Column::left("round trips", 12, 1),
    Column::right("height", 9, 6),
    Column::right("last beat", 12, 7),
    Column::left("heartbeats seen", 16, 2).up_to(30),
    Column::left("version", 8, 4),
];

/// Nodes named that reach one.
const SEEN_BY: usize = 8;

pub(crate) fn draw(model: &Model, area: Rect, paint: &mut Paint<'_>) {
    let rows = model::rows(model);
    if rows.is_empty() {
        super::super::nothing(model, Source::Mesh, area, paint, |w| {
            w.text("No node is registered. One registers with ")
                .strong("tana mesh register")
                .text(".")
        });
        return;
    }
    let keys: Vec<_> = rows.iter().map(|n| n.id.clone()).collect();
    let selected = model.mesh.cursor.index(&keys);
    let mut area = area;
    let graph = model.mesh.graph == Shown::Yes && model.zoom == Zoom::Off;
    if graph && let Some(height) = super::graph::rows(model, area) {
        let chosen = selected.and_then(|i| rows.get(i).copied());
        super::graph::draw(model, chosen, Rect { height, ..area }, paint);
        area = Rect {
            y: area.y + height + 1,
            height: area.height - height - 1,
            ..area
        };
    }
    let seen = Seen {
        model,
        whole: Whole::of(&model.mesh),
    };
    let list = List::new(&COLUMNS, 9, row, in_full);
    list.draw(&seen, model.zoom, (&rows, selected), area, paint);
}

/// What a row is drawn from.
struct Seen<'a> {
    model: &'a Model,
    whole: Whole,
}

fn row(seen: &Seen<'_>, paint: &Paint<'_>, node: &Node) -> Vec<Line<'static>> {
    let Seen { model, whole } = *seen;
    let w = || paint.words();
    let here = model.here.node.as_ref();
    let standing = model.mesh.standing(node, model.clock.now);
    let stale = model.links.silent_since(Source::Mesh).is_some();
    let tone = if stale { Tone::Dim } else { standing.tone() };
    let height = match (node.height, whole.tip) {
        (Some(at), Some(tip)) if tip > at + 2 => w().tone(Tone::Warn, count(at)),
        (Some(at), _) => w().text(count(at)),
        (None, _) => w().dim("–"),
    };
    let latency = model
        .mesh
        .latency(here, &node.id)
        .map_or_else(|| w().dim("–"), |ms| w().text(format!("{ms} ms")));
    let beat = node
        .last_heartbeat
        .map_or_else(|| w().dim("–"), |at| w().text(model.clock.time(at)));
    let name = if here == Some(&node.id) {
        w().title(node.id.as_str())
    } else {
        w().strong(node.id.as_str())
    };
    [
        name,
        w().state(tone, standing.word()),
        w().text(model::role(node)),
        w().text(node.region.clone().unwrap_or_default()),
        latency,
        w().dim(chart::bars(&model.mesh.trips(&node.id), 12)),
        height,
        beat,
        w().dim(beats(model, whole, node, 30)),
        w().dim(node.version.clone().unwrap_or_default()),
    ]
    .into_iter()
    .map(Words::line)
    .collect()
}

/// The last hour in steps of two minutes, newest at the right: a bar where a heartbeat was seen, a low one where none was.
fn beats(model: &Model, whole: Whole, node: &Node, steps: u64) -> String {
    const STEP: u64 = 120_000;
    // Steps are counted back from the newest beat of any node, not from now: the picture moves with data only.
    let newest = whole.newest_beat.ms();
    let watched = model
        .mesh
        .watched_since
        .map_or(u64::MAX, tana_protocol::Timestamp::ms);
    let Some(beats) = model.mesh.beats.get(&node.id) else {
        return String::new();
    };
    (0..steps)
        .rev()
        .map(|back| {
            let end = newest.saturating_sub(back * STEP);
            let start = end.saturating_sub(STEP);
            if beats.iter().any(|at| (start + 1..=end).contains(&at.ms())) {
                '▄'
            } else if end <= watched {
                ' '
            } else {
                '▁'
            }
        })
        .collect::<String>()
        .trim_start()
        .to_owned()
}

fn in_full(seen: &Seen<'_>, area: Rect, paint: &mut Paint<'_>, node: &Node) {
    detail(seen.model, area, paint, node);
}

fn detail(model: &Model, area: Rect, paint: &mut Paint<'_>, node: &Node) {
    let standing = model.mesh.standing(node, model.clock.now);
    let since = match standing {
        Standing::Late | Standing::Offline => node
            .last_heartbeat
            .map(|at| format!("no heartbeat since {}", model.clock.time(at))),
        Standing::Active => node
            .approved_at
            .map(|at| format!("approved {}", model.clock.time(at))),
        Standing::Pending | Standing::Denied => Some(format!(
            "registered {}",
            model.clock.time(node.registered_at)
        )),
    };
    let right = paint.words().dim(since.unwrap_or_default()).line();
    let area = details::heading(paint, area, node.id.as_str(), &right);
    let look = paint.look;
    let words = || Words::new(look);
    let mut lines = Vec::new();
    let fingerprint = node.public_key.fingerprint();
    lines.extend(fingerprint_lines(look, area.width, &fingerprint));
    let mut host = words().text(crate::show::clean(&node.tailscale_hostname));
    if let Some(ip) = &node.tailscale_ip {
        host = host.dim(format!("   {}", crate::show::clean(ip)));
    }
    lines.extend(labelled(look, area.width, "host", host));
    let mut services = words();
    for (i, s) in node.services.iter().enumerate() {
        if i > 0 {
            services = services.gap(3);
        }
        services = services
            .text(crate::show::clean(&s.kind))
            .dim(format!(" {}", s.port));
        services = match s.healthy {
            Some(true) => services.tone(Tone::Good, " ✓"),
            Some(false) => services.tone(Tone::Bad, " ×"),
            None => services,
        };
    }
    lines.extend(labelled(look, area.width, "services", services));
    let seen: Vec<_> = model
        .mesh
        .links
        .iter()
        .filter(|l| l.to == node.id)
        .collect();
    if !seen.is_empty() {
        let mut value = words();
        for (i, link) in seen.iter().take(SEEN_BY).enumerate() {
            value = value
                .text(if i > 0 { ", " } else { "" })
                .text(link.from.as_str())
                .dim(format!(" {} ms", link.latency_ms));
        }
        if seen.len() > SEEN_BY {
            value = value.dim(format!(" and {} more", seen.len() - SEEN_BY));
        }
        lines.extend(labelled(look, area.width, "seen by", value));
    }
    let trips = model.mesh.trips(&node.id);
    if let (Some(last), Some(least), Some(most)) =
        (trips.last(), trips.iter().min(), trips.iter().max())
    {
        let value = words()
            .text(format!("{last} ms"))
            .gap(2)
            .dim(chart::bars(&trips, 24))
            .dim(format!("  {least} to {most} ms from here"));
        lines.extend(labelled(look, area.width, "round trip", value));
    }
    if let Some(key) = &node.approved_by {
        let value = words().text(key.short()).dim(
            node.approved_at
                .map(|at| format!("   {}", model.clock.full(at)))
                .unwrap_or_default(),
        );
        lines.extend(labelled(look, area.width, "approved by", value));
    }
    if standing == Standing::Pending {
        lines.extend(labelled(
            look,
            area.width,
            "",
            words().accent("3").dim(" Approvals decides on it"),
        ));
    }
    paint.lines(area, &lines);
}

/// A key's fingerprint in groups of four, in one, two or four lines.
pub(crate) fn fingerprint_lines(
    look: &crate::theme::Look,
    width: u16,
    fingerprint: &str,
) -> Vec<Line<'static>> {
    let groups: Vec<&str> = fingerprint.split(' ').collect();
    let room = usize::from(width).saturating_sub(details::label_width(width));
    let per_line = if room >= 80 {
        16
    } else if room >= 40 {
        8
    } else {
        4
    };
    groups
        .chunks(per_line)
        .enumerate()
        .flat_map(|(i, line)| {
            let text = line.join(" ");
            let words = Words::new(look).strong(text);
            labelled(look, width, if i == 0 { "key" } else { "" }, words)
        })
        .collect()
}

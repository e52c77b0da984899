//! Draws the screen Services.

use ratatui::layout::Rect;
use ratatui::text::Line;
use tana_protocol::api::node::{LogLevel, ServiceState, ServiceView};

use super::model;
use crate::keys::Action;
use crate::model::{Model, Source};
use crate::show::count;
use crate::theme::Tone;
use crate::widgets::details::{self, Zoom, labelled};
use crate::widgets::fold::fold;
use crate::widgets::grid::Column;
use crate::widgets::list::List;
use crate::widgets::{Paint, Words};

const COLUMNS: [Column; 8] = [
    Column::left("service", 9, 10),
    Column::left("state", 11, 9),
    Column::right("port", 5, 6),
    Column::right("cpu %", 5, 3),
    Column::right("MiB", 6, 4),
    Column::right("up since", 12, 2),
    Column::right("restarts", 8, 7),
    // Why a service is not ready stands here too: it stays while anything else can leave.
    Column::left("last line", 16, 8).up_to(400),
];

pub(crate) fn draw(model: &Model, area: Rect, paint: &mut Paint<'_>) {
    if model.node.is_none() {
        empty(model, area, paint);
        return;
    }
    let rows = model::rows(model);
    let selected = model::selected_row(model);
    let list = List::new(&COLUMNS, 9, row, detail);
    list.draw(model, model.zoom, (&rows, selected), area, paint);
}

fn row(model: &Model, paint: &Paint<'_>, service: &ServiceView) -> Vec<Line<'static>> {
    let w = || paint.words();
    let stale = model.links.silent_since(Source::Node).is_some();
    let runs = service.pid.is_some();
    let tone = if stale {
        Tone::Dim
    } else {
        model::tone(service.state)
    };
    let state = w().state(
        tone,
        if stale {
            "unknown"
        } else {
            service.state.as_str()
        },
    );
    let restarts = if service.restarts > 0 {
        w().tone(Tone::Warn, service.restarts.to_string())
    } else {
        w().dim("0")
    };
    let last = match (&service.why, service.state) {
        (Some(why), state) if state != ServiceState::Ready => w().text(crate::show::clean(why)),
        _ => w().dim(crate::show::clean(
            service.last_line.as_deref().unwrap_or_default(),
        )),
    };
    let since = service
        .started_at
        .filter(|_| runs)
        .map(|at| model.clock.time(at))
        .unwrap_or_default();
    [
        w().strong(service.name.name()),
        state,
        w().text(service.port.map(|p| p.to_string()).unwrap_or_default()),
        w().text(
            service
                .cpu_permille
                .filter(|_| runs)
                .map(cpu)
                .unwrap_or_default(),
        ),
        w().text(
            service
                .memory_bytes
                .filter(|_| runs)
                .map(mib)
                .unwrap_or_default(),
        ),
        w().text(since),
        restarts,
        last,
    ]
    .into_iter()
    .map(Words::line)
    .collect()
}

fn detail(model: &Model, area: Rect, paint: &mut Paint<'_>, service: &ServiceView) {
    let right = paint
        .words()
        .dim(format!(
            "{} since {}",
            service.state,
            model.clock.time(service.since)
        ))
        .line();
    let area = details::heading(paint, area, service.name.name(), &right);
    let look = paint.look;
    let words = || Words::new(look);
    let mut lines = Vec::new();
    if let Some(why) = &service.why {
        lines.extend(labelled(
            look,
            area.width,
            "why",
            words().text(crate::show::clean(why)),
        ));
    }
    if let Some(hint) = &service.hint {
        lines.extend(labelled(
            look,
            area.width,
            "try",
            words().text(crate::show::clean(hint)),
        ));
    }
    if let Some(next) = service.next_try {
        lines.extend(labelled(
            look,
            area.width,
            "next try",
            words().text(model.clock.time(next)),
        ));
    }
    if let Some(exit) = service
        .last_exit
        .as_ref()
        .filter(|_| service.restarts > 0 || service.state == ServiceState::Failed)
    {
        lines.extend(labelled(
            look,
            area.width,
            "last exit",
            words().text(crate::show::clean(exit)),
        ));
    }
    if let Some(url) = &service.url {
        let mut value = words().text(url.clone());
        if let Some(pid) = service.pid {
            value = value.dim(format!("   pid {pid}"));
        }
        lines.extend(labelled(look, area.width, "address", value));
    }
    let used = paint.lines(area, &lines);
    let gap = u16::from(used > 0);
    let rest = usize::from(area.height.saturating_sub(used + gap));
    // The newest line stands here whole, which the list cuts; on the whole screen every line does.
    let mut tail: Vec<Line<'_>> = Vec::new();
    for (i, l) in model.logs.newest_of(service.name).take(rest).enumerate() {
        let tone = match l.level {
            LogLevel::Error => Tone::Bad,
            LogLevel::Warn => Tone::Warn,
            _ => Tone::Plain,
        };
        let line = words()
            .dim(model.clock.time(l.at))
            .gap(2)
            .tone(tone, l.text)
            .line();
        let whole = i == 0 || model.zoom == Zoom::On;
        let rows = if whole {
            fold(line, usize::from(area.width).max(1))
        } else {
            vec![line]
        };
        if tail.len() + rows.len() > rest && i > 0 {
            break;
        }
        tail.extend(rows.into_iter().take(rest).rev());
    }
    tail.reverse();
    paint.lines(
        Rect {
            y: area.y + used + gap,
            height: area.height.saturating_sub(used + gap),
            ..area
        },
        &tail,
    );
}

/// No node: says so and what to press.
fn empty(model: &Model, area: Rect, paint: &mut Paint<'_>) {
    let words = || Words::new(paint.look);
    if !model.here.supervised {
        let lines = [
            words()
                .title("The supervisor is on another machine.")
                .line(),
            Line::default(),
            words()
                .text("A context with ")
                .strong("via")
                .text(" reaches it, over SSH for example; see docs/operating.md")
                .line(),
            words().dim("the other screens need none").line(),
        ];
        let margin = if area.width >= 60 { 3 } else { 1 };
        let inside = Rect {
            x: area.x + margin,
            y: area.y + area.height.min(2) / 2,
            width: area.width.saturating_sub(margin + 1),
            height: area.height.saturating_sub(area.height.min(2) / 2),
        };
        let lines: Vec<Line<'_>> = lines
            .into_iter()
            .flat_map(|l| crate::widgets::fold::fold(l, usize::from(inside.width)))
            .collect();
        paint.lines(inside, &lines);
        return;
    }
    let lines = match model.links.silent_since(Source::Node) {
        None => vec![words().dim("asking the node…").line()],
        Some(since) => {
            let key = model.keys.key(Action::StartService);
            vec![
                words().title("The node does not run.").line(),
                Line::default(),
                words()
                    .accent(key)
                    .text(" starts it")
                    .dim("   the same as ")
                    .text("tana start")
                    .line(),
                words()
                    .dim(format!(
                        "no answer on {}/node.sock since {}",
                        model.here.home,
                        model.clock.time(since)
                    ))
                    .line(),
            ]
        }
    };
    let top = area.y + area.height.min(2) / 2;
    let margin = if area.width >= 60 { 3 } else { 1 };
    paint.lines(
        Rect {
            x: area.x + margin,
            y: top,
            width: area.width.saturating_sub(margin),
            height: area.bottom() - top,
        },
        &lines,
    );
}

/// Tenths of a percent as percent.
fn cpu(permille: u32) -> String {
    format!("{}.{}", permille / 10, permille % 10)
}

/// Bytes as MiB with one decimal.
fn mib(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) >> 20;
    format!("{}.{}", count(tenths / 10), tenths % 10)
}

//! Draws the screen Content.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::model;
use crate::model::{Model, Source};
use crate::show::{clean, count, short};
use crate::survey::{self, Object};
use crate::theme::Tone;
use crate::widgets::details::{self, labelled};
use crate::widgets::grid::Column;
use crate::widgets::list::List;
use crate::widgets::{Paint, Words};

const COLUMNS: [Column; 4] = [
    Column::left("content", 12, 10).up_to(64),
    Column::left("state", 10, 9),
    Column::right("size", 12, 8),
    Column::right("block", 9, 7),
];

pub(crate) fn draw(model: &Model, area: Rect, paint: &mut Paint<'_>) {
    let area = if area.height >= 6 {
        summary(model, area, paint)
    } else {
        area
    };
    let rows = model::rows(model);
    if rows.is_empty() {
        let (failed, found) = (model.content.failed.clone(), model.content.found.clone());
        super::super::nothing(model, Source::Ledger, area, paint, |w| {
            match (failed, found) {
                (Some(why), _) => w.tone(Tone::Warn, format!("No answer: {}", clean(&why))),
                (None, None) => w.dim("asking the ledger and the content store…"),
                (None, Some((found, _))) => w
                    .text(format!(
                        "Blocks {} to {} refer to no content. ",
                        count(found.from),
                        count(found.to)
                    ))
                    .strong("tana content put FILE")
                    .text(" stores some."),
            }
        });
        return;
    }
    let keys = model::keys(model);
    let list = List::new(&COLUMNS, 8, row, detail);
    list.draw(
        model,
        model.zoom,
        (&rows, model.content.cursor.index(&keys)),
        area,
        paint,
    );
}

/// How much there is, in one line; answers what is left below it.
fn summary(model: &Model, area: Rect, paint: &mut Paint<'_>) -> Rect {
    let Some((found, at)) = &model.content.found else {
        return area;
    };
    let objects = found.objects.len();
    let mut words = paint
        .words()
        .strong(count(u64::try_from(objects).unwrap_or(0)))
        .dim(if objects == 1 {
            " object  "
        } else {
            " objects  "
        })
        .text(survey::size(found.bytes()))
        .dim(" here  ");
    words = match found.missing() {
        0 => words.dim("nothing missing  "),
        n => words.tone(Tone::Warn, format!("{n} missing  ")),
    };
    let peers = model::peers(model).len();
    words = words.dim(match peers {
        0 => "no other node keeps content  ".to_owned(),
        1 => "1 other node keeps content  ".to_owned(),
        n => format!("{n} other nodes keep content  "),
    });
    words = match &model.content.failed {
        Some(why) => words.tone(Tone::Warn, format!("no newer answer: {}", clean(why))),
        None => words.dim(format!("as of {}", model.clock.time(*at))),
    };
    let margin = if area.width >= 60 { 3 } else { 1 };
    let lines = crate::widgets::fold::fold(
        words.line(),
        usize::from(area.width.saturating_sub(margin + 1)),
    );
    let used = paint.lines(
        Rect {
            x: area.x + margin,
            width: area.width.saturating_sub(margin + 1),
            height: area.height.min(2),
            ..area
        },
        &lines,
    );
    let used = (used + u16::from(area.height >= 14)).min(area.height);
    Rect {
        y: area.y + used,
        height: area.height - used,
        ..area
    }
}

fn state<'w>(words: Words<'w>, object: &Object) -> Words<'w> {
    match object.size {
        Some(_) => words.state(Tone::Good, "here"),
        None => words.state(Tone::Warn, "missing"),
    }
}

fn row(_: &Model, paint: &Paint<'_>, object: &Object) -> Vec<Line<'static>> {
    let w = || paint.words();
    [
        w().strong(short(&object.hash.to_hex())),
        state(w(), object),
        object
            .size
            .map_or_else(|| w().dim("–"), |s| w().text(survey::size(s))),
        w().text(count(object.height)),
    ]
    .into_iter()
    .map(Words::line)
    .collect()
}

fn detail(model: &Model, area: Rect, paint: &mut Paint<'_>, object: &Object) {
    let right = paint
        .words()
        .dim(format!("block {}", count(object.height)))
        .line();
    let hash = object.hash.to_hex();
    let area = details::heading(paint, area, &short(&hash), &right);
    let look = paint.look;
    let words = || Words::new(look);
    let width = area.width;
    let mut lines = labelled(look, width, "sha-256", words().strong(hash.clone()));
    let here = match object.size {
        Some(bytes) => state(words(), object).dim(format!("   {} bytes", count(bytes))),
        None => state(words(), object),
    };
    lines.extend(labelled(look, width, "this node", here));
    if object.size.is_none() {
        let mut names = words();
        let peers = model::peers(model);
        for (i, node) in peers.iter().enumerate() {
            names = names
                .gap(if i > 0 { 3 } else { 0 })
                .text(node.id.as_str())
                .dim(format!(" {}", clean(&node.tailscale_hostname)));
        }
        if peers.is_empty() {
            names = names.dim("no other node of the mesh keeps content");
        }
        lines.extend(labelled(look, width, "ask", names));
        lines.extend(labelled(
            look,
            width,
            "",
            words().dim("tana --node HOST content get HASH -o FILE, then tana content put FILE"),
        ));
    }
    paint.lines(area, &lines);
}

//! Draws the screen Queue.

use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::model::{Model, Source};
use crate::show::{clean, count};
use crate::theme::Tone;
use crate::widgets::details::labelled;
use crate::widgets::{Paint, Words};

pub(crate) fn draw(model: &Model, area: Rect, paint: &mut Paint<'_>) {
    let Some((queue, at)) = &model.queue.view else {
        let failed = model.queue.failed.clone();
        super::super::nothing(model, Source::Ledger, area, paint, |w| match failed {
            Some(why) => w.tone(
                Tone::Warn,
                format!("The ledger did not answer: {}", clean(&why)),
            ),
            None => w.dim("asking the ledger for the queue…"),
        });
        return;
    };
    let look = paint.look;
    let words = || Words::new(look);
    let margin = if area.width >= 60 { 3 } else { 1 };
    let top = u16::from(area.height > 8);
    let area = Rect {
        x: area.x + margin,
        y: area.y + top,
        width: area.width.saturating_sub(margin),
        height: area.height - top,
    };
    let waits = match queue.length {
        0 => words()
            .text("nothing")
            .dim("   every transaction is in a block"),
        1 => words().strong("1").text(" transaction"),
        n => words().strong(count(n)).text(" transactions"),
    };
    let mut lines: Vec<Line<'static>> = labelled(look, area.width, "waits", waits);
    if let Some(ms) = queue.oldest_ms.filter(|_| queue.length > 0) {
        let since = tana_protocol::Timestamp::from_ms(at.ms().saturating_sub(ms));
        let tone = if ms > 10_000 { Tone::Warn } else { Tone::Plain };
        lines.extend(labelled(
            look,
            area.width,
            "the oldest",
            words().tone(tone, format!("since {}", model.clock.time(since))),
        ));
    }
    lines.extend(labelled(
        look,
        area.width,
        "taken",
        words()
            .text(count(queue.pending))
            .dim("   by a producer, not in a block yet"),
    ));
    let dead = if queue.dead == 0 {
        words().text("0")
    } else {
        words().tone(Tone::Bad, count(queue.dead))
    };
    lines.extend(labelled(
        look,
        area.width,
        "dead",
        dead.dim("   no block can take them"),
    ));
    lines.extend(labelled(
        look,
        area.width,
        "kept in",
        words().text(clean(&queue.backend)),
    ));
    // The embedded queue keeps no list of who reads it.
    if !queue.consumers.is_empty() {
        let readers = words().text(clean(&queue.consumers.join(", ")));
        lines.extend(labelled(look, area.width, "read by", readers));
    } else if queue.backend == "redis" {
        let nobody = words().tone(Tone::Warn, "no producer reads it");
        lines.extend(labelled(look, area.width, "read by", nobody));
    }
    lines.push(Line::default());
    let stale = model
        .queue
        .failed
        .as_ref()
        .map(|why| format!("no newer answer: {}", clean(why)));
    lines.push(match stale {
        Some(text) => words().tone(Tone::Warn, text).line(),
        None => words()
            .dim(format!("as of {}", model.clock.time(*at)))
            .line(),
    });
    paint.lines(area, &lines);
}

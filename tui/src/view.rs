//! The whole frame, a pure function of the model: header, tabs, the screen in view, what is wrong now, footer, and what lies over it.
//! Answers which places can be clicked.

mod chrome;
mod over;
#[cfg(test)]
mod tests;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use tana_protocol::Timestamp;

use crate::features::{
    approvals, blocks, content, contracts, first, login, logs, mesh, queue, services,
};
use crate::model::{Model, Overlay, Screen, Source, problems};
use crate::theme::{Tone, ascii};
use crate::widgets::details::Zoom;
use crate::widgets::{Hits, Paint};

/// The smallest terminal that shows anything but a line that says so.
const LEAST: (u16, u16) = (20, 5);

/// How a frame is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) header: Rect,
    pub(crate) tabs: Option<Rect>,
    pub(crate) rule: Option<Rect>,
    pub(crate) body: Rect,
    /// What is wrong now.
    pub(crate) strip: Option<Rect>,
    /// One line for the notice, the filter or the palette's input; on small terminals they take the footer's.
    pub(crate) footer_rule: Option<Rect>,
    pub(crate) footer: Rect,
}

/// Divides the terminal: three densities, the fewer rows the less is around the body.
pub(crate) fn layout(area: Rect, screen: Screen, wrong: bool) -> Layout {
    let (tabs, rules, airy) = (area.height >= 12, area.height >= 28, area.height >= 34);
    let mut top = area.y;
    let mut take = |rows: u16| {
        let rect = Rect {
            x: area.x,
            y: top,
            width: area.width,
            height: rows,
        };
        top += rows;
        rect
    };
    let header = take(1);
    let tabs = tabs.then(|| take(1));
    let rule = rules.then(|| take(1));
    if airy && screen != Screen::Login {
        take(1);
    }
    let body_top = top;
    let mut bottom = area.bottom();
    let mut give = |rows: u16| {
        bottom -= rows;
        Rect {
            x: area.x,
            y: bottom,
            width: area.width,
            height: rows,
        }
    };
    let footer = give(1);
    let footer_rule = rules.then(|| give(1));
    // The code needs every row; the header's word says that something is wrong.
    let strip = (wrong && area.height >= 20 && !(screen == Screen::Login && area.height < 40))
        .then(|| give(if rules { 2 } else { 1 }));
    let body = Rect {
        x: area.x,
        y: body_top,
        width: area.width,
        height: bottom.saturating_sub(body_top),
    };
    Layout {
        header,
        tabs,
        rule,
        body,
        strip,
        footer_rule,
        footer,
    }
}

/// Draws the frame.
pub(crate) fn view(model: &Model, frame: &mut Frame<'_>) -> Hits {
    let area = frame.area();
    let buf = frame.buffer_mut();
    let mut hits = Hits::default();
    buf.set_style(area, model.look.base());
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text = format!("tana needs {}×{}", LEAST.0, LEAST.1);
        buf.set_stringn(
            area.x,
            area.y,
            text,
            usize::from(area.width),
            Style::default(),
        );
    } else {
        let mut paint = Paint {
            buf,
            look: &model.look,
            keys: &model.keys,
            hits: &mut hits,
        };
        if model.screen == Screen::Login
            && model.zoom == Zoom::On
            && model.overlay.is_none()
            && model.login.expires().is_some()
        {
            // The code alone, as large as the terminal allows.
            login::view::draw(model, area, &mut paint);
            if model.look.ascii() {
                ascii::transliterate(frame.buffer_mut());
            }
            return hits;
        }
        if let Some(first) = &model.first {
            let layout = layout(area, Screen::Services, false);
            let name = paint.words().title("tana").dim("   the first run").line();
            paint.line(1, area.y, area.width.saturating_sub(1), &name);
            for rule in [layout.rule, layout.footer_rule].into_iter().flatten() {
                paint.rule(rule, "", &Line::default());
            }
            first::view::draw(model, first, layout.body, &mut paint);
            let line = first::view::footer(first, paint.look);
            let row = layout.footer;
            paint.line(row.x + 1, row.y, row.width.saturating_sub(2), &line);
            if model.look.ascii() {
                ascii::transliterate(frame.buffer_mut());
            }
            return hits;
        }
        let wrong = problems::problems(model);
        let layout = layout(area, model.screen, !wrong.is_empty());
        chrome::header(model, &wrong, layout, &mut paint);
        if let Some(tabs) = layout.tabs {
            chrome::tabs(model, tabs, &mut paint);
        }
        for rule in [layout.rule, layout.footer_rule].into_iter().flatten() {
            paint.rule(rule, "", &Line::default());
        }
        body(model, layout.body, &mut paint);
        if let Some(strip) = layout.strip {
            chrome::wrong_now(model, &wrong, strip, &mut paint);
        }
        chrome::footer(model, layout.footer, &mut paint);
        match &model.overlay {
            Some(Overlay::Help { scroll }) => over::help(model, area, *scroll, &mut paint),
            Some(Overlay::Problems { scroll }) => {
                over::problems(model, &wrong, area, *scroll, &mut paint);
            }
            Some(Overlay::Palette { input, chosen }) => {
                over::palette(model, area, input, *chosen, &mut paint);
            }
            Some(Overlay::Scan(scan)) => approvals::view::scan(model, scan, area, &mut paint),
            Some(Overlay::Ask { dialog, .. }) => {
                crate::widgets::dialog::draw(&mut paint, area, dialog);
            }
            Some(Overlay::Filter { .. } | Overlay::Line { .. } | Overlay::Passphrase { .. })
            | None => {}
        }
    }
    if model.look.ascii() {
        ascii::transliterate(frame.buffer_mut());
    }
    hits
}

/// Fewer rows than this are the list's alone; the header says that it is old.
const WITH_AGE: u16 = 6;

/// Since when what a screen shows is no longer told by its daemon. Screens that show nothing then, or say so themselves, have none.
fn stale(model: &Model) -> Option<(Source, Timestamp)> {
    let (source, shows) = match model.screen {
        Screen::Mesh => (Source::Mesh, !model.mesh.nodes.is_empty()),
        Screen::Approvals => (Source::Mesh, !model.mesh.pending().is_empty()),
        Screen::Blocks => (Source::Ledger, model.blocks.newest().is_some()),
        Screen::Queue => (Source::Ledger, model.queue.found.is_some()),
        Screen::Contracts => (Source::Ledger, model.contracts.list.is_some()),
        Screen::Content => (Source::Ledger, model.content.found.is_some()),
        Screen::Services => (Source::Node, model.node.is_some()),
        Screen::Login | Screen::Logs => return None,
    };
    let since = model.links.silent_since(source)?;
    shows.then_some((source, since))
}

fn body(model: &Model, mut area: Rect, paint: &mut Paint<'_>) {
    if area.height == 0 {
        return;
    }
    if let Some((source, since)) = stale(model).filter(|_| area.height >= WITH_AGE) {
        let line = paint
            .words()
            .tone(
                Tone::Warn,
                format!(
                    "no data from the {} since {}",
                    source.name(),
                    model.clock.time(since)
                ),
            )
            .dim("; this is what was known then")
            .line();
        let margin = if area.width >= 60 { 3 } else { 1 };
        paint.line(
            area.x + margin,
            area.y,
            area.width.saturating_sub(margin + 1),
            &line,
        );
        let used = if area.height >= 16 { 2 } else { 1 };
        area.y += used;
        area.height -= used;
    }
    match model.screen {
        Screen::Services => services::view::draw(model, area, paint),
        Screen::Mesh => mesh::view::draw(model, area, paint),
        Screen::Approvals => approvals::view::draw(model, area, paint),
        Screen::Blocks => blocks::view::draw(model, area, paint),
        Screen::Queue => queue::view::draw(model, area, paint),
        Screen::Contracts => contracts::view::draw(model, area, paint),
        Screen::Login => login::view::draw(model, area, paint),
        Screen::Content => content::view::draw(model, area, paint),
        Screen::Logs => logs::view::draw(model, area, paint),
    }
}

//! What is around every screen: one line of header, the tabs, what is wrong now, the footer.

use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::Line;

use super::Layout;
use crate::features::contracts::playground::Typing;
use crate::keys::{Action, Scope};
use crate::model::problems::{Problem, health};
use crate::model::{Mode, Model, Overlay, Screen, Source};
use crate::show::count;
use crate::theme::Tone;
use crate::widgets::{Paint, Target, Words};

/// A part of the header and how dearly it is kept when narrow.
struct Part {
    keep: u8,
    line: Line<'static>,
    right: bool,
}

/// Is all well, what waits, what is happening: one line, parts leave by priority, it never wraps.
pub(super) fn header(model: &Model, wrong: &[Problem], layout: Layout, paint: &mut Paint<'_>) {
    let area = layout.header;
    let words = || Words::new(paint.look);
    let part = |keep, words: Words<'_>, right| Part {
        keep,
        line: words.line(),
        right,
    };
    let mut parts = Vec::new();
    let name = if layout.tabs.is_some() {
        words().accent("tana")
    } else {
        words().accent(model.screen.title())
    };
    let mut name = name.line();
    for span in &mut name.spans {
        span.style = span.style.add_modifier(Modifier::BOLD);
    }
    parts.push(Part {
        keep: 9,
        line: name,
        right: false,
    });
    if let Some(context) = &model.here.context {
        parts.push(part(8, words().tone(Tone::Accent, context.clone()), false));
    }
    let chain = model
        .node
        .as_ref()
        .map(|n| n.chain.clone())
        .or_else(|| model.here.chain.clone());
    if let Some(chain) = chain.filter(|c| !c.is_empty()) {
        parts.push(part(4, words().strong(crate::show::clean(&chain)), false));
    }
    if let Some(block) = model.blocks.newest() {
        parts.push(part(
            6,
            words().dim("height ").text(count(block.header.height)),
            false,
        ));
        let at = model.clock.time(block.header.timestamp);
        let stale = model.links.silent_since(Source::Ledger);
        let line = match stale {
            Some(since) => words().tone(
                Tone::Warn,
                format!("no data since {}", model.clock.time(since)),
            ),
            None => words().dim("at ").text(at),
        };
        parts.push(part(5, line, false));
    }
    let (tone, mut text) = health(model, wrong);
    // Where no strip has room, beside the login code, the word here names what is wrong.
    if let (Screen::Login, None, Some(worst)) = (model.screen, layout.strip, wrong.first()) {
        text = match wrong.len() - 1 {
            0 => worst.text.clone(),
            more => format!("{}, {more} more", crate::show::fit(&worst.text, 36)),
        };
    }
    parts.push(part(
        10,
        words()
            .tone(tone, tone.mark())
            .gap(1)
            .text(crate::show::fit(&text, 48)),
        false,
    ));
    if let Some(wait) = model.waited_for() {
        parts.push(part(3, words().dim(format!("{}…", wait.what)), false));
    }
    if model.mode == Mode::ReadOnly {
        parts.push(part(7, words().text("read-only"), true));
    }
    let pending = model.mesh.pending().len();
    if pending > 0 {
        let long = if pending == 1 {
            "1 waits for approval".to_owned()
        } else {
            format!("{pending} wait for approval")
        };
        let text = if area.width >= 60 {
            long
        } else {
            format!("{pending} wait")
        };
        // The key that leads there stands with it, as the strip names the one for what is wrong.
        let key = model.keys.key(Action::Decide);
        let line = words().accent(key).gap(1).tone(Tone::Warn, text);
        parts.push(part(8, line, true));
    }
    let node = model
        .node
        .as_ref()
        .map(|n| (n.node_id.to_string(), Some(n.role), n.engine.clone()));
    let node = node.or_else(|| {
        model
            .here
            .node
            .as_ref()
            .map(|id| (id.to_string(), None, None))
    });
    if let Some((id, role, engine)) = node {
        let mut line = words().text(id);
        if let Some(role) = role {
            line = line.dim(format!(" {role}"));
        }
        if let Some(engine) = engine {
            line = line.dim(format!(" · {engine}"));
        }
        parts.push(part(2, line, true));
    }
    let room = usize::from(area.width.saturating_sub(2));
    let gaps = |parts: &[Part]| {
        parts.len().saturating_sub(1) * 2 + parts.iter().map(|p| p.line.width()).sum::<usize>()
    };
    while parts.len() > 1 && gaps(&parts) > room {
        let weakest = (0..parts.len()).min_by_key(|i| parts[*i].keep).unwrap_or(0);
        parts.remove(weakest);
    }
    let mut x = area.x + 1;
    for part in parts.iter().filter(|p| !p.right) {
        x += paint.line(x, area.y, (area.right()).saturating_sub(x), &part.line) + 2;
    }
    let mut x = area.right().saturating_sub(1);
    for part in parts.iter().rev().filter(|p| p.right) {
        let width = u16::try_from(part.line.width()).unwrap_or(0);
        x = x.saturating_sub(width);
        paint.line(x, area.y, width, &part.line);
        if part.keep == 8 && pending > 0 {
            paint.hits.add(
                Rect::new(x, area.y, width, 1),
                Target::Screen(Screen::Approvals),
            );
        }
        x = x.saturating_sub(3);
    }
}

pub(super) fn tabs(model: &Model, area: Rect, paint: &mut Paint<'_>) {
    let pending = model.mesh.pending().len();
    let lines = |titles: Titles, look: &crate::theme::Look| -> Vec<(Screen, Line<'static>)> {
        Screen::ALL
            .into_iter()
            .map(|screen| {
                let here = screen == model.screen;
                let digit = screen.digit();
                let title = match titles {
                    Titles::Long => format!("{digit} {}", screen.title()),
                    Titles::Dense => format!("{digit}{}", screen.title()),
                    Titles::OnlyHere if here => format!("{digit} {}", screen.title()),
                    Titles::OnlyHere => digit.to_string(),
                };
                let mut words = Words::new(look);
                words = match titles {
                    _ if here => words.accent(title),
                    // Without a blank between them the shades keep digit and title apart.
                    Titles::Dense => words.dim(digit.to_string()).text(screen.title()),
                    Titles::Long | Titles::OnlyHere => words.dim(title),
                };
                if screen == Screen::Approvals && pending > 0 {
                    words = words.tone(Tone::Warn, format!(" {pending}"));
                }
                let mut line = words.line();
                if here {
                    for span in &mut line.spans {
                        span.style = span.style.add_modifier(Modifier::BOLD);
                    }
                }
                (screen, line)
            })
            .collect()
    };
    let room = usize::from(area.width.saturating_sub(2));
    let width = |tabs: &[(Screen, Line<'static>)], gap: usize| {
        tabs.iter().map(|(_, l)| l.width() + gap).sum::<usize>()
    };
    let long = lines(Titles::Long, paint.look);
    let (tabs, gap) = if width(&long, 3) <= room + 3 {
        (long, 3)
    } else if width(&long, 1) <= room + 1 {
        (long, 1)
    } else {
        let dense = lines(Titles::Dense, paint.look);
        if width(&dense, 1) <= room + 1 {
            (dense, 1)
        } else {
            (lines(Titles::OnlyHere, paint.look), 2)
        }
    };
    let mut x = area.x + 1;
    for (screen, line) in tabs {
        let taken = paint.line(x, area.y, area.right().saturating_sub(x), &line);
        paint
            .hits
            .add(Rect::new(x, area.y, taken, 1), Target::Screen(screen));
        x += taken + gap;
        if x >= area.right() {
            break;
        }
    }
}

#[derive(Clone, Copy)]
enum Titles {
    Long,
    Dense,
    OnlyHere,
}

/// The worst thing that is wrong, since when, and where more is said.
pub(super) fn wrong_now(model: &Model, wrong: &[Problem], area: Rect, paint: &mut Paint<'_>) {
    let Some(worst) = wrong.first() else { return };
    let mut row = area;
    if area.height >= 2 {
        let right = if wrong.len() > 1 {
            paint.words().dim(format!("1 of {}", wrong.len())).line()
        } else {
            Line::default()
        };
        paint.rule(Rect { height: 1, ..area }, "wrong now", &right);
        row = Rect {
            y: area.y + 1,
            height: 1,
            ..area
        };
    }
    let mut words = paint
        .words()
        .tone(worst.tone, worst.tone.mark())
        .gap(1)
        .text(worst.text.clone());
    if let Some(since) = worst.since {
        words = words.dim(format!("   since {}", model.clock.time(since)));
    }
    if worst.screen != model.screen {
        words = words
            .gap(3)
            .accent(worst.screen.digit().to_string())
            .dim(format!(" {}", worst.screen.title()));
    }
    let mut more = words.clone();
    if wrong.len() > 1 || worst.todo.is_some() {
        more = more
            .gap(3)
            .accent(model.keys.key(Action::Problems))
            .dim(" what to do");
    }
    // The key for more leaves first where it is narrow.
    let room = usize::from(row.width.saturating_sub(2));
    let line = if more.width() <= room { more } else { words }.line();
    paint.line(row.x + 1, row.y, row.width.saturating_sub(2), &line);
    paint.hits.add(row, Target::Screen(worst.screen));
}

/// Whether an action of the screen in view can do anything now: the footer shows no others.
fn works(model: &Model, action: Action) -> bool {
    use crate::features::queue::model::Entry;
    use crate::features::{approvals, content, contracts, mesh, queue};
    match model.screen {
        Screen::Services => {
            let node = model.node.is_some() && model.links.silent_since(Source::Node).is_none();
            let runs =
                crate::features::services::model::selected(model).is_some_and(|s| s.pid.is_some());
            match action {
                Action::StartService => !node || !runs,
                Action::StopService => node && runs,
                _ => node,
            }
        }
        Screen::Login => {
            let open = model.login.expires().is_some();
            match action {
                Action::NewSession => true,
                Action::CopyLink | Action::PhoneScan | Action::PhoneReject => open,
                Action::PhoneApprove => open && !model.here.users.is_empty(),
                _ => open,
            }
        }
        Screen::Approvals => match action {
            Action::Approve | Action::Deny => approvals::model::selected(model).is_some(),
            _ => !approvals::model::keys(model).is_empty(),
        },
        Screen::Mesh => !mesh::model::keys(model).is_empty(),
        Screen::Blocks => model.blocks.newest().is_some(),
        Screen::Contracts => {
            let playground = model.contracts.in_view();
            let typing = playground.is_some_and(|p| p.typing == Typing::On);
            match action {
                Action::SaveContract => playground.is_some(),
                Action::DeployContract => playground.is_some(),
                Action::Open | Action::NewContract | Action::ReloadContracts => {
                    playground.is_none()
                        && (action != Action::Open || !contracts::model::keys(model).is_empty())
                }
                Action::EditContract => !typing,
                _ => true,
            }
        }
        Screen::Content => action != Action::Open || !content::model::keys(model).is_empty(),
        Screen::Queue => match action {
            Action::RetryLetter | Action::DropLetter => {
                matches!(queue::model::selected(model), Some(Entry::Dead(_)))
            }
            Action::Open => !queue::model::keys(model).is_empty(),
            _ => true,
        },
        Screen::Logs => true,
    }
}

/// The keys that work here; for a while a notice, or the filter that is being typed.
pub(super) fn footer(model: &Model, area: Rect, paint: &mut Paint<'_>) {
    if let Some(Overlay::Filter { input }) = &model.overlay {
        let mut line = Words::new(paint.look).accent("/").line();
        line.spans.extend(
            input
                .line(paint.look, usize::from(area.width.saturating_sub(14)))
                .spans,
        );
        paint.line(area.x + 1, area.y, area.width.saturating_sub(2), &line);
        return;
    }
    if let Some(Overlay::Line { what, input }) = &model.overlay {
        let mut line = Words::new(paint.look)
            .accent(format!("{}: ", what.prompt()))
            .line();
        let room = usize::from(area.width.saturating_sub(4)).saturating_sub(line.width());
        line.spans.extend(input.line(paint.look, room).spans);
        paint.line(area.x + 1, area.y, area.width.saturating_sub(2), &line);
        return;
    }
    if let Some(Overlay::Passphrase { input, .. }) = &model.overlay {
        let words = Words::new(paint.look).accent("passphrase of sovereign-key.json ");
        let mut line = words.line();
        line.spans.extend(input.masked(paint.look).spans);
        paint.line(area.x + 1, area.y, area.width.saturating_sub(2), &line);
        return;
    }
    if let Some(notice) = &model.notice {
        let line = Words::new(paint.look)
            .tone(notice.tone, crate::show::clean(&notice.text))
            .line();
        paint.line(area.x + 1, area.y, area.width.saturating_sub(2), &line);
        return;
    }
    let entry = |action: Action| {
        let line = Words::new(paint.look)
            .accent(model.keys.key(action))
            .dim(format!(" {}", action.info().footer))
            .line();
        (action, line)
    };
    let of_scope = |scope: Scope| {
        Action::ALL
            .iter()
            .copied()
            .filter(move |a| a.info().scope == scope && !a.info().footer.is_empty())
    };
    let mut left: Vec<(Action, Line<'static>)> = Vec::new();
    if !matches!(model.screen, Screen::Login | Screen::Logs) && works(model, Action::Open) {
        left.push(entry(Action::Open));
    }
    left.extend(
        of_scope(Scope::On(model.screen))
            .filter(|a| works(model, *a))
            .map(entry),
    );
    let mut right: Vec<(Action, Line<'static>)> = of_scope(Scope::Everywhere)
        .filter(|a| *a != Action::Open)
        .map(entry)
        .collect();
    // While one types the other keys are letters.
    if model
        .contracts
        .in_view()
        .is_some_and(|p| p.typing == Typing::On && model.screen == Screen::Contracts)
    {
        right.clear();
        let line = Words::new(paint.look)
            .accent("Esc")
            .dim(" stops typing")
            .line();
        left.insert(0, (Action::Back, line));
    }
    if let Some(filter) = model.filter() {
        let line = Words::new(paint.look)
            .tone(
                Tone::Accent,
                format!("/{}", crate::show::fit(&filter.text, 20)),
            )
            .dim("  Esc clears")
            .line();
        left.insert(0, (Action::Filter, line));
    }
    let room = usize::from(area.width.saturating_sub(2));
    let width = |list: &[(Action, Line<'static>)], gap: usize| {
        list.iter()
            .map(|(_, l)| l.width() + gap)
            .sum::<usize>()
            .saturating_sub(gap)
    };
    // First what works everywhere thins out, help and leave last; then what works here.
    let order = [Action::Filter, Action::Palette];
    for action in order {
        if width(&left, 3) + width(&right, 2) + 3 > room {
            right.retain(|(a, _)| *a != action);
        }
    }
    while width(&left, 3) + width(&right, 2) + 3 > room && left.len() > 2 {
        left.pop();
    }
    while width(&left, 3) + width(&right, 2) + 2 > room && !left.is_empty() {
        left.pop();
    }
    while width(&right, 2) > room && right.len() > 1 {
        right.remove(0);
    }
    let mut x = area.x + 1;
    for (action, line) in left {
        let taken = paint.line(x, area.y, area.right().saturating_sub(x), &line);
        paint
            .hits
            .add(Rect::new(x, area.y, taken, 1), Target::Act(action));
        x += taken + 3;
    }
    let mut x = area
        .right()
        .saturating_sub(1 + u16::try_from(width(&right, 2)).unwrap_or(0));
    for (action, line) in right {
        let taken = paint.line(x, area.y, area.right().saturating_sub(x), &line);
        paint
            .hits
            .add(Rect::new(x, area.y, taken, 1), Target::Act(action));
        x += taken + 2;
    }
}

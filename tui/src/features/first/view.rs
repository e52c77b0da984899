//! Draws the first run: one question a step, with what it means.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::model::{Done, Model as First, ROLES, Step};
use crate::model::Model;
use crate::show::clean;
use crate::theme::{Look, Tone};
use crate::widgets::details::labelled;
use crate::widgets::fold::fold;
use crate::widgets::{Paint, Words};

/// Wider lines are not read well.
const WIDEST: u16 = 78;

pub(crate) fn draw(model: &Model, first: &First, area: Rect, paint: &mut Paint<'_>) {
    let margin = if area.width >= 60 { 3 } else { 1 };
    let top = u16::from(area.height > 12);
    let area = Rect {
        x: area.x + margin,
        y: area.y + top,
        width: area.width.saturating_sub(2 * margin).min(WIDEST),
        height: area.height.saturating_sub(top),
    };
    let mut lines = body(model, first, area, paint.look);
    if let Some(wrong) = &first.wrong {
        lines.push(Line::default());
        let words = Words::new(paint.look).tone(Tone::Warn, format!("× {wrong}"));
        lines.push(words.line());
    }
    let width = usize::from(area.width.max(1));
    let mut lines: Vec<Line<'static>> = lines.into_iter().flat_map(|l| fold(l, width)).collect();
    // Where it is small blank lines leave first.
    while lines.len() > usize::from(area.height) {
        let Some(blank) = lines.iter().rposition(|l| l.width() == 0) else {
            break;
        };
        lines.remove(blank);
    }
    // The end is what is typed: it stays.
    let from = lines.len().saturating_sub(usize::from(area.height));
    paint.lines(area, &lines[from..]);
}

fn body(model: &Model, first: &First, area: Rect, look: &Look) -> Vec<Line<'static>> {
    let words = || Words::new(look);
    let mut lines = Vec::new();
    let title = |lines: &mut Vec<Line<'static>>, at: usize, text: &str| {
        lines.push(words().title(text).dim(format!("   {at} of 5")).line());
        lines.push(Line::default());
    };
    let typed = |input: &crate::widgets::input::Input| {
        let mut line = words().accent("› ").line();
        let room = usize::from(area.width.saturating_sub(4));
        line.spans.extend(input.line(look, room).spans);
        line
    };
    match &first.step {
        Step::Offer => {
            lines.push(words().title("No chain is here yet").line());
            lines.push(Line::default());
            let text = format!(
                "{} holds no chain. This makes one of your own: its genesis, the key that decides who may take part, this node's key. Then it starts the node.",
                model.here.home
            );
            lines.push(words().text(text).line());
            lines.push(Line::default());
            let elsewhere = "To join a chain that exists, put its file into chains/ there instead, and make a key: tana new node NAME.";
            lines.push(words().dim(elsewhere).line());
        }
        Step::Name => {
            title(&mut lines, 1, "What is the chain called?");
            let text = "The name is in every transaction, so that none of one chain is taken for one of another. It cannot be changed.";
            lines.push(words().text(text).line());
            lines.push(Line::default());
            lines.push(typed(&first.name));
        }
        Step::Role => {
            title(&mut lines, 2, "What is this node for?");
            for (i, (role, about)) in ROLES.iter().enumerate() {
                let chosen = i == first.role;
                let name = format!("{:<13}", role.name());
                let line = if chosen {
                    words().accent("▸ ").strong(name)
                } else {
                    words().text("  ").text(name)
                };
                lines.push(line.dim(*about).line());
            }
        }
        Step::Ports => {
            title(&mut lines, 3, "Which ports?");
            let text = "Added to every port: with 0 they are the usual ones, and another number lets several nodes share a machine. They listen on this machine alone.";
            lines.push(words().text(text).line());
            lines.push(Line::default());
            let mut ports = words();
            for (kind, port) in first.services() {
                ports = ports.text(kind.name()).dim(format!(" {port}   "));
            }
            lines.push(ports.line());
            lines.push(Line::default());
            lines.push(typed(&first.offset));
        }
        Step::Keys | Step::Again => {
            title(&mut lines, 4, "Two keys are made");
            keys(model, area.width, look, &mut lines);
            lines.push(Line::default());
            let (text, input) = if first.step == Step::Keys {
                (
                    "A passphrase for the sovereign's key; nothing leaves it open:",
                    &first.secret,
                )
            } else {
                ("The same again:", &first.again)
            };
            lines.push(words().text(text).line());
            let mut line = words().accent("› ").line();
            line.spans.extend(input.masked(look).spans);
            lines.push(line);
        }
        Step::Summary => {
            title(&mut lines, 5, "This is made");
            summary(model, first, area.width, look, &mut lines);
        }
        Step::Making(done) => {
            lines.push(words().title("Making it").line());
            lines.push(Line::default());
            progress(model, first, done, look, &mut lines);
        }
        Step::Failed(done, why) => {
            lines.push(words().title("It did not come up").line());
            lines.push(Line::default());
            progress(model, first, done, look, &mut lines);
            lines.push(words().tone(Tone::Bad, clean(why)).line());
        }
    }
    lines
}

fn keys(model: &Model, width: u16, look: &Look, lines: &mut Vec<Line<'static>>) {
    let words = || Words::new(look);
    let home = &model.here.home;
    for (label, file, about) in [
        (
            "sovereign",
            "sovereign-key.json",
            "decides which nodes may take part, and brings funds in. Lost, nobody can; stolen, its thief can. Keep a copy on another medium.",
        ),
        (
            "node",
            "node-key.json",
            "signs this node's blocks and heartbeats. It stays on this machine.",
        ),
    ] {
        let place = words().strong(format!("{home}/{file}"));
        lines.extend(labelled(look, width, label, place));
        lines.extend(labelled(look, width, "", words().text(about)));
    }
}

fn summary(model: &Model, first: &First, width: u16, look: &Look, lines: &mut Vec<Line<'static>>) {
    let words = || Words::new(look);
    let sealed = if first.secret.is_empty() {
        words().tone(Tone::Warn, "open: whoever reads the file has the key")
    } else {
        words().text("under a passphrase")
    };
    let ports = first.services().into_iter();
    let ports = ports.fold(words(), |words, (kind, port)| {
        words.text(kind.name()).dim(format!(" {port}   "))
    });
    for (label, value) in [
        ("chain", words().strong(first.name.text())),
        ("in", words().text(model.here.home.clone())),
        ("role", words().text(first.role().name())),
        ("ports", ports),
        ("sovereign", sealed),
    ] {
        lines.extend(labelled(look, width, label, value));
    }
}

fn progress(
    model: &Model,
    first: &First,
    done: &[Done],
    look: &Look,
    lines: &mut Vec<Line<'static>>,
) {
    let words = || Words::new(look);
    let sealing = !first.secret.is_empty() || done.contains(&Done::Sealed);
    let steps = [
        (Done::Made, format!("the chain {}", first.name.text())),
        (Done::Sealed, "the passphrase".to_owned()),
        (Done::Started, "the node and its services".to_owned()),
    ];
    let failed = matches!(first.step, Step::Failed(..));
    let mut waits = true;
    for (step, text) in steps {
        if step == Done::Sealed && !sealing {
            continue;
        }
        let line = if done.contains(&step) {
            words().tone(Tone::Good, "✓ ").text(text)
        } else if waits && failed {
            words().tone(Tone::Bad, "× ").text(text)
        } else if waits {
            words().tone(Tone::Warn, "◐ ").text(text)
        } else {
            words().dim("· ").dim(text)
        };
        waits &= done.contains(&step);
        lines.push(line.line());
    }
    let services = model.node.iter().flat_map(|node| &node.services);
    for service in services {
        let tone = crate::features::services::model::tone(service.state);
        lines.push(
            words()
                .gap(2)
                .tone(tone, tone.mark())
                .gap(1)
                .text(format!("{:<10}", service.name.name()))
                .dim(service.state.as_str())
                .line(),
        );
    }
    lines.push(Line::default());
}

/// The keys that work, for the footer.
pub(crate) fn footer(first: &First, look: &Look) -> Line<'static> {
    let pairs: &[(&str, &str)] = match &first.step {
        Step::Offer => &[("Enter", "begin"), ("Esc", "not now"), ("q", "leave")],
        Step::Role => &[("↑↓", "choose"), ("Enter", "next"), ("Esc", "back")],
        Step::Summary => &[("Enter", "make it"), ("Esc", "back")],
        Step::Making(_) => &[("Ctrl-c", "leave; what is made stays")],
        Step::Failed(..) => &[("Enter", "try again"), ("Esc", "to the console")],
        _ => &[("Enter", "next"), ("Esc", "back")],
    };
    let mut words = Words::new(look);
    for (key, text) in pairs {
        words = words.accent(*key).dim(format!(" {text}   "));
    }
    words.line()
}

//! What lies over the screen: the help and the palette.

use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Clear, Widget as _};

use crate::keys::{Action, Keymap, Scope};
use crate::model::problems::Problem;
use crate::model::{Model, Screen};
use crate::palette;
use crate::theme::{Look, Tone};
use crate::widgets::input::Input;
use crate::widgets::{Paint, Words, dialog};

/// Every key, by where it works: the screen in view first.
pub(crate) fn help_lines(look: &Look, keys: &Keymap, here: Screen) -> Vec<Line<'static>> {
    let mut scopes = vec![Scope::On(here), Scope::Everywhere];
    scopes.extend(
        Screen::ALL
            .into_iter()
            .filter(|s| *s != here)
            .map(Scope::On),
    );
    let mut lines = Vec::new();
    for scope in scopes {
        let actions: Vec<Action> = Action::ALL
            .iter()
            .copied()
            .filter(|a| a.info().scope == scope)
            .collect();
        if actions.is_empty() {
            continue;
        }
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        let title = match scope {
            Scope::Everywhere => "everywhere".to_owned(),
            Scope::On(screen) => format!("{} {}", screen.digit(), screen.title()),
        };
        lines.push(Words::new(look).title(title).line());
        for action in actions {
            let shown = keys.keys(action);
            lines.push(
                Words::new(look)
                    .accent(format!("{shown:<14}"))
                    .text(action.info().help)
                    .line(),
            );
        }
        if scope == Scope::Everywhere {
            let note = "In a question: n or Esc leaves all as it is, y does it, Enter takes the marked answer.";
            lines.push(Words::new(look).dim(note).line());
        }
    }
    lines
}

pub(super) fn help(model: &Model, screen: Rect, scroll: usize, paint: &mut Paint<'_>) {
    let lines = help_lines(paint.look, paint.keys, model.screen);
    text(paint, screen, "keys", lines, scroll);
}

/// Everything that is wrong, worst first: what, since when, what to do.
pub(super) fn problems(
    model: &Model,
    wrong: &[Problem],
    screen: Rect,
    scroll: usize,
    paint: &mut Paint<'_>,
) {
    let words = || Words::new(paint.look);
    let mut lines = Vec::new();
    for problem in wrong {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        let mut what = words()
            .tone(problem.tone, problem.tone.mark())
            .gap(1)
            .strong(problem.text.clone());
        if let Some(since) = problem.since {
            what = what.dim(format!("  since {}", model.clock.time(since)));
        }
        let screen = problem.screen;
        lines.push(
            what.accent(format!("  {}", screen.digit()))
                .dim(format!(" {}", screen.title()))
                .line(),
        );
        if let Some(todo) = &problem.todo {
            lines.push(words().gap(2).text(todo.clone()).line());
        }
    }
    if lines.is_empty() {
        lines.push(
            words()
                .tone(Tone::Good, Tone::Good.mark())
                .text(" All is well.")
                .line(),
        );
    }
    text(paint, screen, "wrong now", lines, scroll);
}

/// A text in a frame, as much of it as fits from `scroll` on.
fn text(
    paint: &mut Paint<'_>,
    screen: Rect,
    title: &str,
    lines: Vec<Line<'static>>,
    scroll: usize,
) {
    let width = screen
        .width
        .saturating_sub(4)
        .min(92)
        .max(screen.width.min(20));
    let inner = usize::from(width.saturating_sub(4)).max(1);
    let lines: Vec<Line<'static>> = lines
        .into_iter()
        .flat_map(|l| crate::widgets::fold::fold(l, inner))
        .collect();
    let margin = u16::from(screen.height >= 16);
    let height = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .saturating_add(2)
        .min(screen.height - 2 * margin);
    let area = Rect {
        x: screen.x + (screen.width - width) / 2,
        y: screen.y + margin,
        width,
        height,
    };
    paint.hits.clear();
    Clear.render(area, paint.buf);
    paint.buf.set_style(area, paint.look.base());
    dialog::frame(paint, area, title);
    let rows = usize::from(height.saturating_sub(2));
    let most = lines.len().saturating_sub(rows);
    let from = scroll.min(most);
    let inside = Rect {
        x: area.x + 2,
        y: area.y + 1,
        width: width.saturating_sub(4),
        height: height.saturating_sub(2),
    };
    paint.lines(inside, &lines[from..]);
    if most > 0 {
        let text = if from < most {
            " ↓ more "
        } else {
            " the end "
        };
        let line = Words::new(paint.look).dim(text).line();
        let w = u16::try_from(line.width()).unwrap_or(0);
        paint.line(
            area.right().saturating_sub(w + 2),
            area.bottom() - 1,
            w,
            &line,
        );
    }
}

pub(super) fn palette(
    model: &Model,
    screen: Rect,
    input: &Input,
    chosen: usize,
    paint: &mut Paint<'_>,
) {
    let found = palette::matching(model, &input.text());
    let width = screen
        .width
        .saturating_sub(4)
        .min(72)
        .max(screen.width.min(20));
    let most = screen.height.saturating_sub(4).clamp(1, 12);
    let rows = u16::try_from(found.len()).unwrap_or(u16::MAX).min(most);
    let height = (rows + 3).min(screen.height);
    let y = screen.y + (screen.height.saturating_sub(height)) / 4;
    let area = Rect {
        x: screen.x + (screen.width - width) / 2,
        y,
        width,
        height,
    };
    paint.hits.clear();
    Clear.render(area, paint.buf);
    paint.buf.set_style(area, paint.look.base());
    dialog::frame(paint, area, "command");
    let inner = width.saturating_sub(4);
    let mut line = Words::new(paint.look).accent(":").line();
    line.spans.extend(
        input
            .line(paint.look, usize::from(inner.saturating_sub(2)))
            .spans,
    );
    paint.line(area.x + 2, area.y + 1, inner, &line);
    let chosen = chosen.min(found.len().saturating_sub(1));
    let first = crate::widgets::grid::first_row(
        crate::widgets::grid::Rows {
            count: found.len(),
            selected: Some(chosen),
        },
        usize::from(rows),
    );
    for (i, entry) in found
        .iter()
        .enumerate()
        .skip(first)
        .take(usize::from(height.saturating_sub(3)))
    {
        let y = area.y + 2 + u16::try_from(i - first).unwrap_or(0);
        let words = Words::new(paint.look);
        let name = format!("{:<22}", crate::show::fit(&entry.name, 22));
        let words = if i == chosen {
            words.strong(name)
        } else {
            words.text(name)
        };
        let line = words
            .dim(format!("{:<5}", entry.key))
            .dim(entry.about.clone())
            .line();
        paint.line(area.x + 3, y, inner.saturating_sub(1), &line);
        if i == chosen {
            paint.select(Rect {
                x: area.x + 1,
                y,
                width: width.saturating_sub(2),
                height: 1,
            });
        }
    }
}

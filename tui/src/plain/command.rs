//! What a typed line does: the palette's commands, with the row that an action is for after its name. Answers lines to
//! print and effects to carry out; no IO.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Rect, Size};

use crate::effect::Effect;
use crate::features::{approvals, content, contracts, mesh, queue, services};
use crate::keys::{Action, Scope};
use crate::model::{Model, Overlay, Screen, problems};
use crate::msg::Msg;
use crate::palette::{self, Command};
use crate::picture;
use crate::show::clean;
use crate::theme::Tone;
use crate::update::{self, update};
use crate::view;
use crate::widgets::cursor::Move;
use crate::widgets::dialog::Word;

/// What comes of a line.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) lines: Vec<String>,
    pub(super) effects: Vec<Effect>,
    /// The screen is to be told once what it loads has come.
    pub(super) show: bool,
}

/// As wide as a line may be, and as many rows as a list is told of.
const PAGE: Size = Size {
    width: 100,
    height: 60,
};

/// Takes a line.
pub(super) fn take(model: &mut Model, line: &str) -> Said {
    let line = line.trim();
    match &model.overlay {
        Some(Overlay::Ask { dialog, .. }) if dialog.word.is_some() => {
            let left = format!("left: {}", dialog.safe);
            let keys = line.chars().map(KeyCode::Char).chain([KeyCode::Enter]);
            let mut effects: Vec<Effect> = keys.flat_map(|key| update(model, press(key))).collect();
            let open = model.overlay.is_some();
            effects.extend(update(model, press(KeyCode::Esc)));
            return Said {
                lines: open.then_some(left).into_iter().collect(),
                effects,
                show: false,
            };
        }
        Some(Overlay::Ask { dialog, .. }) => {
            let yes = ["y", "yes", dialog.doing].contains(&line);
            let key = if yes { 'y' } else { 'n' };
            let left = (!yes).then(|| format!("left: {}", dialog.safe));
            let effects = update(model, press(KeyCode::Char(key)));
            return Said {
                lines: left.into_iter().chain(asked(model)).collect(),
                effects,
                show: false,
            };
        }
        // A text that something asks for.
        Some(_) => {
            let keys = line.chars().map(KeyCode::Char).chain([KeyCode::Enter]);
            let effects = keys.flat_map(|key| update(model, press(key))).collect();
            return Said {
                lines: asked(model),
                effects,
                show: false,
            };
        }
        None => {}
    }
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match (word, rest.trim()) {
        ("", _) => Said::default(),
        ("help" | "?", _) => Said {
            lines: help(),
            ..Said::default()
        },
        ("problems" | "why", "") => Said {
            lines: wrong(model),
            ..Said::default()
        },
        (name, row) if !row.is_empty() && action(name).is_some() => on_row(model, name, row),
        _ => match palette::parse(line) {
            Some(command) => {
                let show = matches!(
                    command,
                    Command::Go(_) | Command::Height(_) | Command::Filter(_)
                );
                let effects = update::command(model, command);
                Said {
                    lines: asked(model),
                    effects,
                    show,
                }
            }
            None => Said {
                lines: vec![format!("there is no command {line:?}; type help")],
                ..Said::default()
            },
        },
    }
}

fn press(code: KeyCode) -> Msg {
    Msg::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

/// An action of one screen, by its name.
fn action(name: &str) -> Option<(Action, Screen)> {
    Action::ALL.iter().find_map(|action| {
        let info = action.info();
        match info.scope {
            Scope::On(screen) if info.name == name => Some((*action, screen)),
            _ => None,
        }
    })
}

/// An action on the row that is named.
fn on_row(model: &mut Model, name: &str, row: &str) -> Said {
    let Some((action, screen)) = action(name) else {
        return Said::default();
    };
    let mut effects = update::go(model, screen);
    let rows = rows(model);
    let Some(at) = rows.iter().position(|known| known == row) else {
        let known = if rows.is_empty() {
            "there is nothing on it now".to_owned()
        } else {
            format!("there are {}", rows.join(", "))
        };
        return Said {
            lines: vec![format!("{} has no {row:?}; {known}", screen.title())],
            effects,
            show: false,
        };
    };
    effects.extend(update::walk(model, Move::To(at)));
    effects.extend(update::act(model, action));
    Said {
        lines: asked(model),
        effects,
        show: false,
    }
}

/// The names of the rows of the screen in view.
fn rows(model: &Model) -> Vec<String> {
    fn texts<T: ToString>(keys: &[T]) -> Vec<String> {
        keys.iter().map(T::to_string).collect()
    }
    match model.screen {
        Screen::Services => texts(&services::model::keys(model)),
        Screen::Mesh => texts(&mesh::model::keys(model)),
        Screen::Approvals => texts(&approvals::model::keys(model)),
        Screen::Contracts => texts(&contracts::model::keys(model)),
        Screen::Content => texts(&content::model::keys(model)),
        Screen::Queue => texts(&queue::model::keys(model)),
        Screen::Blocks | Screen::Login | Screen::Logs => Vec::new(),
    }
}

/// What lies over the screen now, in words.
fn asked(model: &mut Model) -> Vec<String> {
    match &model.overlay {
        None => Vec::new(),
        Some(Overlay::Ask { dialog, .. }) => {
            let mut lines = vec![format!("{}?", dialog.title)];
            let body = dialog.body.iter().filter(|line| !line.is_empty());
            lines.extend(body.map(|line| format!("  {}", clean(line))));
            let word = dialog.word.as_ref().map_or("yes", Word::expected);
            lines.push(format!(
                "type {word} to {}, anything else: {}",
                dialog.doing, dialog.safe
            ));
            lines
        }
        Some(Overlay::Scan(scan)) => {
            let code = scan.code(model).map(|code| code.uri());
            let mut lines = vec![format!(
                "a phone with a sovereign's key signs this and hands it in, to {} {}; type n to leave it:",
                scan.decision.verb(),
                scan.node
            )];
            lines.extend(code);
            lines
        }
        Some(Overlay::Line { what, .. }) => vec![format!("{}:", what.prompt())],
        Some(Overlay::Passphrase { .. }) => {
            vec!["the sovereign key's passphrase (it is not shown):".to_owned()]
        }
        Some(Overlay::Help { .. }) => {
            model.overlay = None;
            help()
        }
        Some(Overlay::Problems { .. }) => {
            model.overlay = None;
            wrong(model)
        }
        Some(Overlay::Palette { .. } | Overlay::Filter { .. }) => {
            model.overlay = None;
            vec!["type the command itself, such as filter WORDS; help lists them".to_owned()]
        }
    }
}

/// Everything that is wrong now.
fn wrong(model: &Model) -> Vec<String> {
    let found = problems::problems(model);
    if found.is_empty() {
        return vec!["nothing is wrong".to_owned()];
    }
    let told = found.into_iter().flat_map(|problem| {
        let todo = problem.todo.map(|todo| format!("  {}", clean(&todo)));
        [Some(clean(&problem.text)), todo]
    });
    told.flatten().collect()
}

/// What can be typed.
fn help() -> Vec<String> {
    let screens = Screen::ALL.map(Screen::name).join(" ");
    let mut lines = vec![
        format!("screens: {screens}"),
        "height N: a block   filter WORDS: of the screen in view   ctx NAME: to another node   problems   quit".to_owned(),
        "a name after an action says for which row, such as approve validator-2".to_owned(),
    ];
    for action in Action::ALL {
        let info = action.info();
        if let Scope::On(screen) = info.scope {
            lines.push(format!("{}: {} ({})", info.name, info.help, screen.name()));
        }
    }
    lines
}

/// The screen in view, without what is around it.
pub(super) fn screen(model: &Model) -> Vec<String> {
    if model.screen == Screen::Login {
        return login(model);
    }
    let wrong = !problems::problems(model).is_empty();
    let whole = Rect::new(0, 0, PAGE.width, PAGE.height);
    let body = view::layout(whole, model.screen, wrong).body;
    let frame = match picture::frame(model, PAGE) {
        Ok(frame) => frame,
        Err(error) => return vec![format!("{} cannot be shown: {error}", model.screen.title())],
    };
    let text = picture::text(&frame);
    let rows = text
        .lines()
        .skip(usize::from(body.y))
        .take(usize::from(body.height));
    let mut lines = vec![format!("{}:", model.screen.title())];
    lines.extend(rows.map(str::to_owned).filter(|row| !row.trim().is_empty()));
    lines
}

/// A code that is read out helps nobody: the link says the same.
fn login(model: &Model) -> Vec<String> {
    match model.login.session() {
        None => match &model.notice {
            Some(notice) if notice.tone >= Tone::Warn => vec![clean(&notice.text)],
            _ => vec!["no login code yet; type new".to_owned()],
        },
        Some(session) => vec![
            format!("login: {}", session.status.as_str()),
            format!("open on the phone: {}", session.created.qr_uri),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fixture;
    use crate::theme::Caps;

    fn said(model: &mut Model, line: &str) -> Said {
        take(model, line)
    }

    #[test]
    fn an_action_with_a_row_asks_first_and_only_yes_does_it() {
        let mut model = fixture::busy(Caps::default());
        let asked = said(&mut model, "stop t4");
        assert!(asked.effects.is_empty());
        assert!(
            asked.lines[0].contains("t4")
                && asked
                    .lines
                    .last()
                    .is_some_and(|l| l.starts_with("type yes to "))
        );
        let left = said(&mut model, "perhaps");
        assert!(
            left.effects.is_empty() && left.lines[0].starts_with("left: "),
            "{left:?}"
        );
        said(&mut model, "stop t4");
        let done = said(&mut model, "yes");
        assert_eq!(done.effects.len(), 1, "{done:?}");
    }

    #[test]
    fn a_row_that_is_not_there_is_named_with_those_that_are() {
        let mut model = fixture::busy(Caps::default());
        let wrong = said(&mut model, "restart t5");
        assert!(wrong.effects.is_empty());
        assert!(
            wrong.lines[0].contains("\"t5\"") && wrong.lines[0].contains("ledger"),
            "{wrong:?}"
        );
    }

    #[test]
    fn screens_are_told_as_text_and_what_is_unknown_is_said() {
        let mut model = fixture::busy(Caps::default());
        assert!(said(&mut model, "mesh").show);
        let lines = screen(&model);
        assert_eq!(lines[0], "Mesh:");
        assert!(
            lines.iter().any(|line| line.contains("validator-1")),
            "{lines:#?}"
        );
        assert!(said(&mut model, "dance").lines[0].contains("no command \"dance\""));
        assert!(
            said(&mut model, "help")
                .lines
                .iter()
                .any(|line| line.starts_with("approve: "))
        );
    }
}

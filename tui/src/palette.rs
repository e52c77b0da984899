//! What can be typed after `:`. Screens, actions and a few commands with an argument, from the same tables as keys and help.

use std::path::PathBuf;

use crate::contexts::HERE;
use crate::filter::rank;
use crate::keys::{Action, Keymap};
use crate::model::{Model, Screen};

/// A command, found or typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Go(Screen),
    Act(Action),
    Theme(String),
    Height(u64),
    Filter(String),
    /// To another context.
    Context(String),
    /// A contract's file into the playground.
    Open(PathBuf),
    /// Panics, in development builds only: how a real panic is raised to test what becomes of the terminal.
    #[cfg(debug_assertions)]
    Panic,
}

/// A line of the palette's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) key: String,
    /// What completing to it types: commands with an argument end with a blank.
    pub(crate) completes: String,
    pub(crate) command: Option<Command>,
}

impl AsRef<str> for Entry {
    fn as_ref(&self) -> &str {
        &self.name
    }
}

/// Every entry, in the order shown when nothing is typed.
pub(crate) fn entries(keys: &Keymap, themes: &[String], contexts: &[String]) -> Vec<Entry> {
    let screens = Screen::ALL.into_iter().map(|s| Entry {
        name: s.name().into(),
        about: format!("the screen {}", s.title()),
        key: s.digit().to_string(),
        completes: s.name().into(),
        command: Some(Command::Go(s)),
    });
    let actions = Action::ALL.iter().map(|a| Entry {
        name: a.info().name.into(),
        about: a.info().help.into(),
        key: keys.key(*a),
        completes: a.info().name.into(),
        command: Some(Command::Act(*a)),
    });
    let themes = themes.iter().map(|t| Entry {
        name: format!("theme {t}"),
        about: "use this theme".into(),
        key: String::new(),
        completes: format!("theme {t}"),
        command: Some(Command::Theme(t.clone())),
    });
    // The way back is offered only where there is a way out.
    let home = (!contexts.is_empty()).then(|| HERE.to_owned());
    let contexts = home
        .iter()
        .chain(contexts)
        .map(|c| Entry {
            name: format!("ctx {c}"),
            about: "turn to this context".into(),
            key: String::new(),
            completes: format!("ctx {c}"),
            command: Some(Command::Context(c.clone())),
        })
        .collect::<Vec<_>>();
    let with_argument = [
        ("height ", "show the block of a height"),
        ("filter ", "filter the list in view"),
        (
            "open ",
            "open a contract's directory or file in the playground",
        ),
    ]
    .map(|(name, about)| Entry {
        name: name.trim_end().into(),
        about: about.into(),
        key: String::new(),
        completes: name.into(),
        command: None,
    });
    let mut all: Vec<Entry> = screens
        .chain(with_argument)
        .chain(actions)
        .chain(contexts)
        .chain(themes)
        .collect();
    // The screen of a name comes before the action of the same name; `filter` with an argument hides the bare one.
    let mut seen = std::collections::HashSet::new();
    all.retain(|e| seen.insert(e.name.clone()));
    all
}

/// Entries for what is typed, best first.
pub(crate) fn matching(model: &Model, typed: &str) -> Vec<Entry> {
    let themes: Vec<String> = model.themes.names().map(str::to_owned).collect();
    let all = entries(&model.keys, &themes, &model.here.contexts);
    let typed = typed.trim_start();
    if typed.is_empty() {
        return all;
    }
    if parse(typed).is_some()
        && typed.contains(' ')
        && !typed.starts_with("theme")
        && !typed.starts_with("ctx")
    {
        return Vec::new();
    }
    rank(typed.trim_end(), all)
}

/// A command with its argument, as typed.
pub(crate) fn parse(typed: &str) -> Option<Command> {
    let (name, argument) = typed.trim().split_once(' ').unwrap_or((typed.trim(), ""));
    let argument = argument.trim();
    match (name, argument) {
        ("height" | "block", n) if !n.is_empty() => {
            n.replace([' ', '_'], "").parse().ok().map(Command::Height)
        }
        ("filter", text) if !text.is_empty() => Some(Command::Filter(text.to_owned())),
        ("ctx" | "context", name) if !name.is_empty() => Some(Command::Context(name.to_owned())),
        ("open", path) if !path.is_empty() => Some(Command::Open(path.into())),
        ("theme", name) if !name.is_empty() => Some(Command::Theme(name.to_owned())),
        // What fingers know from elsewhere.
        #[cfg(debug_assertions)]
        ("panic", "") => Some(Command::Panic),
        ("q" | "q!" | "wq" | "x" | "exit", "") => Some(Command::Act(Action::Quit)),
        (n, "") if !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()) => {
            n.parse().ok().map(Command::Height)
        }
        (name, "") => Screen::by_name(name).map(Command::Go).or_else(|| {
            Action::ALL
                .iter()
                .find(|a| a.info().name == name)
                .map(|a| Command::Act(*a))
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_knows_every_screen_and_every_action_by_name() {
        let entries = entries(&Keymap::new(&[]).unwrap(), &[], &[]);
        for screen in Screen::ALL {
            assert_eq!(parse(screen.name()), Some(Command::Go(screen)));
            assert!(
                entries
                    .iter()
                    .any(|e| e.command == Some(Command::Go(screen)))
            );
        }
        for action in Action::ALL {
            let name = action.info().name;
            assert!(entries.iter().any(|e| e.name == name), "{name}");
            let shadowed = Screen::by_name(name).is_some();
            assert!(
                shadowed || parse(name) == Some(Command::Act(*action)),
                "{name}"
            );
        }
    }

    #[test]
    fn arguments_are_read() {
        assert_eq!(parse("height 12 408"), Some(Command::Height(12_408)));
        assert_eq!(parse("42"), Some(Command::Height(42)));
        assert_eq!(
            parse("theme tana-light"),
            Some(Command::Theme("tana-light".into()))
        );
        assert_eq!(parse("q"), Some(Command::Act(Action::Quit)));
        assert_eq!(parse("height x"), None);
    }
}

//! From keys to actions: the defaults, and what the configuration changes. A key that would mean two things is an error that names both.

use std::collections::HashMap;

use super::{Action, Chord, Scope};
use crate::model::Screen;

/// Which key does what, where.
#[derive(Debug, Clone)]
pub(crate) struct Keymap {
    by_key: HashMap<(Scope, Chord), Action>,
    by_action: HashMap<Action, Vec<Chord>>,
}

/// Why a key table is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeymapError {
    #[error("{name:?} is no action; did you mean {nearest}? `:` in the console lists them")]
    UnknownAction { name: String, nearest: String },
    #[error("{action}: {source}")]
    Chord {
        action: String,
        source: super::chord::ChordError,
    },
    #[error("{chord} would mean both {first} and {second}; give one of them another key")]
    Conflict {
        chord: String,
        first: String,
        second: String,
    },
}

impl Keymap {
    /// The defaults with changes from the configuration: action name to its keys.
    pub(crate) fn new(changes: &[(String, Vec<String>)]) -> Result<Self, KeymapError> {
        let mut by_action: HashMap<Action, Vec<Chord>> = HashMap::new();
        for action in Action::ALL {
            let chords = action
                .info()
                .keys
                .iter()
                .filter_map(|k| k.parse().ok())
                .collect();
            by_action.insert(*action, chords);
        }
        for (name, keys) in changes {
            // What `decide` was called before.
            let called = if name == "waiting" { "decide" } else { name };
            let action = Action::ALL
                .iter()
                .find(|a| a.info().name == called)
                .ok_or_else(|| KeymapError::UnknownAction {
                    name: name.clone(),
                    nearest: tana_home::nearest(name, Action::ALL.iter().map(|a| a.info().name))
                        .unwrap_or_default()
                        .to_owned(),
                })?;
            let chords = keys
                .iter()
                .map(|k| {
                    k.parse::<Chord>().map_err(|source| KeymapError::Chord {
                        action: name.clone(),
                        source,
                    })
                })
                .collect::<Result<Vec<_>, _>>()?;
            by_action.insert(*action, chords);
        }
        let mut by_key: HashMap<(Scope, Chord), Action> = HashMap::new();
        for action in Action::ALL {
            let scope = action.info().scope;
            for chord in &by_action[action] {
                if let Some(screen) = Screen::of_digit(chord.digit()) {
                    return Err(KeymapError::Conflict {
                        chord: chord.to_string(),
                        first: format!("the screen {}", screen.title()),
                        second: action.info().name.to_owned(),
                    });
                }
                // A key of a screen may not hide one that works everywhere, else the help would lie.
                let clash = by_key.iter().find(|((other, c), _)| {
                    c == chord
                        && (*other == scope
                            || *other == Scope::Everywhere
                            || scope == Scope::Everywhere)
                });
                if let Some((_, first)) = clash {
                    return Err(KeymapError::Conflict {
                        chord: chord.to_string(),
                        first: first.info().name.to_owned(),
                        second: action.info().name.to_owned(),
                    });
                }
                by_key.insert((scope, *chord), *action);
            }
        }
        Ok(Self { by_key, by_action })
    }

    /// What a key does on a screen.
    pub(crate) fn action(&self, screen: Screen, chord: Chord) -> Option<Action> {
        self.by_key
            .get(&(Scope::On(screen), chord))
            .or_else(|| self.by_key.get(&(Scope::Everywhere, chord)))
            .copied()
    }

    /// The key to show for an action; a dash when the configuration took it away.
    pub(crate) fn key(&self, action: Action) -> String {
        self.by_action
            .get(&action)
            .and_then(|c| c.first())
            .map_or_else(|| "–".into(), ToString::to_string)
    }

    /// All keys of an action, for the help.
    pub(crate) fn keys(&self, action: Action) -> String {
        let chords: Vec<String> = self
            .by_action
            .get(&action)
            .map(|c| c.iter().map(ToString::to_string).collect())
            .unwrap_or_default();
        if chords.is_empty() {
            "–".into()
        } else {
            chords.join("  ")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn change(name: &str, key: &str) -> Vec<(String, Vec<String>)> {
        vec![(name.to_owned(), vec![key.to_owned()])]
    }

    #[test]
    fn the_defaults_do_not_conflict() {
        let keys = Keymap::new(&[]).unwrap();
        assert_eq!(
            keys.action(Screen::Approvals, "a".parse().unwrap()),
            Some(Action::Approve)
        );
        assert_eq!(keys.action(Screen::Services, "a".parse().unwrap()), None);
        assert_eq!(
            keys.action(Screen::Services, "q".parse().unwrap()),
            Some(Action::Quit)
        );
    }

    #[test]
    fn a_change_takes_effect_and_a_conflict_names_both() {
        let keys = Keymap::new(&change("approve", "f2")).unwrap();
        assert_eq!(
            keys.action(Screen::Approvals, "f2".parse().unwrap()),
            Some(Action::Approve)
        );
        assert_eq!(keys.action(Screen::Approvals, "a".parse().unwrap()), None);
        let keys = Keymap::new(&change("waiting", "f3")).unwrap();
        assert_eq!(
            keys.action(Screen::Services, "f3".parse().unwrap()),
            Some(Action::Decide)
        );
        let text = Keymap::new(&change("approve", "q"))
            .unwrap_err()
            .to_string();
        assert!(text.contains("approve") && text.contains("quit"), "{text}");
        let text = Keymap::new(&change("aprove", "f2"))
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("aprove") && text.contains("approve"),
            "{text}"
        );
        let text = Keymap::new(&change("approve", "3"))
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("Approvals") && text.contains("approve"),
            "a digit goes to its screen: {text}"
        );
        assert!(
            Keymap::new(&change("quit", "hyper-q"))
                .unwrap_err()
                .to_string()
                .contains("hyper-q")
        );
    }
}

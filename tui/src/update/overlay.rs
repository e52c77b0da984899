//! Keys while something lies over the screen: palette, filter, help, a question.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{act, go};
use crate::effect::{Author, Effect};
use crate::features::approvals::model::Scan;
use crate::filter::Filter;
use crate::model::{Asked, Model, Overlay};
use crate::palette::{self, Command};
use crate::sign::{Passphrase, With};
use crate::theme::Tone;
use crate::widgets::dialog::{Button, Dialog};
use crate::widgets::input::Input;

/// Takes a key for `overlay`, which was taken off the model; puts it back unless the key closed it.
pub(super) fn key(model: &mut Model, overlay: Overlay, key: KeyEvent) -> Vec<Effect> {
    let ctrl =
        |c: char| key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char(c);
    if ctrl('z') {
        model.overlay = Some(overlay);
        return vec![Effect::Suspend];
    }
    if key.code == KeyCode::Esc || ctrl('c') {
        // A filter that is being typed ends with it.
        if matches!(overlay, Overlay::Filter { .. }) {
            model.filters.remove(&model.screen);
        }
        return Vec::new();
    }
    match overlay {
        Overlay::Help { scroll } => {
            if let Some(scroll) = scrolled(model, scroll, key) {
                model.overlay = Some(Overlay::Help { scroll });
            }
            Vec::new()
        }
        Overlay::Problems { scroll } => {
            if let Some(scroll) = scrolled(model, scroll, key) {
                model.overlay = Some(Overlay::Problems { scroll });
            }
            Vec::new()
        }
        Overlay::Palette { input, chosen } => palette(model, input, chosen, key),
        Overlay::Filter { input } => {
            filter(model, input, key);
            Vec::new()
        }
        Overlay::Ask { dialog, effect } => ask(model, dialog, effect, key),
        Overlay::Scan(scan) => {
            if !matches!(key.code, KeyCode::Char('q' | 'n')) {
                model.overlay = Some(Overlay::Scan(scan));
            }
            Vec::new()
        }
        Overlay::Line { what, input } => line(model, what, input, key),
        Overlay::Passphrase { input, effect } => passphrase(model, input, effect, key),
    }
}

/// Where a text is scrolled to by a key; nowhere when the key closes it.
fn scrolled(model: &Model, scroll: usize, key: KeyEvent) -> Option<usize> {
    let page = model.page.max(1);
    Some(match key.code {
        KeyCode::Up | KeyCode::Char('k') => scroll.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => scroll + 1,
        KeyCode::PageUp => scroll.saturating_sub(page),
        KeyCode::PageDown | KeyCode::Char(' ') => scroll + page,
        KeyCode::Home | KeyCode::Char('g') => 0,
        KeyCode::Char('q' | '?' | 'p') | KeyCode::Enter => return None,
        _ => scroll,
    })
}

fn palette(model: &mut Model, mut input: Input, chosen: usize, key: KeyEvent) -> Vec<Effect> {
    let found = palette::matching(model, &input.text());
    let last = found.len().saturating_sub(1);
    let chosen = match key.code {
        KeyCode::Up => chosen.saturating_sub(1),
        KeyCode::Down => (chosen + 1).min(last),
        KeyCode::Tab => {
            if let Some(entry) = found.get(chosen.min(last)) {
                input = Input::new(&entry.completes);
            }
            0
        }
        KeyCode::Enter => {
            let typed = input.text();
            // What was typed in full wins over what the list offers; the chosen line over the first.
            let typed_command = palette::parse(&typed).filter(|_| chosen == 0);
            let entry = found.get(chosen.min(last));
            let command = typed_command.or_else(|| entry.and_then(|e| e.command.clone()));
            return match (command, entry) {
                (Some(command), _) => run(model, command),
                (None, Some(entry)) => {
                    model.overlay = Some(Overlay::Palette {
                        input: Input::new(&entry.completes),
                        chosen: 0,
                    });
                    Vec::new()
                }
                (None, None) => {
                    if !typed.trim().is_empty() {
                        model.say(
                            Tone::Warn,
                            format!(
                                "no command {:?}; Tab completes, ? lists the keys",
                                typed.trim()
                            ),
                        );
                    }
                    Vec::new()
                }
            };
        }
        KeyCode::Backspace if input.is_empty() => return Vec::new(),
        _ => {
            if input.key(key) {
                0
            } else {
                chosen
            }
        }
    };
    model.overlay = Some(Overlay::Palette { input, chosen });
    Vec::new()
}

/// Carries a command of the palette out.
pub(super) fn run(model: &mut Model, command: Command) -> Vec<Effect> {
    match command {
        Command::Go(screen) => go(model, screen),
        Command::Act(action) => act(model, action),
        Command::Height(height) => crate::features::blocks::update::jump(model, height),
        #[cfg(debug_assertions)]
        Command::Panic => panic!("asked for by :panic"),
        Command::Filter(text) => {
            set_filter(model, &text);
            Vec::new()
        }
        Command::Context(name) => super::leave::leave(model, Effect::TurnTo(name)),
        Command::Open(path) => vec![Effect::OpenContract(path)],
        Command::Theme(name) => {
            match model.themes.get(&name) {
                Some(theme) => model.look.theme = theme,
                None => {
                    let names: Vec<&str> = model.themes.names().collect();
                    let text = format!("no theme {name:?}; there are {}", names.join(", "));
                    model.say(Tone::Warn, text);
                }
            }
            Vec::new()
        }
    }
}

fn filter(model: &mut Model, mut input: Input, key: KeyEvent) {
    match key.code {
        KeyCode::Enter => {
            if let Some(filter) = model.filter().filter(|f| f.is_broken()) {
                let text = format!(
                    "{:?} is no regular expression; it matches as plain text",
                    filter.text
                );
                model.say(Tone::Warn, text);
            }
        }
        KeyCode::Backspace if input.is_empty() => {
            model.filters.remove(&model.screen);
        }
        _ => {
            input.key(key);
            // The list follows while one types.
            set_filter(model, &input.text());
            model.overlay = Some(Overlay::Filter { input });
        }
    }
}

fn set_filter(model: &mut Model, text: &str) {
    match Filter::parse(text) {
        Some(filter) => {
            model.filters.insert(model.screen, filter);
        }
        None => {
            model.filters.remove(&model.screen);
        }
    }
}

/// A line of text for something that asked for it.
fn line(model: &mut Model, what: Asked, mut input: Input, key: KeyEvent) -> Vec<Effect> {
    if key.code == KeyCode::Enter {
        return crate::features::contracts::update::line(model, &what, &input.text());
    }
    input.key(key);
    model.overlay = Some(Overlay::Line { what, input });
    Vec::new()
}

/// Carries out what was confirmed; asks for the passphrase first where the key that signs is sealed.
pub(super) fn confirmed(model: &mut Model, effect: Effect) -> Vec<Effect> {
    match effect {
        // The model's own.
        Effect::Edit(draft) => {
            crate::features::contracts::update::edit_now(model, *draft);
            return Vec::new();
        }
        Effect::Quit => model.over = true,
        Effect::Decide {
            node,
            key,
            decision,
            with: With::Phone,
            ..
        } => {
            model.overlay = Some(Overlay::Scan(Scan {
                node,
                key: *key,
                decision,
                at: model.clock.now,
            }));
            return Vec::new();
        }
        _ => {}
    }
    let sealed = matches!(
        &effect,
        Effect::Decide {
            with: With::File(None),
            ..
        } | Effect::DeployContract {
            author: Author::Sovereign(None),
            ..
        }
    );
    if sealed && model.here.sealed {
        model.overlay = Some(Overlay::Passphrase {
            input: Input::default(),
            effect,
        });
        return Vec::new();
    }
    vec![effect]
}

fn passphrase(model: &mut Model, mut input: Input, effect: Effect, key: KeyEvent) -> Vec<Effect> {
    match (key.code, effect) {
        (KeyCode::Enter, effect) if input.is_empty() => {
            model.overlay = Some(Overlay::Passphrase { input, effect });
            Vec::new()
        }
        (
            KeyCode::Enter,
            Effect::Decide {
                node,
                key,
                producer,
                decision,
                ..
            },
        ) => vec![Effect::Decide {
            node,
            key,
            producer,
            decision,
            with: With::File(Some(Passphrase(input.into_secret()))),
        }],
        (KeyCode::Enter, Effect::DeployContract { draft, .. }) => vec![Effect::DeployContract {
            draft,
            author: Author::Sovereign(Some(Passphrase(input.into_secret()))),
        }],
        (_, effect) => {
            input.key(key);
            model.overlay = Some(Overlay::Passphrase { input, effect });
            Vec::new()
        }
    }
}

fn ask(model: &mut Model, mut dialog: Dialog, effect: Effect, key: KeyEvent) -> Vec<Effect> {
    if let Some(word) = &mut dialog.word {
        if key.code == KeyCode::Enter && word.fits() {
            return confirmed(model, effect);
        }
        word.typed.key(key);
        model.overlay = Some(Overlay::Ask { dialog, effect });
        return Vec::new();
    }
    match key.code {
        KeyCode::Enter if dialog.chosen == Button::Do => return confirmed(model, effect),
        KeyCode::Enter | KeyCode::Char('n' | 'q') => return Vec::new(),
        // Enter takes the chosen answer, the safe one where it harms; the letter says it outright.
        KeyCode::Char('y') => return confirmed(model, effect),
        KeyCode::Tab
        | KeyCode::BackTab
        | KeyCode::Left
        | KeyCode::Right
        | KeyCode::Char('h' | 'l') => {
            dialog.chosen = match dialog.chosen {
                Button::Safe => Button::Do,
                Button::Do => Button::Safe,
            };
        }
        _ => {}
    }
    model.overlay = Some(Overlay::Ask { dialog, effect });
    Vec::new()
}

//! Keys while the editor has them: all of them but those that leave it, run, save, and those of the terminal.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui_textarea::{Input, Key};

use super::playground::{Playground, Typing};
use crate::effect::Effect;
use crate::keys::{Action, Chord};
use crate::model::{Model, Screen};
use crate::update::act;

/// What works while one types.
const ACTIONS: [Action; 5] = [
    Action::RunContract,
    Action::SaveContract,
    Action::DeployContract,
    Action::Suspend,
    Action::Redraw,
];

/// The editor that has the keys, if one has.
fn typed(model: &mut Model) -> Option<&mut Playground> {
    if model.screen != Screen::Contracts || model.contracts.in_view().is_none() {
        return None;
    }
    let playground = model.contracts.playground.as_deref_mut()?;
    (playground.typing == Typing::On).then_some(playground)
}

/// Takes a key where the editor has the keys.
pub(crate) fn key(model: &mut Model, key: KeyEvent) -> Option<Vec<Effect>> {
    typed(model)?;
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    // A letter alone is text, whatever it means elsewhere.
    let writes = matches!(key.code, KeyCode::Char(_)) && !ctrl;
    let action = model.keys.action(Screen::Contracts, Chord::from(key));
    if let Some(action) = action.filter(|action| !writes && ACTIONS.contains(action)) {
        return Some(act(model, action));
    }
    let page = isize::try_from(model.page).unwrap_or(1).max(1);
    let playground = typed(model)?;
    let leaves = key.code == KeyCode::Esc || (ctrl && key.code == KeyCode::Char('c'));
    if leaves {
        playground.typing = Typing::Off;
        return Some(Vec::new());
    }
    // Pages are the console's: the editor was never told how large it is.
    let step = match key.code {
        KeyCode::PageUp => Some(-page),
        KeyCode::PageDown => Some(page),
        _ => None,
    };
    if let Some(step) = step {
        let arrow = if step < 0 { Key::Up } else { Key::Down };
        for _ in 0..step.unsigned_abs() {
            playground.editor.input(Input {
                key: arrow,
                ..Input::default()
            });
        }
    } else if playground.editor.input(key) {
        playground.changed();
    }
    Some(Vec::new())
}

/// Takes a pasted text where the editor has the keys. Answers whether it has.
pub(crate) fn paste(model: &mut Model, text: &str) -> bool {
    let Some(playground) = typed(model) else {
        return false;
    };
    let text: String = text
        .replace("\r\n", "\n")
        .replace('\r', "\n")
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect();
    if playground.editor.insert_str(text) {
        playground.changed();
    }
    true
}

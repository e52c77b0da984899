//! The queue is asked for when it changes while the screen is in view; dead letters are queued again or dropped.

use super::model::{Asked, Entry, Found, selected};
use crate::effect::Effect;
use crate::keys::Action;
use crate::model::{Mode, Model, Overlay, Screen};
use crate::theme::Tone;
use crate::widgets::dialog::{Button, Dialog, Harm, Word};

pub(crate) fn opened(model: &mut Model) -> Vec<Effect> {
    ask(model)
}

fn ask(model: &mut Model) -> Vec<Effect> {
    match model.queue.asked {
        Asked::No => {
            model.queue.asked = Asked::Yes;
            vec![Effect::LoadQueue]
        }
        Asked::Yes | Asked::Again => {
            model.queue.asked = Asked::Again;
            Vec::new()
        }
    }
}

pub(crate) fn length(model: &mut Model, length: u64) -> Vec<Effect> {
    let known = model.queue.found.as_ref().map(|(f, _)| f.queue.length);
    if model.screen == Screen::Queue && known != Some(length) {
        ask(model)
    } else {
        Vec::new()
    }
}

pub(crate) fn answered(model: &mut Model, result: Result<Found, String>) -> Vec<Effect> {
    let again = model.queue.asked == Asked::Again && model.screen == Screen::Queue;
    model.queue.asked = Asked::No;
    match result {
        Ok(found) => {
            model.queue.failed = None;
            model.queue.found = Some((found, model.clock.now));
            // It changed while this answer was on its way.
            if again { ask(model) } else { Vec::new() }
        }
        Err(why) => {
            model.queue.failed = Some(why);
            Vec::new()
        }
    }
}

pub(crate) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    if action == Action::ReloadQueue {
        return ask(model);
    }
    let letter = match selected(model) {
        Some(Entry::Dead(letter)) => letter.clone(),
        Some(Entry::Waiting(_)) => {
            model.say(
                Tone::Plain,
                "this one waits for its block; only a dead letter is queued again or dropped",
            );
            return Vec::new();
        }
        None => {
            model.say(Tone::Plain, "there is no dead letter");
            return Vec::new();
        }
    };
    if model.mode == Mode::ReadOnly {
        model.say(Tone::Warn, "this console is read-only: nothing is changed");
        return Vec::new();
    }
    let id = letter.id;
    let kind = letter.signed.transaction.kind;
    let short = crate::show::short(&id.to_string());
    let reason = crate::show::clean(&letter.reason);
    let (dialog, effect) = match action {
        Action::RetryLetter => (
            Dialog {
                title: format!("queue {short} again"),
                body: vec![
                    format!(
                        "The {kind} {short} is checked as if it were new, and queued if the rules let it pass now."
                    ),
                    String::new(),
                    format!("No block could take it: {reason}."),
                ],
                safe: "leave it",
                doing: "queue it again",
                chosen: Button::Safe,
                harm: Harm::None,
                word: None,
            },
            Effect::RetryLetter(id),
        ),
        Action::DropLetter => (
            Dialog {
                title: format!("drop {short}"),
                body: vec![
                    format!(
                        "The {kind} {short} was accepted and is deleted: it will never be in a block. This cannot be undone."
                    ),
                    String::new(),
                    format!("No block could take it: {reason}."),
                ],
                safe: "keep it",
                doing: "drop it",
                chosen: Button::Safe,
                harm: Harm::Harmful,
                word: Some(Word::new(last_four(&id.to_string()))),
            },
            Effect::DropLetter(id),
        ),
        _ => return Vec::new(),
    };
    model.overlay = Some(Overlay::Ask { dialog, effect });
    Vec::new()
}

/// What is typed to drop a letter: the end of its id, which the dialog shows.
fn last_four(id: &str) -> String {
    id[id.len().saturating_sub(4)..].to_owned()
}

//! From one step to the next, and what comes of the last.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::model::{Done, MOST_OFFSET, ROLES, Step, is_name};
use crate::effect::Effect;
use crate::model::{Model, Screen};
use crate::msg::FirstNews;
use crate::sign::Passphrase;
use crate::theme::Tone;

/// Takes a key while the first run has the screen.
pub(crate) fn key(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    let ctrl =
        |c: char| key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char(c);
    if ctrl('z') {
        return vec![Effect::Suspend];
    }
    if ctrl('l') {
        return vec![Effect::Repaint];
    }
    if ctrl('c') {
        model.over = true;
        return vec![Effect::Quit];
    }
    let Some(first) = &mut model.first else {
        return Vec::new();
    };
    first.wrong = None;
    match (&first.step, key.code) {
        // What has begun is waited for.
        (Step::Making(_), _) => return Vec::new(),
        (Step::Offer, KeyCode::Char('q')) => {
            model.over = true;
            return vec![Effect::Quit];
        }
        (Step::Offer | Step::Failed(..), KeyCode::Esc) => {
            model.first = None;
            return Vec::new();
        }
        (Step::Failed(..) | Step::Summary, KeyCode::Enter) => return make(model),
        (_, KeyCode::Enter) => next(model),
        (_, KeyCode::Esc) => {
            first.step = match &first.step {
                Step::Offer | Step::Name => Step::Offer,
                Step::Role => Step::Name,
                Step::Ports => Step::Role,
                Step::Keys => Step::Ports,
                Step::Again | Step::Summary => {
                    first.again = crate::widgets::input::Input::default();
                    Step::Keys
                }
                other => other.clone(),
            };
        }
        (Step::Role, KeyCode::Up | KeyCode::Char('k')) => {
            first.role = first.role.saturating_sub(1);
        }
        (Step::Role, KeyCode::Down | KeyCode::Char('j')) => {
            first.role = (first.role + 1).min(ROLES.len() - 1);
        }
        (Step::Name, _) => {
            first.name.key(key);
        }
        (Step::Ports, _) => {
            first.offset.key(key);
        }
        (Step::Keys, _) => {
            first.secret.key(key);
        }
        (Step::Again, _) => {
            first.again.key(key);
        }
        (Step::Offer | Step::Role | Step::Summary | Step::Failed(..), _) => {}
    }
    Vec::new()
}

/// Takes a pasted text where one is typed.
pub(crate) fn paste(model: &mut Model, text: &str) {
    let Some(first) = &mut model.first else {
        return;
    };
    match first.step {
        Step::Name => first.name.paste(text),
        Step::Ports => first.offset.paste(text),
        Step::Keys => first.secret.paste(text),
        Step::Again => first.again.paste(text),
        _ => {}
    }
}

/// Takes the answer of a step, if it is one.
fn next(model: &mut Model) {
    let Some(first) = &mut model.first else {
        return;
    };
    let (step, wrong) = match first.step {
        Step::Offer => (Step::Name, None),
        Step::Name if is_name(&first.name.text()) => (Step::Role, None),
        Step::Name => (
            Step::Name,
            Some("a name is 1 to 40 of a-z, 0-9 and -".to_owned()),
        ),
        Step::Role => (Step::Ports, None),
        Step::Ports if first.ports().is_some() => (Step::Keys, None),
        Step::Ports => (
            Step::Ports,
            Some(format!("a number from 0 to {MOST_OFFSET}")),
        ),
        Step::Keys if first.secret.is_empty() => (Step::Summary, None),
        Step::Keys => (Step::Again, None),
        Step::Again if first.again == first.secret => (Step::Summary, None),
        Step::Again => {
            first.secret = crate::widgets::input::Input::default();
            (
                Step::Keys,
                Some("the two differ; type the passphrase again".to_owned()),
            )
        }
        Step::Summary | Step::Making(_) | Step::Failed(..) => return,
    };
    first.again = crate::widgets::input::Input::default();
    first.step = step;
    first.wrong = wrong;
}

fn make(model: &mut Model) -> Vec<Effect> {
    let Some(first) = &mut model.first else {
        return Vec::new();
    };
    let done = match &first.step {
        Step::Failed(done, _) => done.clone(),
        _ => Vec::new(),
    };
    // Sealed once is sealed.
    let wanted = !first.secret.is_empty() && !done.contains(&Done::Sealed);
    let passphrase = wanted.then(|| Passphrase(first.secret.clone().into_secret()));
    let effect = Effect::MakeChain {
        name: first.name.text(),
        role: first.role(),
        offset: first.ports().unwrap_or(0),
        passphrase,
    };
    first.step = Step::Making(Vec::new());
    vec![effect]
}

pub(crate) fn news(model: &mut Model, news: FirstNews) -> Vec<Effect> {
    let Some(first) = &mut model.first else {
        return Vec::new();
    };
    let Step::Making(done) = &mut first.step else {
        return Vec::new();
    };
    match news {
        FirstNews::Made(fresh) => {
            done.push(Done::Made);
            model.here.chain = Some(fresh.chain);
            model.here.sovereign = fresh.sovereign;
            model.here.sealed = fresh.sealed;
            model.here.users = fresh.users;
        }
        FirstNews::Sealed => {
            done.push(Done::Sealed);
            model.here.sealed = true;
            first.secret = crate::widgets::input::Input::default();
        }
        FirstNews::Started => {
            let chain = model.here.chain.clone().unwrap_or_default();
            let text = format!(
                "the chain {chain} runs; keep a copy of {}/sovereign-key.json elsewhere",
                model.here.home
            );
            model.first = None;
            model.say(Tone::Good, text);
            return crate::update::go(model, Screen::Services);
        }
        FirstNews::Failed(why) => {
            let done = std::mem::take(done);
            first.step = Step::Failed(done, why);
        }
    }
    Vec::new()
}

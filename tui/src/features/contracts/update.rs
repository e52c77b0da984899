//! The contracts are asked for when the screen opens, their sources when they come into view; and what is done in the
//! playground.

use tana_protocol::api::ledger::ContractView;
use tana_protocol::contract::MAX_SOURCE_BYTES;

use super::model::{Pane, Source, selected};
use super::playground::{Playground, Run, Text, Typing};
use crate::draft::{Draft, TEMPLATE};
use crate::effect::{Author, Effect};
use crate::keys::Action;
use crate::model::{Asked, Model, Overlay, Screen};
use crate::msg::DraftNews;
use crate::theme::Tone;
use crate::widgets::code::Code;
use crate::widgets::cursor::{Move, moved};
use crate::widgets::details::Zoom;
use crate::widgets::dialog::{Button, Dialog, Harm};
use crate::widgets::input::Input;

pub(crate) fn opened() -> Vec<Effect> {
    vec![Effect::LoadContracts]
}

pub(crate) fn answered(model: &mut Model, result: Result<Vec<ContractView>, String>) {
    match result {
        Ok(list) => {
            model.contracts.failed = None;
            model.contracts.list = Some(list);
            // What could not be read may be by now.
            let sources = &mut model.contracts.sources;
            sources.retain(|_, source| !matches!(source, Source::Failed(_)));
        }
        Err(why) => model.contracts.failed = Some(why),
    }
}

/// Asks for the source of the contract that is looked at, once.
pub(crate) fn want(model: &mut Model) -> Option<Effect> {
    if model.screen != Screen::Contracts || model.contracts.pane != Pane::List {
        return None;
    }
    let id = selected(model)?.id;
    if model.contracts.sources.contains_key(&id) {
        return None;
    }
    model.contracts.keep(id, Source::Asked);
    Some(Effect::LoadSource(id))
}

pub(crate) fn news(model: &mut Model, news: DraftNews) -> Vec<Effect> {
    match news {
        DraftNews::Source { id, result } => {
            let source = match result {
                Ok(text) => Source::Here {
                    code: Code::of(&text),
                    text,
                },
                Err(why) => Source::Failed(why),
            };
            model.contracts.keep(id, source);
        }
        DraftNews::Opened(Ok(draft)) => return edit(model, *draft),
        DraftNews::Saved(Ok((file, text))) => {
            let shown = crate::show::clean(&file.display().to_string());
            if let Some(playground) = &mut model.contracts.playground {
                playground.saved(file, &text);
            }
            model.say(Tone::Plain, format!("saved {shown}"));
        }
        DraftNews::Ran { source, result } => {
            let now = model.clock.now;
            if let Some(playground) = &mut model.contracts.playground {
                match result {
                    Ok(ran) => playground.take(*ran, &source, now),
                    Err(why) => playground.run = Run::Failed(why),
                }
            }
        }
        DraftNews::Deployed => return vec![Effect::LoadContracts],
        DraftNews::Opened(Err(why)) | DraftNews::Saved(Err(why)) => model.say(Tone::Bad, why),
    }
    Vec::new()
}

/// Whether something typed is in no file.
pub(crate) fn unsaved(model: &Model) -> Option<&Playground> {
    let playground = model.contracts.playground.as_deref();
    playground.filter(|p| p.text == Text::Changed)
}

/// What a playground without a contract is called.
const SCRATCH: &str = "scratch";

/// Opens a contract in the playground; asks first where that loses something.
fn edit(model: &mut Model, draft: Draft) -> Vec<Effect> {
    let lost = unsaved(model).map(|p| crate::show::clean(p.name()));
    let Some(lost) = lost else {
        edit_now(model, draft);
        return Vec::new();
    };
    model.overlay = Some(Overlay::Ask {
        dialog: Dialog {
            title: format!("give up {lost}"),
            body: vec![
                format!("What was changed in {lost} is in no file yet, and is lost."),
                format!("{} saves it first.", model.keys.key(Action::SaveContract)),
            ],
            safe: "keep it",
            doing: "give it up",
            chosen: Button::Safe,
            harm: Harm::Harmful,
            word: None,
        },
        effect: Effect::Edit(Box::new(draft)),
    });
    Vec::new()
}

/// The same without asking.
pub(crate) fn edit_now(model: &mut Model, draft: Draft) {
    model.contracts.playground = Some(Box::new(Playground::new(draft)));
    show(model, Typing::On);
}

fn show(model: &mut Model, typing: Typing) {
    model.screen = Screen::Contracts;
    model.zoom = Zoom::Off;
    model.contracts.pane = Pane::Playground;
    if let Some(playground) = &mut model.contracts.playground {
        playground.typing = typing;
    }
}

pub(crate) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::ReloadContracts => {
            model.contracts.sources.clear();
            vec![Effect::LoadContracts]
        }
        Action::NewContract => {
            model.overlay = Some(Overlay::Line {
                what: Asked::ContractName,
                input: Input::default(),
            });
            Vec::new()
        }
        Action::EditContract => edit_selected(model),
        Action::RunContract => run(model),
        Action::SaveContract => save(model),
        Action::DeployContract => deploy(model),
        Action::RunInput | Action::RunEntry | Action::NextAuthor => set(model, action),
        _ => Vec::new(),
    }
}

/// From the list: the contract that is selected, or a scratch. In the playground: the keys go to the editor.
fn edit_selected(model: &mut Model) -> Vec<Effect> {
    if model.contracts.in_view().is_some() {
        show(model, Typing::On);
        return Vec::new();
    }
    let Some(contract) = selected(model) else {
        if model.contracts.playground.is_some() {
            show(model, Typing::On);
        } else {
            edit_now(model, scratch());
        }
        return Vec::new();
    };
    let name = contract.name.clone();
    let same = |p: &Playground| p.name() == name;
    if model.contracts.playground.as_deref().is_some_and(same) {
        show(model, Typing::On);
        return Vec::new();
    }
    match model.contracts.sources.get(&contract.id) {
        Some(Source::Here { text, .. }) => {
            let draft = Draft {
                version: Some(contract.version.clone()),
                description: contract.description.clone(),
                file: None,
                source: text.clone(),
                name,
            };
            edit(model, draft)
        }
        Some(Source::Failed(why)) => {
            let text = format!("the source of {name} cannot be read: {why}");
            model.say(Tone::Warn, text);
            Vec::new()
        }
        Some(Source::Asked) | None => {
            model.say(
                Tone::Plain,
                "the source is being read; try again in a moment",
            );
            Vec::new()
        }
    }
}

fn scratch() -> Draft {
    Draft {
        name: SCRATCH.to_owned(),
        version: None,
        description: None,
        file: None,
        source: TEMPLATE.to_owned(),
    }
}

fn run(model: &mut Model) -> Vec<Effect> {
    if model.contracts.in_view().is_none() {
        let effects = edit_selected(model);
        if model.contracts.in_view().is_none() {
            return effects;
        }
        show(model, Typing::Off);
    }
    let Some(playground) = &mut model.contracts.playground else {
        return Vec::new();
    };
    if playground.run == Run::Running {
        return Vec::new();
    }
    let source = playground.source();
    if source.len() > MAX_SOURCE_BYTES {
        let text = format!(
            "{} bytes; a contract may have {MAX_SOURCE_BYTES}: split it up",
            source.len()
        );
        model.say(Tone::Warn, text);
        return Vec::new();
    }
    playground.run = Run::Running;
    vec![Effect::RunContract {
        source,
        input: playground.input.clone(),
        entry: playground.entry,
    }]
}

fn save(model: &mut Model) -> Vec<Effect> {
    let Some(playground) = model.contracts.in_view() else {
        return Vec::new();
    };
    match playground.file() {
        Some(file) => vec![Effect::SaveContract {
            file: file.to_owned(),
            text: playground.source(),
            own: true,
        }],
        None => {
            let proposed = format!("{}.ts", playground.name());
            model.overlay = Some(Overlay::Line {
                what: Asked::SaveAs,
                input: Input::new(&proposed),
            });
            Vec::new()
        }
    }
}

fn set(model: &mut Model, action: Action) -> Vec<Effect> {
    let authors = authors(model).len();
    let Some(playground) = model
        .contracts
        .playground
        .as_deref_mut()
        .filter(|_| model.contracts.pane == Pane::Playground)
    else {
        return Vec::new();
    };
    match action {
        Action::RunEntry => playground.entry = playground.entry.next(),
        Action::NextAuthor => playground.author = (playground.author + 1) % authors,
        _ => {
            let known = playground.input.as_ref().map(ToString::to_string);
            model.overlay = Some(Overlay::Line {
                what: Asked::RunInput,
                input: Input::new(known.as_deref().unwrap_or("{}")),
            });
        }
    }
    Vec::new()
}

/// Those who can sign a deployment here: the sovereign, then the users whose keys are in this home.
pub(crate) fn authors(model: &Model) -> Vec<Author> {
    let users = model.here.users.iter().cloned().map(Author::User);
    std::iter::once(Author::Sovereign(None))
        .chain(users)
        .collect()
}

/// The one who is to.
pub(crate) fn author(model: &Model, playground: &Playground) -> Author {
    let mut authors = authors(model);
    let at = playground.author % authors.len();
    authors.swap_remove(at)
}

fn deploy(model: &mut Model) -> Vec<Effect> {
    let Some(playground) = model.contracts.in_view() else {
        let text = format!(
            "{} opens the contract first",
            model.keys.key(Action::EditContract)
        );
        model.say(Tone::Plain, text);
        return Vec::new();
    };
    let draft = playground.draft();
    let author = author(model, playground);
    let name = crate::show::clean(&draft.name);
    if let Err(error) = draft.deployment() {
        model.say(Tone::Warn, format!("{error:#}"));
        return Vec::new();
    }
    let known = model.contracts.list.iter().flatten();
    let before = known
        .filter(|c| c.name == draft.name && c.is_active)
        .map(|c| c.version.clone())
        .next();
    let version = draft.version.as_deref().unwrap_or("without a version");
    let mut body = vec![format!(
        "{name} ({}, {} bytes) goes onto the chain {} for good: everybody can read and call it.",
        crate::show::clean(version),
        draft.source.len(),
        model.here.chain.as_deref().unwrap_or("of this node"),
    )];
    if let Some(before) = before {
        body.push(format!(
            "A contract {name} is there already ({}): this one is another, and answers to the name if its owner is the same.",
            crate::show::clean(&before)
        ));
    }
    body.push(String::new());
    body.push(format!("Signed by {author}."));
    model.overlay = Some(Overlay::Ask {
        dialog: Dialog {
            title: format!("deploy {name}"),
            body,
            safe: "not now",
            doing: "deploy",
            chosen: Button::Safe,
            harm: Harm::None,
            word: None,
        },
        effect: Effect::DeployContract {
            draft: Box::new(draft),
            author,
        },
    });
    Vec::new()
}

/// Takes a line that was asked for.
pub(crate) fn line(model: &mut Model, what: &Asked, text: &str) -> Vec<Effect> {
    let text = text.trim();
    match what {
        Asked::ContractName => vec![Effect::NewContract {
            name: text.to_owned(),
        }],
        Asked::SaveAs => {
            let Some(playground) = &model.contracts.playground else {
                return Vec::new();
            };
            vec![Effect::SaveContract {
                file: text.into(),
                text: playground.source(),
                own: false,
            }]
        }
        Asked::RunInput => {
            let Some(playground) = &mut model.contracts.playground else {
                return Vec::new();
            };
            match serde_json::from_str(text) {
                _ if text.is_empty() => playground.input = None,
                Ok(value) => playground.input = Some(value),
                Err(error) => {
                    let text = format!("that is no JSON ({error}); such as {{\"to\": \"bob\"}}");
                    model.say(Tone::Warn, text);
                }
            }
            Vec::new()
        }
    }
}

/// Back from what is in view. Answers whether there was something to go back from.
pub(crate) fn back(model: &mut Model) -> bool {
    let there = model.screen == Screen::Contracts && model.contracts.in_view().is_some();
    if there {
        model.contracts.pane = Pane::List;
    }
    there
}

/// Moves in the list, in a source that has the whole screen, or in the results.
pub(crate) fn go(model: &mut Model, by: Move) {
    let page = model.page;
    if let Some(playground) = &mut model.contracts.playground
        && model.contracts.pane == Pane::Playground
    {
        // The view stops at the last line.
        playground.scroll = moved(playground.scroll, LINES, page, by);
        return;
    }
    if model.zoom == Zoom::On {
        let lines = selected(model)
            .and_then(|c| match model.contracts.sources.get(&c.id) {
                Some(Source::Here { code, .. }) => Some(code.len()),
                _ => None,
            })
            .unwrap_or(0);
        model.contracts.scroll = moved(model.contracts.scroll, lines, page, by);
        return;
    }
    model.contracts.scroll = 0;
    let keys = super::model::keys(model);
    model.contracts.cursor.go(&keys, page, by);
}

/// More lines than a run can show.
const LINES: usize = 100_000;

//! The playground: who has the keys, what is run, saved and deployed, and that nothing typed is lost unasked.

use super::{press, typed};
use crate::draft::{Draft, TEMPLATE};
use crate::effect::{Author, Effect, Reach};
use crate::features::contracts::model::{Pane, Source};
use crate::features::contracts::playground::{Entry, Run, Text, Typing};
use crate::model::fixture::{busy, contracts, ran};
use crate::model::{Model, Overlay, Screen};
use crate::msg::{ChainNews, DraftNews, Msg};
use crate::theme::Caps;
use crate::update::{go, update};

fn listed() -> Model {
    let mut model = busy(Caps::default());
    go(&mut model, Screen::Contracts);
    let list = Ok(contracts());
    let effects = update(&mut model, Msg::Chain(ChainNews::Contracts(list)));
    assert!(
        matches!(effects.as_slice(), [Effect::LoadSource(_)]),
        "the source of what is looked at is read: {effects:?}"
    );
    model
}

fn with_source() -> Model {
    let mut model = listed();
    let id = contracts()[0].id;
    let result = Ok(TEMPLATE.to_owned());
    update(&mut model, Msg::Draft(DraftNews::Source { id, result }));
    model
}

fn control(model: &mut Model, c: char) -> Vec<Effect> {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    let key = KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
    update(model, Msg::Key(key))
}

fn function(model: &mut Model, n: u8) -> Vec<Effect> {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    update(
        model,
        Msg::Key(KeyEvent::new(KeyCode::F(n), KeyModifiers::NONE)),
    )
}

#[test]
fn a_source_is_asked_for_once_and_again_after_a_reload() {
    let mut model = listed();
    assert!(update(&mut model, Msg::Wake).is_empty());
    let effects = press(&mut model, "Down");
    assert!(matches!(effects.as_slice(), [Effect::LoadSource(id)] if *id == contracts()[1].id));
    let effects = press(&mut model, "r");
    assert!(effects.contains(&Effect::LoadContracts));
    assert!(
        effects.iter().any(|e| matches!(e, Effect::LoadSource(_))),
        "{effects:?}"
    );
}

#[test]
fn while_one_types_every_letter_is_text_and_esc_gives_the_keys_back() {
    let mut model = with_source();
    press(&mut model, "e");
    let editor = |model: &Model| model.contracts.in_view().unwrap().source();
    typed(&mut model, "1q:x!D");
    assert_eq!(model.screen, Screen::Contracts);
    assert!(!model.over);
    assert!(editor(&model).starts_with("1q:x!D"), "{}", editor(&model));
    assert_eq!(model.contracts.in_view().unwrap().text, Text::Changed);
    press(&mut model, "Esc");
    press(&mut model, "1");
    assert_eq!(model.screen, Screen::Services);
    press(&mut model, "6 Esc");
    assert_eq!(model.contracts.pane, Pane::List, "out of the playground");
    press(&mut model, "e");
    assert!(
        editor(&model).starts_with("1q:x!D"),
        "what was typed is still there"
    );
}

#[test]
fn a_paste_goes_into_the_editor_without_what_drives_terminals() {
    let mut model = with_source();
    press(&mut model, "e");
    update(&mut model, Msg::Paste("let a = 1;\r\n\u{1b}[31m".into()));
    let source = model.contracts.in_view().unwrap().source();
    assert!(source.starts_with("let a = 1;\n[31m"), "{source}");
}

#[test]
fn a_run_gives_gas_by_line_until_the_text_changes() {
    let mut model = with_source();
    press(&mut model, "e");
    let effects = function(&mut model, 5);
    let [
        Effect::RunContract {
            source,
            input: None,
            entry: Entry::Auto,
        },
    ] = effects.as_slice()
    else {
        panic!("{effects:?}")
    };
    assert_eq!(effects[0].reach(), Reach::Reads, "it reaches no chain");
    assert!(function(&mut model, 5).is_empty(), "one at a time");
    let (source, result) = (source.clone(), Ok(Box::new(ran())));
    update(&mut model, Msg::Draft(DraftNews::Ran { source, result }));
    let playground = model.contracts.in_view().unwrap();
    assert!(matches!(playground.run, Run::Ended(..)));
    assert_eq!(playground.gas[&10], 34);
    typed(&mut model, " ");
    assert!(model.contracts.in_view().unwrap().gas.is_empty());
}

#[test]
fn a_failed_run_puts_the_cursor_where_it_failed() {
    let mut model = with_source();
    press(&mut model, "e Esc x");
    let source = model.contracts.in_view().unwrap().source();
    let mut failed = ran();
    failed.outcome.success = false;
    failed.outcome.error = serde_json::from_value(serde_json::json!({
        "code": "threw", "message": "no", "line": 6, "column": 3
    }))
    .unwrap();
    let result = Ok(Box::new(failed));
    update(&mut model, Msg::Draft(DraftNews::Ran { source, result }));
    let cursor = model.contracts.in_view().unwrap().editor.cursor();
    assert_eq!((cursor.0, cursor.1), (5, 2));
}

#[test]
fn input_must_be_json_and_the_entry_goes_round() {
    let mut model = with_source();
    press(&mut model, "e Esc I");
    assert!(matches!(model.overlay, Some(Overlay::Line { .. })));
    typed(&mut model, "}{");
    press(&mut model, "Enter");
    assert!(model.notice.as_ref().unwrap().text.contains("no JSON"));
    press(&mut model, "I");
    control(&mut model, 'u');
    typed(&mut model, "{\"to\":\"bob\"}");
    press(&mut model, "Enter o x");
    let playground = model.contracts.in_view().unwrap();
    assert_eq!(playground.input, Some(serde_json::json!({"to": "bob"})));
    assert_eq!(playground.entry, Entry::Init);
}

#[test]
fn saving_asks_where_once_and_never_takes_anothers_file() {
    let mut model = with_source();
    press(&mut model, "e");
    assert!(control(&mut model, 's').is_empty(), "asked where first");
    let effects = press(&mut model, "Enter");
    let [Effect::SaveContract { file, text, own }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!((file.to_str().unwrap(), *own), ("counter.ts", false));
    let saved = (file.clone(), text.clone());
    update(&mut model, Msg::Draft(DraftNews::Saved(Ok(saved))));
    assert_eq!(model.contracts.in_view().unwrap().text, Text::Saved);
    typed(&mut model, "// ");
    let effects = control(&mut model, 's');
    assert!(
        matches!(effects.as_slice(), [Effect::SaveContract { own: true, .. }]),
        "{effects:?}"
    );
}

#[test]
fn what_is_in_no_file_is_given_up_only_when_asked() {
    let mut model = with_source();
    press(&mut model, "e");
    typed(&mut model, "// mine");
    press(&mut model, "Esc");
    let draft = Draft {
        name: "other".into(),
        version: None,
        description: None,
        file: None,
        source: TEMPLATE.into(),
    };
    let opened = || Msg::Draft(DraftNews::Opened(Ok(Box::new(draft.clone()))));
    update(&mut model, opened());
    assert!(matches!(model.overlay, Some(Overlay::Ask { .. })));
    press(&mut model, "Enter");
    assert_eq!(model.contracts.in_view().unwrap().name(), "counter");
    assert!(press(&mut model, "q").is_empty() && !model.over, "asks");
    press(&mut model, "n");
    update(&mut model, opened());
    press(&mut model, "y");
    assert_eq!(model.contracts.in_view().unwrap().name(), "other");
    press(&mut model, "Esc q y");
    assert!(model.over, "left after the answer");
}

#[test]
fn deploying_asks_names_who_signs_and_wants_the_passphrase_of_a_sealed_key() {
    let mut model = with_source();
    model.here.sealed = true;
    press(&mut model, "e Esc");
    assert!(press(&mut model, "D").is_empty());
    assert!(
        matches!(&model.overlay, Some(Overlay::Ask { dialog, .. }) if dialog.title == "deploy counter"
            && dialog.body.iter().any(|l| l == "Signed by the sovereign."))
    );
    assert!(press(&mut model, "y").is_empty(), "the passphrase first");
    typed(&mut model, "sesame");
    let effects = press(&mut model, "Enter");
    assert!(
        matches!(
            effects.as_slice(),
            [Effect::DeployContract {
                author: Author::Sovereign(Some(_)),
                ..
            }]
        ),
        "{effects:?}"
    );
    assert_eq!(effects[0].reach(), Reach::Changes);
    assert!(!format!("{effects:?}").contains("sesame"));
    let effects = press(&mut model, "u D y");
    assert!(
        matches!(effects.as_slice(), [Effect::DeployContract { author: Author::User(name), .. }] if name == "alice"),
        "{effects:?}"
    );
}

#[test]
fn without_a_contract_there_is_a_scratch_to_try_things_in() {
    let mut model = busy(Caps::default());
    go(&mut model, Screen::Contracts);
    update(&mut model, Msg::Chain(ChainNews::Contracts(Ok(Vec::new()))));
    press(&mut model, "e");
    let playground = model.contracts.in_view().unwrap();
    assert_eq!(playground.typing, Typing::On);
    assert_eq!(playground.source(), TEMPLATE);
    press(&mut model, "Esc n");
    typed(&mut model, "raffle");
    let effects = press(&mut model, "Enter");
    assert_eq!(
        effects,
        [Effect::NewContract {
            name: "raffle".into()
        }]
    );
}

#[test]
fn a_source_that_cannot_be_read_says_why() {
    let mut model = listed();
    let id = contracts()[0].id;
    let result = Err("503".to_owned());
    update(&mut model, Msg::Draft(DraftNews::Source { id, result }));
    assert!(matches!(
        model.contracts.sources[&id],
        Source::Failed(ref why) if why == "503"
    ));
    press(&mut model, "e");
    assert!(model.contracts.in_view().is_none());
    assert!(model.notice.as_ref().unwrap().text.contains("503"));
}

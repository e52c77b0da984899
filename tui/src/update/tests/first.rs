//! The first run: every step forward and back, and what comes of the last.

use super::{press, typed};
use crate::effect::{Effect, Reach};
use crate::features::first;
use crate::features::first::model::{Done, Fresh, Step};
use crate::model::fixture::empty;
use crate::model::{Model, Screen};
use crate::msg::{FirstNews, Msg};
use crate::theme::Caps;
use crate::update::update;
use tana_protocol::service::NodeRole;

fn offered() -> Model {
    let mut model = empty(Caps::default());
    model.here.chain = None;
    model.first = Some(first::Model::default());
    model
}

fn step(model: &Model) -> &Step {
    &model.first.as_ref().unwrap().step
}

fn erase(model: &mut Model) {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    let key = KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL);
    update(model, Msg::Key(key));
}

#[test]
fn step_by_step_to_what_is_made() {
    let mut model = offered();
    press(&mut model, "Enter");
    erase(&mut model);
    typed(&mut model, "My Chain");
    press(&mut model, "Enter");
    assert_eq!(*step(&model), Step::Name, "that is no name");
    assert!(model.first.as_ref().unwrap().wrong.is_some());
    erase(&mut model);
    typed(&mut model, "fra-1");
    press(&mut model, "Enter Down Enter");
    erase(&mut model);
    typed(&mut model, "60000");
    press(&mut model, "Enter");
    assert_eq!(*step(&model), Step::Ports, "beyond every port");
    erase(&mut model);
    typed(&mut model, "100");
    press(&mut model, "Enter");
    assert_eq!(*step(&model), Step::Keys);
    typed(&mut model, "open sesame");
    press(&mut model, "Enter");
    typed(&mut model, "open");
    press(&mut model, "Enter");
    assert_eq!(*step(&model), Step::Keys, "the two differ");
    typed(&mut model, "open sesame");
    press(&mut model, "Enter");
    typed(&mut model, "open sesame");
    press(&mut model, "Enter");
    assert_eq!(*step(&model), Step::Summary);
    let effects = press(&mut model, "Enter");
    let [
        Effect::MakeChain {
            name,
            role,
            offset,
            passphrase: Some(_),
        },
    ] = effects.as_slice()
    else {
        panic!("{effects:?}")
    };
    assert_eq!(
        (name.as_str(), *role, *offset),
        ("fra-1", NodeRole::Validator, 100)
    );
    assert_eq!(effects[0].reach(), Reach::Changes);
    assert!(!format!("{effects:?}{:?}", Msg::Wake).contains("sesame"));
}

#[test]
fn it_ends_on_services_and_the_console_knows_the_chain() {
    let mut model = offered();
    press(&mut model, "Enter Enter Enter Enter Enter Enter");
    assert_eq!(*step(&model), Step::Making(Vec::new()));
    assert!(press(&mut model, "Esc x").is_empty(), "it is waited for");
    let fresh = Fresh {
        chain: "demo".into(),
        sovereign: None,
        sealed: false,
        users: vec!["sovereign".into()],
    };
    update(&mut model, Msg::First(FirstNews::Made(Box::new(fresh))));
    assert_eq!(*step(&model), Step::Making(vec![Done::Made]));
    update(&mut model, Msg::First(FirstNews::Started));
    assert!(model.first.is_none());
    assert_eq!(model.screen, Screen::Services);
    assert_eq!(model.here.chain.as_deref(), Some("demo"));
    let said = &model.notice.as_ref().unwrap().text;
    assert!(said.contains("copy of") && said.contains("sovereign-key.json"));
}

#[test]
fn what_failed_is_said_and_can_be_tried_again() {
    let mut model = offered();
    press(&mut model, "Enter Enter Enter Enter Enter Enter");
    let failed = || Msg::First(FirstNews::Failed("port 8080 is taken".into()));
    update(&mut model, failed());
    assert!(matches!(step(&model), Step::Failed(_, why) if why.contains("8080")));
    assert!(matches!(
        press(&mut model, "Enter").as_slice(),
        [Effect::MakeChain { .. }]
    ));
    update(&mut model, failed());
    press(&mut model, "Esc");
    assert!(model.first.is_none(), "to the console");
}

#[test]
fn esc_goes_back_a_step_and_at_last_to_the_console() {
    let mut model = offered();
    press(&mut model, "Enter Enter Enter Enter");
    assert_eq!(*step(&model), Step::Keys);
    press(&mut model, "Esc Esc Esc Esc");
    assert_eq!(*step(&model), Step::Offer);
    press(&mut model, "Esc");
    assert!(model.first.is_none());
    let mut model = offered();
    assert_eq!(press(&mut model, "q"), [Effect::Quit]);
    assert!(model.over);
}

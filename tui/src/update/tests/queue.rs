//! Dead letters: what may be done with them, and that nothing is deleted by one key.

use super::{press, typed};
use crate::effect::{Effect, Reach};
use crate::features::queue::model::{Asked, Entry, selected};
use crate::model::fixture::{busy, queue};
use crate::model::{Mode, Model, Screen};
use crate::msg::{ChainNews, Msg};
use crate::theme::Caps;
use crate::update::{go, update};

fn shown() -> Model {
    let mut model = busy(Caps::default());
    go(&mut model, Screen::Queue);
    let found = Ok(Box::new(queue()));
    update(&mut model, Msg::Chain(ChainNews::Queue(found)));
    model
}

#[test]
fn what_wants_a_decision_stands_first_then_what_waits_longest() {
    let model = shown();
    assert!(matches!(selected(&model), Some(Entry::Dead(_))));
    let rows = crate::features::queue::model::rows(&model);
    let times: Vec<_> = rows[1..].iter().map(Entry::since).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn a_letter_is_queued_again_after_a_question() {
    let mut model = shown();
    assert!(press(&mut model, "a").is_empty());
    assert!(press(&mut model, "Enter").is_empty(), "the safe answer");
    let effects = press(&mut model, "a y");
    assert_eq!(effects, [Effect::RetryLetter(queue().dead[0].id)]);
    assert_eq!(effects[0].reach(), Reach::Changes);
}

#[test]
fn a_letter_is_dropped_only_when_its_end_is_typed() {
    let mut model = shown();
    assert!(press(&mut model, "d y Enter").is_empty(), "y is no answer");
    press(&mut model, "Esc");
    assert!(model.overlay.is_none());
    press(&mut model, "d");
    let id = queue().dead[0].id;
    let text = id.to_string();
    typed(&mut model, &text[text.len() - 4..]);
    assert_eq!(press(&mut model, "Enter"), [Effect::DropLetter(id)]);
}

#[test]
fn what_waits_is_neither_dropped_nor_queued_again() {
    let mut model = shown();
    press(&mut model, "Down");
    assert!(press(&mut model, "d").is_empty() && model.overlay.is_none());
    assert!(press(&mut model, "a").is_empty() && model.overlay.is_none());
    let mut model = shown();
    model.mode = Mode::ReadOnly;
    assert!(press(&mut model, "d").is_empty() && model.overlay.is_none());
}

#[test]
fn what_changed_while_an_answer_was_on_its_way_is_asked_for_again() {
    let mut model = shown();
    let length = |n| Msg::Chain(ChainNews::QueueLength(n));
    assert_eq!(update(&mut model, length(7)), [Effect::LoadQueue]);
    assert!(update(&mut model, length(8)).is_empty());
    assert_eq!(model.queue.asked, Asked::Again);
    let found = Ok(Box::new(queue()));
    let effects = update(&mut model, Msg::Chain(ChainNews::Queue(found)));
    assert_eq!(effects, [Effect::LoadQueue]);
}

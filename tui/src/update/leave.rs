//! What is asked before this model is left behind.

use crate::effect::Effect;
use crate::features::contracts::update::unsaved;
use crate::model::{Model, Overlay};
use crate::show::clean;
use crate::widgets::dialog::{Button, Dialog, Harm};

/// Leaves, by ending or by turning to another node; asks first where that loses something.
pub(crate) fn leave(model: &mut Model, effect: Effect) -> Vec<Effect> {
    let (title, body) = if let Some(playground) = unsaved(model) {
        let name = clean(playground.name());
        let lost = format!("What was changed in {name} is in no file yet, and is lost.");
        (format!("leave, and give up {name}"), lost)
    } else if let Some(waiting) = model.waiting.first() {
        let what = clean(&waiting.what);
        let lost = "It is under way: whoever leaves now does not hear what became of it, and \
                    what is not sent yet is not done.";
        (format!("leave during: {what}"), lost.to_owned())
    } else {
        return vec![effect];
    };
    model.overlay = Some(Overlay::Ask {
        dialog: Dialog {
            title,
            body: vec![body],
            safe: "stay",
            doing: "leave",
            chosen: Button::Safe,
            harm: Harm::Harmful,
            word: None,
        },
        effect,
    });
    Vec::new()
}

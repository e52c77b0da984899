//! What can be done and with which key: one `Action` feeds keymap, palette, help and footer.
//! What an action does is `update`'s.

pub(crate) mod action;
pub(crate) mod chord;
pub(crate) mod keymap;

pub(crate) use action::{Action, Scope};
pub(crate) use chord::Chord;
pub(crate) use keymap::Keymap;

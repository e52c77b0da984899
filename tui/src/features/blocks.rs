//! The screen Blocks.

mod checks;
mod detail;
pub(crate) mod model;
pub(crate) mod update;
pub(crate) mod view;

pub(crate) use model::Model;

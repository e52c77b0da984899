//! The screen Logs.

pub(crate) mod model;
mod store;
pub(crate) mod update;
pub(crate) mod view;

pub(crate) use model::Model;

//! The screen Content: what the chain refers to, and whether this node has it.

pub(crate) mod model;
pub(crate) mod update;
pub(crate) mod view;

pub(crate) use model::Model;

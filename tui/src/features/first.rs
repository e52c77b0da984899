//! The first run: a home without a chain is offered one, step by step, and ends on a node at work.

pub(crate) mod model;
pub(crate) mod update;
pub(crate) mod view;

pub(crate) use model::Model;

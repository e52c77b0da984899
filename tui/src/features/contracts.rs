//! Screen 6: the deployed contracts with their sources, and the playground where one is written, run and deployed.

pub(crate) mod model;
pub(crate) mod playground;
pub(crate) mod typing;
pub(crate) mod update;
pub(crate) mod view;

pub(crate) use model::Model;

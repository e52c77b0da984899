//! The daemons over real HTTP.
#![allow(clippy::unwrap_used)]

mod daemon;
mod mesh;
mod node;
mod supervisor;
mod t4;

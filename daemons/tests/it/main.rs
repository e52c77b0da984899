//! The daemons over real HTTP.
#![allow(clippy::unwrap_used)]

mod daemon;
mod identity;
mod mesh;
mod node;
mod peer;
mod supervisor;
mod t4;

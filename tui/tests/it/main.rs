//! The program `tana` as a person or a script runs it, without a node. With a running node: `xtask/tests`.
#![allow(clippy::unwrap_used)]

mod console;
mod keys;
mod misuse;
mod program;
mod without_node;

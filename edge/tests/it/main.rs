//! The edge over real HTTP: the binary, its worker processes, contracts in a directory.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod answers;
mod directory;
mod harness;

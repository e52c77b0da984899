//! The runtime as its users see it: the binary, and a pool of its workers. Everything runs on the real engine.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod determinism;
mod generated;
mod generator;
mod harness;
mod hostile;
mod modules;
mod run;
mod worker;

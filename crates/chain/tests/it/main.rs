//! The chain's rules from outside: genesis, execution, roots, proofs, verification.
#![allow(clippy::unwrap_used)]

mod blocks;
mod contracts;
mod properties;
mod rules;
mod world;

//! Integration tests of the protocol crate.

#![allow(clippy::unwrap_used)]

mod properties;
mod vectors;

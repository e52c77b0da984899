//! The kit over real HTTP: what every daemon answers alike.
#![allow(clippy::unwrap_used)]

mod daemon;
mod http;
mod live;
mod places;
mod secrets;
mod tokens;
mod vanished;

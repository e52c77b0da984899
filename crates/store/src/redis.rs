//! Redis as this crate uses it: one connection that comes back by itself, scripts that change several keys at once, and
//! what the server is known to keep when the power fails.
//!
//! The queue's own commands are in `queue`, the form of its entries in `fields`, what is answered in `answers`, its scripts
//! in `scripts`.

mod answers;
mod fields;
mod link;
mod queue;
mod scripts;

pub use queue::RedisQueue;

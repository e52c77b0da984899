//! The headless daemons of a node, a module each. `main.rs` is the program `tanad` around them.
//!
//! What they do alike is in `tana-kit`; SQL is in `tana-store`; chain rules are in `tana-chain`.

mod content;
pub mod contracts;
pub mod identity;
pub mod ledger;
pub mod mesh;
pub mod node;
pub mod producer;
mod queue;
pub mod service_keys;
mod store_error;
pub mod t4;

pub use content::ContentPeers;

/// The version that every daemon says it has.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

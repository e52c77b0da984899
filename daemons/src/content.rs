//! Content from other nodes: who has a store and how fast it is reached (`peers`), and one content's bytes from them,
//! resumed where a node fails (`fetch`). Used by the ledger, which knows what is referenced, and by t4, which knows
//! what has rotted.

mod fetch;
mod peers;

pub(crate) use fetch::{Progress, download};
pub use peers::ContentPeers;
pub(crate) use peers::Peer;

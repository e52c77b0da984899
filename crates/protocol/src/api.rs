//! Bodies of every endpoint (wire.md), a module a daemon.
//!
//! A daemon may answer more fields than a client here knows; unknown fields are ignored.

pub mod approval;
pub mod content;
pub mod health;
pub mod identity;
pub mod ledger;
pub mod mesh;
pub mod node;

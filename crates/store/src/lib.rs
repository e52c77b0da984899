//! Narrow traits over what a node keeps, their error type, the conformance suites that every backend passes, and
//! the backends, a module each.
//!
//! No chain rule and no HTTP. Methods are whole transactions and batches; no handle of a database leaks out.
#![warn(missing_docs)]

pub mod error;
pub mod identity;
pub mod ledger;
pub mod mesh;
pub mod postgres;
pub mod queue;
pub mod redis;
pub mod sqlite;

pub use error::{StoreError, StoreResult};

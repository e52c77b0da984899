//! What every node must compute alike: validate, apply, roots, proofs, verify.
//!
//! No clock, no randomness, no floats, no hash-map iteration, no IO. Whoever calls hands in the time and the part of
//! the state and of the tree that is needed; [`plan`] and [`tree`] say which part that is.
#![warn(missing_docs)]

pub mod block;
pub mod contract;
pub mod execute;
pub mod gas;
pub mod genesis;
pub mod light;
pub mod merkle;
pub mod plan;
pub mod rules;
pub mod signatures;
pub mod state;
pub mod tree;
pub mod verify;

pub use block::{BlockPlan, SealError, seal};
pub use contract::{ContractHost, Contracts};
pub use execute::{Execution, Executor, Outcome, Prepared};
pub use genesis::{Genesis, genesis};
pub use rules::Failure;
pub use state::{Changes, MemoryState, StateError, StateReader};
pub use tree::{TreeError, TreeNodes, TreeUpdate};
pub use verify::{Judged, verify, verify_genesis};

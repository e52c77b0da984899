//! What crosses a process boundary: keys, signatures, canonical messages, ids, amounts, transactions,
//! blocks, API types, service tokens and error codes.
//!
//! No IO, no clock, no chain rules. A type here parses once, at the boundary; what it holds afterwards is valid.
#![warn(missing_docs)]

pub mod address;
pub mod amount;
pub mod api;
pub mod block;
pub mod contract;
pub mod decision;
pub mod decisions;
pub mod genesis;
pub mod hash;
pub mod id;
pub mod json;
pub mod key;
pub mod login;
pub mod message;
pub mod node;
pub mod problem;
pub mod range;
pub mod service;
pub mod stake;
pub mod state;
pub mod time;
pub mod token;
pub mod transaction;

pub use address::{Address, Network};
pub use amount::{Amount, AmountError, CurrencyCode, Decimals};
pub use block::{Block, BlockHeader, Receipt, StateChange, UnsignedBlock};
pub use genesis::ChainSpec;
pub use hash::Hash32;
pub use id::{ContractId, ContractName, NodeId, TransactionId, UserId, Username};
pub use key::{PublicKey, SecretKey, Signature};
pub use problem::{Code, Problem};
pub use service::ServiceKind;
pub use state::{StateKey, StateValue};
pub use time::Timestamp;
pub use token::ServiceToken;
pub use transaction::{Party, Role, SignedTransaction, Transaction, TransactionType};

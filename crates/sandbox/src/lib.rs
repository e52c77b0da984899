//! What a host of contracts needs, and no engine: the messages with the worker processes, the pool that keeps these
//! alive, and the requests that it makes on a contract's behalf. What runs in such a process is in `runtime`.
#![warn(missing_docs)]

pub mod fetch;
pub mod message;
pub mod pool;

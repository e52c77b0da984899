//! What crosses the border between a host (ledger, edge, command line) and a worker: one JSON message a line.
//! No engine here: the daemons use these types without linking one.

mod failure;
mod http;
mod invocation;
mod outcome;
mod wire;

pub use failure::{ErrorCode, Failure};
pub use http::{Body, HttpRequest, HttpResponse};
pub use invocation::{
    Authority, BlockContext, Entry, EntryName, Exports, Invocation, Limits, Metered, User,
};
pub use outcome::{Change, LogLevel, LogLine, Outcome, Usage};
pub use wire::{FromWorker, Question, ToWorker};

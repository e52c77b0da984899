//! What crosses the border between a host (ledger, edge, command line) and a worker: one JSON message a line.

mod failure;
mod http;
mod invocation;
mod outcome;
mod wire;

pub use failure::{ErrorCode, Failure};
pub use http::{Body, HttpRequest, HttpResponse, Part};
pub use invocation::{
    Authority, BlockContext, Entry, EntryName, Exports, Invocation, Limits, Metered, User,
};
pub use outcome::{Change, LogLevel, LogLine, Outcome, Usage};
pub use wire::{FromWorker, NO_MEANS, Question, ToWorker};

//! The clients against a real HTTP server on a free port, and on a Unix socket.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "the test's server ends with the test's runtime"
)]

mod events;
mod requests;
mod server;

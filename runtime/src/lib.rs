//! Runs contracts: TypeScript in, changes and receipts out, in an isolate that is made for one execution.
//!
//! Without an engine feature this crate is what a host needs: the messages and the pool of worker processes. With
//! `v8` or `quickjs` it also compiles and runs; with `compile` alone it compiles.

pub mod fetch;
pub mod message;
pub mod pool;

#[cfg(feature = "compile")]
pub mod compile;
#[cfg(any(feature = "v8", feature = "quickjs"))]
pub mod engine;
#[cfg(any(feature = "v8", feature = "quickjs"))]
pub mod host;
#[cfg(feature = "compile")]
pub mod regexp;
#[cfg(any(feature = "v8", feature = "quickjs"))]
pub mod sandbox;
#[cfg(any(feature = "v8", feature = "quickjs"))]
pub mod worker;

#[cfg(any(feature = "v8", feature = "quickjs"))]
pub(crate) const DENO_CORE_VERSION: &str = "0.413.0";

//! Runs contracts: TypeScript in, changes and receipts out, in an isolate that is made for one execution. What a host
//! of contracts needs is in `tana-sandbox`. Without an engine, with the feature `compile` alone, it compiles.

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

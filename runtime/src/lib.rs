//! Runs contracts: TypeScript in, changes and receipts out, in an isolate that is made for one execution. What a host
//! of contracts needs without an engine is in `tana-sandbox`.

#[cfg(not(any(feature = "v8", feature = "quickjs")))]
compile_error!("choose an engine: the feature `v8`, which is the default, or `quickjs`");

pub mod compile;
pub mod engine;
pub mod host;
mod regexp;
pub mod sandbox;
pub mod worker;

pub(crate) const DENO_CORE_VERSION: &str = "0.413.0";

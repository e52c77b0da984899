//! What every daemon does alike: telemetry, readiness, HTTP serving, problem+json, live events, service tokens,
//! rate limits, supervised tasks and graceful shutdown.
//!
//! No endpoint of a daemon lives here, no SQL, no chain rule. Files and settings of a node are `tana-home`'s.
#![warn(missing_docs)]

pub mod auth;
pub mod clock;
mod detached;
mod document;
pub mod error;
pub mod events;
pub mod extract;
pub mod http;
pub mod listen;
pub mod metrics;
pub mod page;
pub mod places;
pub mod rate;
pub mod readiness;
pub mod retry;
mod serve;
pub mod service;
pub mod shutdown;
mod stalled;
pub mod tasks;
pub mod telemetry;
pub mod wire;

pub use auth::{Caller, ServiceGuard, ServiceKeys};
pub use clock::{Clock, SystemClock};
pub use error::{ApiError, ApiResult};
pub use events::{EventHub, LastEventId};
pub use extract::{Json, JsonText, Path, Query};
pub use page::{PageQuery, Paged};
pub use readiness::{Check, Readiness};
pub use retry::Backoff;
pub use service::{App, Context, ServiceSpec, run_service};
pub use shutdown::Shutdown;
pub use tasks::Tasks;
pub use wire::Wire;

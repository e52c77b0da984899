//! The JavaScript engine: one fresh isolate for each execution, through `deno_core`'s facade (V8, or QuickJS by
//! feature). Nothing outside this module names an engine.

mod execute;
mod failure;
#[cfg(feature = "v8")]
mod forkable;
mod isolate;
mod loader;
mod math;
mod ops;
mod patterns;
mod state;
#[cfg(feature = "v8")]
mod text;
mod watchdog;
mod zygote;

use std::rc::Rc;

pub use isolate::{Engine, Isolate};
pub use watchdog::{OUT_OF_MEMORY, most_resident_bytes};
pub use zygote::{Ready, Zygote};

use watchdog::Watcher;

use crate::host::Host;
use tana_sandbox::message::{ErrorCode, Failure, Invocation, Outcome};

/// The name of the engine that this program was built with.
pub const ENGINE: &str = if cfg!(feature = "v8") {
    "v8"
} else {
    "quickjs"
};

/// What a process runs contracts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// One contract, soon.
    Once,
    /// Many, each in a process that is forked for it: as much as possible is done before.
    Many,
}

/// Prepares the engine; once, on the program's main thread, before anything else of this module.
pub fn init(purpose: Purpose) {
    #[cfg(feature = "v8")]
    if purpose == Purpose::Many {
        // Where there are no such pages, executions begin slower.
        let _ = text::move_to_huge_pages();
    }
    isolate::init_platform(purpose);
}

/// Runs something that uses an [`Engine`] in a thread with the stack that contracts may use.
///
/// # Errors
/// Where there can be no such thread, or the work panics.
pub fn in_deep_thread<T: Send>(work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    isolate::in_deep_thread(work)
}

/// Runs one contract in this thread and gives what came of it. Never fails otherwise than through the outcome.
pub async fn run(engine: &mut Engine, invocation: Rc<Invocation>, host: Rc<dyn Host>) -> Outcome {
    let ready = match Ready::of(engine, &invocation) {
        Ok(ready) => ready,
        Err(failure) => return Outcome::failed(failure),
    };
    let mut isolate = engine.make(invocation.limits.heap_bytes);
    match ready
        .run(&mut isolate, invocation, host, Watcher::Thread)
        .await
    {
        Ok(outcome) => outcome,
        Err(error) => Outcome::failed(Failure::new(
            ErrorCode::Internal,
            format!("cannot watch over the contract: {error}"),
        )),
    }
}

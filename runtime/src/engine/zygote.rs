//! Isolates from which executions are forked. What an execution needs is made once, in this process, and every execution
//! is a copy of it in a process of its own: as fresh as an isolate that was made for it, in a fraction of the time, and
//! whatever it leaves behind ends with its process.

mod places;

use std::io;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use deno_core::futures::executor::block_on;

use super::execute;
use super::isolate::{Engine, Isolate, SourceHash};
use super::watchdog::{self, Watcher};
use crate::compile::Compiled;
use crate::host::Host;
use places::Places;
use tana_sandbox::message::{Failure, Invocation, Limits, Outcome};

/// Contracts that have an isolate of their own, with their code loaded. Each takes some MiB.
const LOADED: usize = 8;
/// Code that is loaded beforehand is not longer: all of its functions are compiled at once.
const LOADED_BYTES: usize = 32 << 10;

/// A contract that is compiled and has what is to be called.
pub struct Ready {
    source: SourceHash,
    compiled: Rc<Compiled>,
    name: Option<&'static str>,
}

impl Ready {
    /// Compiles the contract of an invocation, or finds it compiled.
    ///
    /// # Errors
    /// What is wrong with the contract.
    pub(super) fn of(engine: &mut Engine, invocation: &Invocation) -> Result<Self, Failure> {
        let source = SourceHash::of(invocation);
        let compiled = engine.compile(source, invocation)?;
        let name = execute::entry(compiled.exports, invocation.entry)?;
        Ok(Self {
            source,
            compiled,
            name,
        })
    }

    /// # Errors
    /// Where this machine cannot run anything now.
    pub(super) async fn run(
        &self,
        isolate: &mut Isolate,
        invocation: Rc<Invocation>,
        host: Rc<dyn Host>,
        watcher: Watcher,
    ) -> io::Result<Outcome> {
        let (compiled, name) = (&self.compiled, self.name);
        execute::run(isolate, compiled, name, invocation, host, watcher).await
    }
}

/// Isolates in which nothing ever runs but in forked copies.
pub struct Zygote {
    engine: Engine,
    /// Without a contract.
    plain: Kept,
    /// With contracts that are asked for again and again.
    loaded: Places<SourceHash, Kept>,
}

/// Entered only where it runs something or ends. Dropped where another takes its place ([`end`]), otherwise not: a copy
/// ends with its process.
type Kept = ManuallyDrop<Isolate>;

/// One for the usual limits.
fn kept(engine: &Engine) -> Kept {
    let mut isolate = engine.make(Limits::default().heap_bytes);
    isolate.exit();
    ManuallyDrop::new(isolate)
}

/// Gives its memory back.
fn end(kept: Kept) {
    let mut isolate = ManuallyDrop::into_inner(kept);
    isolate.enter();
}

impl Zygote {
    /// The first isolate, from a snapshot where the engine knows them.
    ///
    /// # Errors
    /// Where nothing could watch over executions.
    pub fn warm() -> io::Result<Self> {
        watchdog::listen()?;
        let engine = Engine::warm();
        Ok(Self {
            plain: kept(&engine),
            engine,
            loaded: Places::new(LOADED),
        })
    }

    /// Compiles the contract of an invocation, or finds it compiled.
    ///
    /// # Errors
    /// What is wrong with the contract: there is nothing to run.
    pub fn ready(&mut self, invocation: &Invocation) -> Result<Ready, Failure> {
        Ready::of(&mut self.engine, invocation)
    }

    /// Runs a contract. Call it in a forked copy, once, and end the process after.
    ///
    /// # Errors
    /// Where this machine cannot run anything now.
    pub async fn run(
        &mut self,
        ready: &Ready,
        invocation: Rc<Invocation>,
        host: Rc<dyn Host>,
    ) -> io::Result<Outcome> {
        let heap_bytes = invocation.limits.heap_bytes;
        let mut special;
        let isolate = if heap_bytes == Limits::default().heap_bytes {
            self.loaded
                .get_mut(&ready.source)
                .unwrap_or(&mut self.plain)
        } else {
            special = ManuallyDrop::new(self.engine.make(heap_bytes));
            &mut special
        };
        isolate.enter();
        ready.run(isolate, invocation, host, Watcher::Signal).await
    }

    /// Loads a contract that is asked for again and again into an isolate of its own, so that its next execution finds it
    /// there, in the place of the one that was not asked for longest. Call it when nobody waits.
    pub fn keep(&mut self, ready: &Ready) {
        let Ready {
            source, compiled, ..
        } = ready;
        if compiled.code.len() > LOADED_BYTES || !self.loaded.ask(*source) {
            return;
        }
        let mut isolate = kept(&self.engine);
        isolate.enter();
        let main = block_on(execute::load(&mut isolate, compiled));
        let is_loaded = main.is_ok() && !isolate.out_of_memory.load(Ordering::SeqCst);
        // Where the engine refuses the code, the next execution says so again.
        isolate.main = main.ok();
        isolate.exit();
        let room = if is_loaded {
            self.loaded.put(*source, isolate)
        } else {
            Some(isolate)
        };
        if let Some(room) = room {
            end(room);
        }
    }
}

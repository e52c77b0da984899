//! Isolates from which executions are forked. What an execution needs is made once, in this process, and every execution
//! is a copy of it in a process of its own: as fresh as an isolate that was made for it, in a fraction of the time, and
//! whatever it leaves behind ends with its process.

use std::collections::{HashMap, HashSet};
use std::io;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use deno_core::futures::executor::block_on;

use super::execute;
use super::isolate::{Engine, Isolate, SourceHash};
use crate::compile::Compiled;
use crate::host::Host;
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
    ) -> io::Result<Outcome> {
        execute::run(isolate, &self.compiled, self.name, invocation, host).await
    }
}

/// Isolates in which nothing ever runs but in forked copies.
pub struct Zygote {
    engine: Engine,
    /// Without a contract.
    plain: Kept,
    /// With a contract that was asked for before.
    loaded: HashMap<SourceHash, Kept>,
    /// Contracts that were asked for once.
    known: HashSet<SourceHash>,
}

/// Never dropped: isolates of one thread would have to end in the reverse order in which they were made, and these end
/// with their process.
type Kept = ManuallyDrop<Isolate>;

impl Zygote {
    /// The first isolate, from a snapshot where the engine knows them.
    #[must_use]
    pub fn warm() -> Self {
        let engine = Engine::warm();
        Self {
            plain: ManuallyDrop::new(engine.make(Limits::default().heap_bytes)),
            engine,
            loaded: HashMap::new(),
            known: HashSet::new(),
        }
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
        ready.run(isolate, invocation, host).await
    }

    /// Loads a contract that ran before into an isolate of its own, so that its next execution finds it there. Call it
    /// when nobody waits.
    pub fn keep(&mut self, ready: &Ready) {
        let Ready {
            source, compiled, ..
        } = ready;
        let is_large = compiled.code.len() > LOADED_BYTES;
        if is_large || self.loaded.len() >= LOADED || self.loaded.contains_key(source) {
            return;
        }
        if self.known.insert(*source) {
            return;
        }
        let mut isolate = ManuallyDrop::new(self.engine.make(Limits::default().heap_bytes));
        // Where the engine refuses the code, the next execution says so again.
        if let Ok(main) = block_on(execute::load(&mut isolate, compiled))
            && !isolate.out_of_memory.load(Ordering::SeqCst)
        {
            isolate.main = Some(main);
            self.loaded.insert(*source, isolate);
        }
    }
}

//! Making isolates: the snapshot that holds the bootstrap, spares, memory limits.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deno_core::{JsRuntime, ModuleId, RuntimeOptions, v8};
use sha2::{Digest, Sha256};

use super::loader::Modules;
use super::{Purpose, ops};
use crate::compile::{self, Compiled};
use tana_sandbox::message::{ErrorCode, Failure, Invocation, Metered};

/// Compiled contracts that an engine keeps.
const KEPT: usize = 64;
/// What their code takes together.
const KEPT_BYTES: usize = 4 << 20;

/// Makes fresh isolates, and keeps what the compiler made of contracts.
pub struct Engine {
    snapshot: Option<&'static [u8]>,
    compiled: HashMap<SourceHash, Rc<Compiled>>,
    compiled_bytes: usize,
}

/// Which contract: the hash of its source and of what it was compiled to at deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SourceHash([u8; 32]);

impl SourceHash {
    pub(super) fn of(invocation: &Invocation) -> Self {
        let mut hasher = Sha256::new_with_prefix(&invocation.source);
        if let Some(metered) = &invocation.metered {
            hasher.update([0]);
            hasher.update(&metered.code);
        }
        Self(hasher.finalize().into())
    }
}

/// One isolate, in which contract code runs once at most.
pub struct Isolate {
    pub(super) runtime: JsRuntime,
    pub(super) call: v8::Global<v8::Function>,
    pub(super) handle: v8::Global<v8::Function>,
    pub(super) gas: v8::Global<v8::Int32Array>,
    pub(super) out_of_memory: Arc<AtomicBool>,
    /// The contract, where it has been loaded beforehand.
    pub(super) main: Option<ModuleId>,
}

/// The stack that an engine may use, and what its thread has. As deep as the meter lets functions nest, with what an
/// engine needs for one of them at worst: some KiB, and again for each built-in function in between.
const STACK_BYTES: usize = 32 << 20;
const THREAD_STACK_BYTES: usize = STACK_BYTES + (4 << 20);

pub(super) fn init_platform(purpose: Purpose) {
    // The first is the program's name.
    let mut flags = vec![
        "tana".to_owned(),
        format!("--stack-size={}", STACK_BYTES >> 10),
    ];
    if cfg!(feature = "v8") {
        // Nothing is done concurrently: so that a run does not depend on how busy the machine is, and because a process
        // can only be forked where it has no other threads. A run is too short for code of the middle tier to pay.
        flags.extend(["--no-expose-wasm", "--single-threaded", "--no-sparkplug"].map(String::from));
        if purpose == Purpose::Many {
            // What is compiled before a fork is compiled for all executions.
            flags.push("--no-lazy".to_owned());
        }
    }
    deno_core::v8_set_flags(flags);
    #[cfg(feature = "v8")]
    let platform = Some(v8::new_single_threaded_default_platform(false).make_shared());
    #[cfg(not(feature = "v8"))]
    let platform = {
        keep_no_bytecode();
        None
    };
    JsRuntime::init_platform(platform);
}

/// The facade of QuickJS would read compiled code from a directory of the user.
#[cfg(not(feature = "v8"))]
#[allow(
    unsafe_code,
    clippy::disallowed_methods,
    reason = "the facade knows no other way"
)]
fn keep_no_bytecode() {
    // SAFETY: called on the main thread before there is another.
    unsafe { std::env::set_var("V82JSC_NO_BC_CACHE", "1") };
}

/// Runs something in a thread whose stack holds what the meter allows.
pub(super) fn in_deep_thread<T: Send>(work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("contract".into())
            .stack_size(THREAD_STACK_BYTES)
            .spawn_scoped(scope, work)?;
        thread
            .join()
            .map_err(|_| std::io::Error::other("the engine's thread panicked"))
    })
}

impl Engine {
    /// Makes isolates from the bootstrap's source each time: for a program that runs one contract.
    #[must_use]
    pub fn direct() -> Self {
        Self::from_snapshot(None)
    }

    /// Makes a snapshot of the bootstrap first, and isolates from it: for a program that runs many.
    #[must_use]
    pub fn warm() -> Self {
        Self::from_snapshot(snapshot())
    }

    fn from_snapshot(snapshot: Option<&'static [u8]>) -> Self {
        Self {
            snapshot,
            compiled: HashMap::new(),
            compiled_bytes: 0,
        }
    }

    /// The contract of an invocation, compiled; the same source is compiled once.
    pub(super) fn compile(
        &mut self,
        source: SourceHash,
        invocation: &Invocation,
    ) -> Result<Rc<Compiled>, Failure> {
        if let Some(compiled) = self.compiled.get(&source) {
            return Ok(Rc::clone(compiled));
        }
        let compiled = compile::compile(&invocation.file, &invocation.source);
        let compiled = Rc::new(match (&invocation.metered, compiled) {
            // Of this machine, now: not to be remembered, and never to show in what the contract is said to have done.
            (_, Err(failure)) if failure.code == ErrorCode::WorkerDied => return Err(failure),
            (None, compiled) => compiled?,
            (Some(metered), compiled) => kept(metered, compiled.ok()),
        });
        self.compiled_bytes += compiled.code.len();
        if self.compiled.len() >= KEPT || self.compiled_bytes > KEPT_BYTES {
            self.compiled.clear();
            self.compiled_bytes = compiled.code.len();
        }
        self.compiled.insert(source, Rc::clone(&compiled));
        Ok(compiled)
    }

    /// What isolates are made from; none where the engine knows no snapshots.
    #[must_use]
    pub fn snapshot(&self) -> Option<&'static [u8]> {
        self.snapshot
    }

    /// A fresh isolate, entered. Isolates of one thread have to end in the reverse order in which they were entered.
    #[must_use]
    pub fn make(&self, heap_bytes: usize) -> Isolate {
        let mut runtime = JsRuntime::new(RuntimeOptions {
            module_loader: Some(Rc::new(Modules)),
            extensions: vec![ops::extension()],
            startup_snapshot: self.snapshot,
            create_params: create_params(heap_bytes),
            ..Default::default()
        });
        let out_of_memory = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&out_of_memory);
        let stop = runtime.v8_isolate().thread_safe_handle();
        runtime.add_near_heap_limit_callback(move |current, _| {
            flag.store(true, Ordering::SeqCst);
            stop.terminate_execution();
            // Room for unwinding, and for a table that is being doubled; without it the engine ends the process.
            current * 2 + (64 << 20)
        });
        let (call, handle, gas) = entry_points(&mut runtime);
        Isolate {
            runtime,
            call,
            handle,
            gas,
            out_of_memory,
            main: None,
        }
    }
}

impl Isolate {
    /// Makes it the one that its thread is in, as making it and dropping it need it to be.
    #[allow(unsafe_code, reason = "V8's own interface")]
    pub(super) fn enter(&mut self) {
        // SAFETY: it belongs to this thread, and nothing else of another isolate is on its stack.
        unsafe { self.runtime.v8_isolate().enter() }
    }

    /// Leaves it, so that another may be made or dropped.
    #[allow(unsafe_code, reason = "V8's own interface")]
    pub(super) fn exit(&mut self) {
        // SAFETY: it is the one that this thread is in, since it was made or entered.
        unsafe { self.runtime.v8_isolate().exit() }
    }
}

/// What was compiled at deployment. Compiling the source again tells where its places are; where another compiler made
/// something else of it, nobody knows them any more.
fn kept(metered: &Metered, again: Option<Compiled>) -> Compiled {
    let again = again.filter(|again| again.code == metered.code);
    Compiled {
        code: metered.code.clone(),
        positions: again.map(|compiled| compiled.positions).unwrap_or_default(),
        exports: metered.exports,
        charges: Vec::new(),
    }
}

fn create_params(heap_bytes: usize) -> Option<v8::CreateParams> {
    Some(v8::CreateParams::default().heap_limits(0, heap_bytes))
}

/// Takes the host's functions out of the isolate and everything of the host off its global object.
#[allow(
    clippy::expect_used,
    reason = "our own bootstrap, the same at each start"
)]
fn entry_points(
    runtime: &mut JsRuntime,
) -> (
    v8::Global<v8::Function>,
    v8::Global<v8::Function>,
    v8::Global<v8::Int32Array>,
) {
    let found = runtime
        .execute_script("tana:begin", "globalThis.__tana.begin()")
        .expect("the bootstrap has its entry");
    deno_core::scope!(scope, runtime);
    let object: v8::Local<'_, v8::Object> = v8::Local::new(scope, found)
        .try_into()
        .expect("the bootstrap gives an object");
    let get = |name: &str| {
        let key = v8::String::new(scope, name).expect("a short text");
        let value = object
            .get(scope, key.into())
            .expect("the bootstrap has this entry");
        v8::Global::new(scope, value)
    };
    let (call, handle, gas) = (get("call"), get("handle"), get("gas"));
    let call: v8::Local<'_, v8::Function> =
        v8::Local::new(scope, call).try_into().expect("a function");
    let handle: v8::Local<'_, v8::Function> = v8::Local::new(scope, handle)
        .try_into()
        .expect("a function");
    let gas: v8::Local<'_, v8::Int32Array> =
        v8::Local::new(scope, gas).try_into().expect("an array");
    (
        v8::Global::new(scope, call),
        v8::Global::new(scope, handle),
        v8::Global::new(scope, gas),
    )
}

#[cfg(feature = "v8")]
#[allow(
    clippy::expect_used,
    reason = "our own bootstrap, the same at each start"
)]
fn snapshot() -> Option<&'static [u8]> {
    let mut runtime = deno_core::JsRuntimeForSnapshot::new(RuntimeOptions {
        module_loader: Some(Rc::new(Modules)),
        extensions: vec![ops::extension()],
        ..Default::default()
    });
    let warming = runtime
        .execute_script("tana:warm", "globalThis.__tana.warm()")
        .expect("the bootstrap warms up");
    let warm = runtime.resolve(warming);
    deno_core::futures::executor::block_on(
        runtime.with_event_loop_promise(warm, deno_core::PollEventLoopOptions::default()),
    )
    .expect("the bootstrap warms up");
    Some(Box::leak(runtime.snapshot()))
}

#[cfg(not(feature = "v8"))]
fn snapshot() -> Option<&'static [u8]> {
    None
}

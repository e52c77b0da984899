//! One execution: run the top level and the entry point in an isolate, judge what came of it.

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use deno_core::futures::future::{Either, select};
use deno_core::{ModuleId, ModuleSpecifier, PollEventLoopOptions, v8};
use serde::Deserialize;
use serde_json::Value;

use super::failure;
use super::isolate::Isolate;
use super::loader::MAIN;
use super::state::{Abort, Execution};
use super::watchdog::{ThreadClock, Watch, Watcher};
use crate::compile::Compiled;
use crate::host::Host;
use tana_protocol::json::{MAX_DEPTH, is_shallow};
use tana_sandbox::message::{
    Entry, EntryName, ErrorCode, Exports, Failure, HttpResponse, Invocation, Limits, Outcome, Usage,
};

/// What the bootstrap gives back, in JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Returned {
    Result(Value),
    Response(HttpResponse),
    Bad(String),
}

/// Runs a compiled contract in an isolate in which nothing has run. `name` comes from [`entry`].
///
/// # Errors
/// Where nothing can watch over it.
pub(super) async fn run(
    isolate: &mut Isolate,
    compiled: &Compiled,
    name: Option<&str>,
    invocation: Rc<Invocation>,
    host: Rc<dyn Host>,
    watcher: Watcher,
) -> io::Result<Outcome> {
    let started = Instant::now();
    let clock = ThreadClock::here();
    let cpu_before = clock.read();
    let limits = invocation.limits;
    let thread_handle = isolate.runtime.v8_isolate().thread_safe_handle();
    isolate.runtime.op_state().borrow_mut().put(Execution::new(
        Rc::clone(&invocation),
        host,
        thread_handle.clone(),
    ));
    set_gas(isolate, limits.gas.min(Limits::MAX_GAS));

    let watch = Watch::start(
        watcher,
        thread_handle,
        Duration::from_millis(limits.cpu_ms),
        Duration::from_millis(limits.wall_ms),
    )?;
    let ended = {
        let running = pin!(call(isolate, compiled, name, &invocation));
        match select(running, watch.expired()).await {
            Either::Left((ended, _)) => ended,
            // It waited for something; [`Watch::fired`] says what this means.
            Either::Right(((), _)) => Ok(Returned::Result(Value::Null)),
        }
    };
    let timed_out = watch.fired();
    drop(watch);
    isolate.runtime.v8_isolate().cancel_terminate_execution();

    let left = gas_left(isolate);
    let heap_bytes = heap_bytes(isolate);
    let out_of_memory = isolate.out_of_memory.load(Ordering::SeqCst);
    let taken = isolate
        .runtime
        .op_state()
        .borrow_mut()
        .try_take::<Execution>();
    let Some(execution) = taken else {
        return Ok(Outcome::failed(Failure::new(
            ErrorCode::Internal,
            "the execution lost its state",
        )));
    };
    // The host's own flags decide; what the script reports counts only where none is set.
    let stopped = if let Some(abort) = execution.abort {
        Some(aborted(abort, limits))
    } else if out_of_memory {
        Some(Failure::new(
            ErrorCode::OutOfMemory,
            format!(
                "the contract used more than {} MiB of memory; keep less at a time",
                limits.heap_bytes >> 20
            ),
        ))
    } else if timed_out {
        Some(Failure::new(
            ErrorCode::TimedOut,
            format!(
                "the contract ran longer than {} ms of processor time or {} ms in all; do less in one call",
                limits.cpu_ms, limits.wall_ms
            ),
        ))
    } else {
        None
    };
    let stopped = stopped.or_else(|| match &ended {
        Err(failure) if failure.code == ErrorCode::TooLarge => Some(failure.clone()),
        _ => None,
    });
    // A resource failure costs everything, on whatever engine and machine it happened.
    let gas_used = if stopped.is_some() {
        limits.gas
    } else {
        limits.gas.saturating_sub(left)
    };
    let ended = match stopped {
        Some(failure) => Err(failure),
        None => ended,
    };
    let mut outcome = Outcome {
        gas_used,
        logs: execution.logs,
        ..judge(ended, limits)
    };
    if let (Some(pieces), Some(response)) = (execution.pieces, &mut outcome.response) {
        response.body = pieces.into();
    }
    if outcome.success {
        outcome.changes = execution.session.into_changes();
    }
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    outcome.usage = Usage {
        cpu_us: micros(clock.read().saturating_sub(cpu_before)),
        wall_us: micros(started.elapsed()),
        heap_bytes,
    };
    Ok(outcome)
}

/// What is to be called: `None` for a script, whose top level is all there is.
pub(super) fn entry(exports: Exports, wanted: Entry) -> Result<Option<&'static str>, Failure> {
    let missing = |what: &str| {
        Failure::new(
            ErrorCode::NoExport,
            format!("the contract exports no {what}; add one"),
        )
    };
    let spelled = |name: Option<EntryName>, lower, upper, what| match name {
        Some(EntryName::Lower) => Ok(Some(lower)),
        Some(EntryName::Upper) => Ok(Some(upper)),
        None => Err(missing(what)),
    };
    match wanted {
        Entry::Auto if exports.contract => Ok(Some("contract")),
        Entry::Auto if exports.is_script() => Ok(None),
        Entry::Auto | Entry::Contract if !exports.contract => Err(missing("contract() function")),
        Entry::Auto | Entry::Contract => Ok(Some("contract")),
        Entry::Init if exports.init => Ok(Some("init")),
        Entry::Init => Err(missing("init() function")),
        Entry::Get => spelled(exports.get, "get", "Get", "get(req) function"),
        Entry::Post => spelled(exports.post, "post", "Post", "post(req, body) function"),
    }
}

/// Compiles the code for the engine, without running any of it.
pub(super) async fn load(isolate: &mut Isolate, compiled: &Compiled) -> Result<ModuleId, Failure> {
    let specifier = ModuleSpecifier::parse(MAIN)
        .map_err(|error| Failure::new(ErrorCode::Internal, error.to_string()))?;
    isolate
        .runtime
        .load_main_es_module_from_code(&specifier, compiled.code.clone())
        .await
        .map_err(|error| failure::from_core(&error, &compiled.positions))
}

async fn call(
    isolate: &mut Isolate,
    compiled: &Compiled,
    name: Option<&str>,
    invocation: &Invocation,
) -> Result<Returned, Failure> {
    let module = match isolate.main {
        Some(module) => module,
        None => load(isolate, compiled).await?,
    };
    let positions = &compiled.positions;
    let runtime = &mut isolate.runtime;
    let internal =
        |error: &dyn std::fmt::Display| Failure::new(ErrorCode::Internal, error.to_string());
    let evaluated = runtime.mod_evaluate(module);
    runtime
        .with_event_loop_promise(evaluated, PollEventLoopOptions::default())
        .await
        .map_err(|error| failure::from_core(&error, positions))?;
    let Some(name) = name else {
        return Ok(Returned::Result(Value::Null));
    };
    let namespace = runtime
        .get_module_namespace(module)
        .map_err(|error| internal(&error))?;
    let (function, arguments) = {
        let (isolate_call, isolate_handle) = (isolate.call.clone(), isolate.handle.clone());
        deno_core::scope!(scope, runtime);
        let text = |scope: &mut v8::PinScope<'_, '_>, text: &str| {
            v8::String::new(scope, text)
                .map(|text| v8::Global::new(scope, v8::Local::<v8::Value>::from(text)))
        };
        let namespace = v8::Local::<v8::Value>::from(v8::Local::new(scope, namespace));
        let mut arguments = vec![v8::Global::new(scope, namespace)];
        arguments.extend(text(scope, name));
        match &invocation.request {
            Some(request) => {
                let request = serde_json::to_string(request).map_err(|error| internal(&error))?;
                arguments.extend(text(scope, &request));
                (isolate_handle, arguments)
            }
            None => (isolate_call, arguments),
        }
    };
    let called = runtime.call_with_args(&function, &arguments);
    let returned = runtime
        .with_event_loop_promise(called, PollEventLoopOptions::default())
        .await
        .map_err(|error| failure::from_core(&error, positions))?;
    deno_core::scope!(scope, runtime);
    let text = v8::Local::new(scope, returned).to_rust_string_lossy(scope);
    if text.len() > invocation.limits.result_bytes {
        return Err(Failure::new(
            ErrorCode::BadResult,
            format!(
                "the result has {} bytes; at most {} are allowed",
                text.len(),
                invocation.limits.result_bytes
            ),
        ));
    }
    // The bootstrap writes JSON; what does not parse nests too deep, or is half of a surrogate pair, which UTF-8 cannot
    // hold.
    serde_json::from_str(&text).map_err(|error| {
        if error.to_string().starts_with("recursion limit") {
            return too_deep();
        }
        Failure::new(
            ErrorCode::BadResult,
            "the result has text that is no valid Unicode; make it so with toWellFormed()",
        )
    })
}

fn too_deep() -> Failure {
    Failure::new(
        ErrorCode::BadResult,
        format!("the result nests deeper than {MAX_DEPTH} levels; return it as a JSON text"),
    )
}

fn judge(ended: Result<Returned, Failure>, limits: Limits) -> Outcome {
    let mut outcome = Outcome {
        success: true,
        result: Value::Null,
        error: None,
        gas_used: limits.gas,
        changes: Vec::new(),
        logs: Vec::new(),
        response: None,
        usage: Usage::default(),
    };
    match ended {
        Ok(Returned::Result(result)) if !is_shallow(&result) => {
            outcome.success = false;
            outcome.error = Some(too_deep());
        }
        Ok(Returned::Result(result)) => {
            if let Some(message) = result.get("error").and_then(Value::as_str) {
                outcome.success = false;
                outcome.error = Some(Failure::new(ErrorCode::Refused, message));
            }
            outcome.result = result;
        }
        Ok(Returned::Response(response)) => outcome.response = Some(response),
        Ok(Returned::Bad(message)) => {
            outcome.success = false;
            outcome.error = Some(Failure::new(
                ErrorCode::BadResult,
                format!("what the contract returned cannot be written as JSON: {message}"),
            ));
        }
        Err(failure) => {
            outcome.success = false;
            outcome.error = Some(failure);
        }
    }
    outcome
}

fn aborted(abort: Abort, limits: Limits) -> Failure {
    let too_large = |what: &str| Failure::new(ErrorCode::TooLarge, what.to_owned());
    match abort {
        Abort::Gas => Failure::new(
            ErrorCode::OutOfGas,
            format!(
                "the contract used up its {} gas; do less, or call it with a higher limit",
                limits.gas
            ),
        ),
        Abort::String => too_large("a text grew beyond 16 MiB; keep texts smaller"),
        Abort::Array => too_large("a list grew beyond 1000000 elements; keep lists smaller"),
        Abort::Integer => too_large("an integer grew beyond 8192 bits; keep integers smaller"),
        Abort::Buffer => too_large("buffers grew beyond the memory limit; keep them smaller"),
        Abort::Stack => too_large(failure::TOO_DEEP),
    }
}

fn set_gas(isolate: &mut Isolate, gas: u32) {
    let runtime = &mut isolate.runtime;
    deno_core::scope!(scope, runtime);
    let cells = v8::Local::new(scope, &isolate.gas);
    let value = v8::Integer::new_from_unsigned(scope, gas);
    cells.set_index(scope, 0, value.into());
    let nothing = v8::Integer::new(scope, -1);
    cells.set_index(scope, 1, nothing.into());
}

fn gas_left(isolate: &mut Isolate) -> u32 {
    let runtime = &mut isolate.runtime;
    deno_core::scope!(scope, runtime);
    let cells = v8::Local::new(scope, &isolate.gas);
    let read = |index| {
        cells
            .get_index(scope, index)
            .and_then(|value| value.int32_value(scope))
            .unwrap_or(0)
    };
    let (left, when_thrown) = (read(0), read(1));
    u32::try_from(when_thrown)
        .or_else(|_| u32::try_from(left))
        .unwrap_or(0)
}

#[cfg(feature = "v8")]
fn heap_bytes(isolate: &mut Isolate) -> u64 {
    let statistics = isolate.runtime.v8_isolate().get_heap_statistics();
    (statistics.used_heap_size() + statistics.external_memory()) as u64
}

#[cfg(not(feature = "v8"))]
fn heap_bytes(_: &mut Isolate) -> u64 {
    0
}

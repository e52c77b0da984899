//! The operations that the modules in `js/` call. Contracts never see one of them.

use std::cell::RefCell;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deno_core::{OpState, ToJsBuffer, op2};
use deno_error::JsErrorBox;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::state::{Abort, Execution};
use super::{ENGINE, math};
use crate::host::{SessionError, Staged, exact_number, number_text};
use tana_sandbox::message::{LogLevel, Part, Question};

fn refused(error: &SessionError) -> JsErrorBox {
    JsErrorBox::generic(error.0.clone())
}

fn execution(state: &mut OpState) -> &mut Execution {
    state.borrow_mut::<Execution>()
}

fn text(value: &Value) -> String {
    value.to_string()
}

/// Ends the execution; the script sees nothing of it.
#[op2(fast)]
fn op_abort(state: &mut OpState, reason: u32) {
    if let Some(execution) = state.try_borrow_mut::<Execution>() {
        execution.abort.get_or_insert(Abort::from_code(reason));
        execution.handle.terminate_execution();
    }
}

#[op2(fast)]
fn op_log(state: &mut OpState, level: u32, #[string] text: String) {
    let level = if level == 0 {
        LogLevel::Log
    } else {
        LogLevel::Error
    };
    execution(state).log(level, text);
}

#[op2]
#[string]
fn op_versions() -> String {
    text(
        &json!({ "tana": env!("CARGO_PKG_VERSION"), "deno_core": crate::DENO_CORE_VERSION, "v8": ENGINE }),
    )
}

#[op2]
#[string]
fn op_context(state: &mut OpState, #[string] part: &str) -> String {
    let invocation = &execution(state).invocation;
    text(&match part {
        "caller" => json!(invocation.caller),
        "owner" => json!(invocation.owner),
        "contractId" => json!(invocation.contract_id),
        "block" => json!(invocation.block),
        "gasLimit" => json!(invocation.limits.gas),
        _ => invocation.input.clone(),
    })
}

#[op2(fast)]
fn op_now(state: &mut OpState) -> f64 {
    #[allow(
        clippy::cast_precision_loss,
        reason = "milliseconds of this millennium fit"
    )]
    state
        .try_borrow::<Execution>()
        .map_or(0.0, |execution| execution.invocation.block.timestamp as f64)
}

/// The next number drawn from the transaction's id: the same on every node.
#[op2(fast)]
fn op_random(state: &mut OpState) -> Result<f64, JsErrorBox> {
    let execution = execution(state);
    let Some(id) = &execution.invocation.transaction_id else {
        return Err(JsErrorBox::generic(
            "there is nothing random here: Math.random draws from the transaction's id, and there is none",
        ));
    };
    let hash = Sha256::new()
        .chain_update(b"tana/random")
        .chain_update(id)
        .chain_update(execution.drawn.to_be_bytes())
        .finalize();
    execution.drawn += 1;
    let bits = hash
        .iter()
        .take(7)
        .fold(0u64, |bits, byte| bits << 8 | u64::from(*byte))
        >> 3;
    #[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
    Ok(bits as f64 / (1u64 << 53) as f64)
}

#[op2]
#[string]
fn op_ask(state: &mut OpState, #[string] question: &str) -> Result<String, JsErrorBox> {
    let question: Question = serde_json::from_str(question)
        .map_err(|error| JsErrorBox::type_error(error.to_string()))?;
    let execution = execution(state);
    let host = Rc::clone(&execution.host);
    execution
        .session
        .ask(&*host, &question)
        .map(|answer| text(&answer))
        .map_err(|error| refused(&error))
}

#[op2]
#[string]
async fn op_fetch(
    state: Rc<RefCell<OpState>>,
    #[string] question: String,
) -> Result<String, JsErrorBox> {
    let question: Question = serde_json::from_str(&question)
        .map_err(|error| JsErrorBox::type_error(error.to_string()))?;
    let pending = {
        let mut state = state.borrow_mut();
        let execution = execution(&mut state);
        if execution.invocation.fetch_hosts.is_empty() {
            return Err(JsErrorBox::generic(
                "fetch reaches no host here: none is allowed, and a block never allows any",
            ));
        }
        execution.host.fetch(question)
    };
    pending
        .await
        .map(|answer| text(&answer))
        .map_err(JsErrorBox::generic)
}

/// The number that holds a decimal text exactly, or not a number.
#[op2(fast)]
fn op_exact_number(#[string] text: &str) -> f64 {
    exact_number(text).unwrap_or(f64::NAN)
}

#[op2]
#[string]
fn op_number_text(number: f64) -> String {
    number_text(number)
}

#[op2(fast)]
fn op_tx_stage(
    state: &mut OpState,
    #[string] kind: &str,
    #[string] from: String,
    #[string] to: String,
    #[string] amount: String,
    #[string] currency: String,
) -> Result<(), JsErrorBox> {
    let execution = execution(state);
    let host = Rc::clone(&execution.host);
    let change = if kind == "transfer" {
        Staged::Transfer {
            from,
            to,
            amount,
            currency,
        }
    } else {
        Staged::SetBalance {
            owner: to,
            amount,
            currency,
        }
    };
    execution
        .session
        .stage(&*host, change)
        .map_err(|error| refused(&error))
}

#[op2]
#[string]
fn op_tx_changes(state: &mut OpState) -> String {
    text(&execution(state).session.staged())
}

#[op2]
#[string]
fn op_tx_execute(state: &mut OpState) -> String {
    let execution = execution(state);
    let host = Rc::clone(&execution.host);
    text(&execution.session.execute(&*host))
}

#[op2]
#[string]
fn op_data_get(state: &mut OpState, #[string] key: &str) -> Result<Option<String>, JsErrorBox> {
    let execution = execution(state);
    let host = Rc::clone(&execution.host);
    execution
        .session
        .get(&*host, key)
        .map_err(|error| refused(&error))
}

#[op2(fast)]
fn op_data_set(
    state: &mut OpState,
    #[string] key: &str,
    #[string] value: String,
) -> Result<(), JsErrorBox> {
    execution(state)
        .session
        .set(key, Some(value))
        .map_err(|error| refused(&error))
}

#[op2(fast)]
fn op_data_delete(state: &mut OpState, #[string] key: &str) -> Result<(), JsErrorBox> {
    execution(state)
        .session
        .set(key, None)
        .map_err(|error| refused(&error))
}

#[op2]
#[string]
fn op_data_keys(state: &mut OpState, #[string] pattern: &str) -> Result<String, JsErrorBox> {
    let execution = execution(state);
    let host = Rc::clone(&execution.host);
    execution
        .session
        .keys(&*host, pattern)
        .map(|keys| text(&json!(keys)))
        .map_err(|error| refused(&error))
}

#[op2(fast)]
fn op_data_clear(state: &mut OpState) -> Result<(), JsErrorBox> {
    let execution = execution(state);
    let host = Rc::clone(&execution.host);
    execution
        .session
        .clear(&*host)
        .map_err(|error| refused(&error))
}

#[op2(fast)]
fn op_data_commit(state: &mut OpState) -> Result<u32, JsErrorBox> {
    let execution = execution(state);
    let host = Rc::clone(&execution.host);
    let count = execution
        .session
        .commit(&*host)
        .map_err(|error| refused(&error))?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

#[op2(fast)]
fn op_math1(function: u32, x: f64) -> f64 {
    math::unary(function, x)
}

#[op2(fast)]
fn op_math2(function: u32, x: f64, y: f64) -> f64 {
    math::binary(function, x, y)
}

/// How deep arrays and objects nest in JSON text, whether it is correct or not.
#[op2(fast)]
fn op_json_depth(#[string] text: &str) -> u32 {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0u32, 0u32, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Compiles a pattern; the answer, in JSON, has its number or why it cannot be.
#[op2]
#[string]
fn op_regexp_compile(state: &mut OpState, #[string] source: &str, #[string] flags: &str) -> String {
    let patterns = &mut execution(state).patterns;
    match patterns.compile(source, flags) {
        Ok((id, program)) => {
            let names: Vec<_> = program
                .names
                .iter()
                .enumerate()
                .filter_map(|(index, name)| Some((name.as_ref()?, index)))
                .collect();
            text(
                &json!({ "error": null, "id": id, "groups": program.names.len(), "names": names, "size": program.size() }),
            )
        }
        Err(error) => text(&json!({ "error": error })),
    }
}

/// Searches up to `most` times in a row. Gives how many matches there are, or 2³²-1 where `gas` did not suffice; what
/// it cost in steps, and the matches, go to `out`.
#[op2(fast)]
#[allow(clippy::too_many_arguments, reason = "what a search needs")]
fn op_regexp_find(
    state: &mut OpState,
    id: u32,
    #[string] text: &str,
    start: u32,
    most: u32,
    gas: u32,
    #[buffer] out: &mut [u32],
) -> u32 {
    let execution = execution(state);
    let Some(program) = execution.patterns.get(id) else {
        return u32::MAX;
    };
    let handle = execution.handle.clone();
    super::patterns::find(
        &program,
        text,
        (start, most),
        gas,
        &|| handle.is_execution_terminating(),
        out,
    )
}

#[op2]
#[string]
fn op_base64_text(#[string] text: &str) -> Result<String, JsErrorBox> {
    let bytes = STANDARD
        .decode(text)
        .map_err(|error| JsErrorBox::type_error(error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[op2]
#[serde]
fn op_base64_bytes(#[string] text: &str) -> Result<ToJsBuffer, JsErrorBox> {
    STANDARD
        .decode(text)
        .map(Into::into)
        .map_err(|error| JsErrorBox::type_error(error.to_string()))
}

#[op2]
#[serde]
fn op_text_bytes(#[string] text: String) -> ToJsBuffer {
    text.into_bytes().into()
}

#[op2]
#[string]
fn op_bytes_base64(#[buffer] bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// How an answer in parts begins: JSON with `status` and `headers`.
#[op2(fast)]
fn op_answer_head(state: &mut OpState, #[string] head: &str) -> Result<(), JsErrorBox> {
    let head: Part =
        serde_json::from_str(head).map_err(|error| JsErrorBox::type_error(error.to_string()))?;
    execution(state).head(head).map_err(JsErrorBox::generic)
}

#[op2(fast)]
fn op_answer_text(state: &mut OpState, #[string] text: String) -> Result<(), JsErrorBox> {
    execution(state)
        .piece(text.into_bytes())
        .map_err(JsErrorBox::range_error)
}

#[op2(fast)]
fn op_answer_bytes(state: &mut OpState, #[buffer] bytes: &[u8]) -> Result<(), JsErrorBox> {
    execution(state)
        .piece(bytes.to_vec())
        .map_err(JsErrorBox::range_error)
}

deno_core::extension!(
    tana,
    ops = [
        op_abort,
        op_log,
        op_versions,
        op_context,
        op_now,
        op_random,
        op_ask,
        op_fetch,
        op_exact_number,
        op_number_text,
        op_tx_stage,
        op_tx_changes,
        op_tx_execute,
        op_data_get,
        op_data_set,
        op_data_delete,
        op_data_keys,
        op_data_clear,
        op_data_commit,
        op_math1,
        op_math2,
        op_json_depth,
        op_regexp_compile,
        op_regexp_find,
        op_base64_text,
        op_base64_bytes,
        op_text_bytes,
        op_bytes_base64,
        op_answer_head,
        op_answer_text,
        op_answer_bytes,
    ],
    esm_entry_point = "ext:tana/entry.js",
);

/// The modules' sources, inside the binary: the macro's own list would be read from the checkout at run time.
macro_rules! modules {
    ($($file:literal),* $(,)?) => {
        vec![$(deno_core::ExtensionFileSource::new(
            concat!("ext:tana/", $file),
            deno_core::ascii_str_include!(concat!("../js/", $file)),
        )),*]
    };
}

/// The operations and the modules.
pub(super) fn extension() -> deno_core::Extension {
    let mut extension = tana::init();
    extension.esm_files = modules![
        "meter.js",
        "read.js",
        "core.js",
        "context.js",
        "block.js",
        "tx.js",
        "data.js",
        "headers.js",
        "net.js",
        "utils.js",
        "answer.js",
        "determinism.js",
        "regexp.js",
        "builtins.js",
        "entry.js",
    ]
    .into();
    extension
}

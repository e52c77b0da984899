//! From what the engine reports to a failure with a code, a sentence and a place in the TypeScript source.

use deno_core::error::{CoreError, CoreErrorKind, JsError};

use super::loader::MAIN;
use crate::compile::PositionMap;
use tana_sandbox::message::{ErrorCode, Failure};

/// What is said of a stack overflow, caught or not.
pub(super) const TOO_DEEP: &str = "functions call each other too deeply; use a loop";

/// An uncaught exception.
pub(super) fn thrown(error: &JsError, positions: &PositionMap) -> Failure {
    let message = error
        .exception_message
        .strip_prefix("Uncaught ")
        .unwrap_or(&error.exception_message);
    let message = message.strip_prefix("(in promise) ").unwrap_or(message);
    // The engine's words for a module whose top level can never end.
    if message.ends_with("Top-level await promise never resolved") {
        return place(error, positions).map_or_else(never_settles, |(line, column)| {
            never_settles().at(line, column)
        });
    }
    let overflow = [
        "RangeError: Maximum call stack size exceeded",
        "InternalError: stack overflow",
    ];
    let code = if overflow.contains(&message) {
        ErrorCode::TooLarge
    } else {
        ErrorCode::Threw
    };
    let failure = Failure::new(
        code,
        if code == ErrorCode::TooLarge {
            TOO_DEEP
        } else {
            message
        },
    );
    match place(error, positions) {
        Some((line, column)) => failure.at(line, column),
        None => failure,
    }
}

/// Where in the source an exception came from.
fn place(error: &JsError, positions: &PositionMap) -> Option<(u32, u32)> {
    error
        .frames
        .iter()
        .filter(|frame| frame.file_name.as_deref() == Some(MAIN))
        .find_map(|frame| {
            let line = u32::try_from(frame.line_number?).ok()?;
            let column = u32::try_from(frame.column_number?).ok()?;
            positions.source(line, column)
        })
}

/// What ended an execution, where no limit did.
pub(super) fn from_core(error: &CoreError, positions: &PositionMap) -> Failure {
    match error.as_kind() {
        CoreErrorKind::Js(error) => thrown(error, positions),
        CoreErrorKind::PendingPromiseResolution => never_settles(),
        other => Failure::new(ErrorCode::Threw, other.to_string()),
    }
}

/// A promise that nothing can settle any more.
pub(super) fn never_settles() -> Failure {
    Failure::new(
        ErrorCode::NeverSettles,
        "the contract awaits a promise that nothing can settle; resolve or reject it on every path",
    )
}

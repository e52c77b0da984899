//! Exit codes, and which error gives which. They are documented in `tana --help` and docs/operating.md.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use tana_client::ClientError;
use tana_home::HomeError;

/// What a command ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Misuse = 2,
    Unreachable = 3,
    Refused = 4,
    TimedOut = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// One sentence: what is wrong and what to do next; and the code that goes with it.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Failure {
    exit: Exit,
    text: String,
}

/// A failure as an error.
pub(crate) fn failure(exit: Exit, text: impl Into<String>) -> anyhow::Error {
    Failure {
        exit,
        text: text.into(),
    }
    .into()
}

/// Whether it may have been done all the same: no answer came, or one of something that broke on the way.
pub(crate) fn is_open(error: &ClientError) -> bool {
    match error {
        ClientError::Problem(problem) => matches!(problem.status, 500 | 502 | 504),
        ClientError::Status { status, .. } => matches!(status, 500 | 502 | 504),
        error => error.is_outcome_unknown(),
    }
}

fn of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return failure.exit;
        }
        if let Some(error) = cause.downcast_ref::<ClientError>() {
            return match error {
                ClientError::Unreachable { .. } | ClientError::NoNode { .. } => Exit::Unreachable,
                error if is_open(error) => Exit::TimedOut,
                ClientError::Problem(_) | ClientError::Status { .. } => Exit::Refused,
                ClientError::Url { .. } => Exit::Misuse,
                _ => Exit::Failed,
            };
        }
        if let Some(HomeError::Setting { .. }) = cause.downcast_ref::<HomeError>() {
            return Exit::Misuse;
        }
    }
    Exit::Failed
}

/// The sentence for standard error. What a network library says about a refused connection is left out: the client's
/// own words say it, and what to do.
fn sentence(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let mut text = crate::show::clean(&cause.to_string());
        if let Some(code) = cause
            .downcast_ref::<ClientError>()
            .and_then(ClientError::code)
        {
            // The stable name, which people search for.
            text.push_str(&format!(" ({code})"));
        }
        if parts.last() != Some(&text) {
            parts.push(text);
        }
        if let Some(client) = cause.downcast_ref::<ClientError>() {
            if let ClientError::Form { source, .. } = client {
                parts.push(crate::show::clean(&source.to_string()));
            }
            break;
        }
    }
    parts.join(": ")
}

/// Prints an error and gives the exit code.
pub(crate) fn report(result: anyhow::Result<Exit>, json: bool) -> ExitCode {
    let error = match result {
        Ok(exit) => return exit.into(),
        Err(error) => error,
    };
    // The reader of a pipe that has seen enough: no error.
    if is_broken_pipe(&error) {
        return Exit::Done.into();
    }
    let exit = of(&error);
    let text = sentence(&error);
    if json {
        let code = error
            .chain()
            .find_map(|cause| cause.downcast_ref::<ClientError>()?.code());
        let said = serde_json::json!({"error": text, "exit": exit as u8, "code": code});
        eprintln!("{said}");
    } else {
        eprintln!("tana: {text}");
    }
    exit.into()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause: &(dyn Error + 'static)| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use anyhow::Context;
    use tana_client::ClientError;
    use tana_protocol::{Code, Problem};

    use super::{Exit, failure, of, sentence};

    #[test]
    fn a_refusal_keeps_its_code_under_any_context() {
        let problem = Problem::new(Code::InsufficientBalance, "alice has 3.00 USD");
        let error = Err::<(), _>(ClientError::Problem(Box::new(problem)))
            .context("the transfer was not made")
            .unwrap_err();
        assert_eq!(of(&error), Exit::Refused);
        assert_eq!(
            sentence(&error),
            "the transfer was not made: alice has 3.00 USD (insufficient-balance)"
        );
    }

    #[test]
    fn what_a_service_says_cannot_drive_the_terminal() {
        let error = failure(Exit::Refused, "no \u{1b}[31mred\u{1b}[0m");
        assert_eq!(sentence(&error), "no red");
    }
}

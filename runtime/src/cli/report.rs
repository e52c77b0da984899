//! What the commands print: text for people, or one JSON object.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use tana_runtime::compile::{Charge, Compiled, SCHEDULE_VERSION};
use tana_sandbox::message::{Failure, LogLevel, Outcome};

/// How a report is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Json,
}

impl Form {
    pub(crate) fn from_flag(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

fn code(success: bool) -> ExitCode {
    if success {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    }
}

pub(crate) fn outcome(file: &Path, source: &str, outcome: &Outcome, form: Form) -> ExitCode {
    if form == Form::Json {
        println!("{}", json!(outcome));
        return code(outcome.success);
    }
    for line in &outcome.logs {
        match line.level {
            LogLevel::Log => println!("{}", line.text),
            LogLevel::Error => eprintln!("{}", line.text),
        }
    }
    match &outcome.error {
        Some(failure) => eprintln!("{}", framed(file, source, failure)),
        None => {
            if let Some(response) = &outcome.response {
                println!("{}", json!(response));
            } else if !outcome.result.is_null() {
                println!("{:#}", outcome.result);
            }
            for change in &outcome.changes {
                println!("change: {}", json!(change));
            }
        }
    }
    println!("gas used: {}", outcome.gas_used);
    code(outcome.success)
}

pub(crate) fn checked(
    file: &Path,
    source: &str,
    checked: &Result<Compiled, Failure>,
    form: Form,
) -> ExitCode {
    match (checked, form) {
        (Ok(compiled), Form::Json) => {
            println!("{}", json!({"success": true, "exports": compiled.exports}));
        }
        (Err(failure), Form::Json) => println!("{}", json!({"success": false, "error": failure})),
        (Ok(compiled), Form::Text) => {
            let exports = compiled.exports;
            let names = [
                ("init()", exports.init),
                ("contract()", exports.contract),
                ("get(req)", exports.get.is_some()),
                ("post(req, body)", exports.post.is_some()),
            ];
            let names: Vec<&str> = names
                .into_iter()
                .filter(|(_, has)| *has)
                .map(|(name, _)| name)
                .collect();
            if names.is_empty() {
                println!(
                    "{}: fine; a script: it can be run, not deployed",
                    file.display()
                );
            } else {
                println!("{}: fine; exports {}", file.display(), names.join(", "));
            }
        }
        (Err(failure), Form::Text) => eprintln!("{}", framed(file, source, failure)),
    }
    code(checked.is_ok())
}

pub(crate) fn gas(
    file: &Path,
    source: &str,
    compiled: &Result<Compiled, Failure>,
    form: Form,
) -> ExitCode {
    let Ok(compiled) = compiled else {
        return checked(file, source, compiled, form);
    };
    if form == Form::Json {
        println!(
            "{}",
            json!({"success": true, "schedule": SCHEDULE_VERSION, "charges": compiled.charges})
        );
        return code(true);
    }
    for (at, line) in (1u32..).zip(source.lines()) {
        let cost: u32 = compiled
            .charges
            .iter()
            .filter(|charge: &&Charge| charge.line == at)
            .map(|charge| charge.gas)
            .sum();
        let cost = if cost == 0 {
            String::new()
        } else {
            cost.to_string()
        };
        println!("{cost:>7} | {line}");
    }
    code(true)
}

/// A failure with the line it happened in.
fn framed(file: &Path, source: &str, failure: &Failure) -> String {
    let head = format!("error[{}]: {}", failure.code.as_str(), failure.message);
    let Some(line) = failure.line else {
        return head;
    };
    let column = failure.column.unwrap_or(1);
    let text = source
        .lines()
        .nth(line.saturating_sub(1) as usize)
        .unwrap_or_default();
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let caret = " ".repeat(column.saturating_sub(1) as usize);
    format!(
        "{head}\n{margin}--> {}:{line}:{column}\n{margin} |\n{number} | {text}\n{margin} | {caret}^",
        file.display()
    )
}

//! TypeScript to metered JavaScript: parse, refuse what a contract may not contain, strip types, insert gas
//! charges, keep the way back to the author's lines.
//!
//! The result depends on the source and on this crate's version alone: it is made once and kept, because another
//! compiler version may charge differently ([`SCHEDULE_VERSION`]).

mod limits;
mod meter;
mod misplaced;
mod position;
mod rules;

use std::path::Path;

use oxc::allocator::Allocator;
use oxc::codegen::{Codegen, CodegenOptions};
use oxc::diagnostics::OxcDiagnostic;
use oxc::parser::Parser;
use oxc::semantic::SemanticBuilder;
use oxc::span::SourceType;
use oxc::transformer::{TransformOptions, Transformer};

use tana_sandbox::message::{ErrorCode, Exports, Failure};

pub use limits::{MAX_DEPTH, MAX_SOURCE_BYTES};
pub use position::PositionMap;

/// The version of the gas schedule: it changes whenever the same source could be charged, or end, differently. So it
/// stands for the compiler, the meter, the built-in functions and the engines' versions, whose words for errors are in
/// receipts; a test holds them against `Cargo.lock`.
pub const SCHEDULE_VERSION: u32 = 2;

/// What a contract became.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// Metered JavaScript, an ES module.
    pub code: String,
    /// The way back from a place in `code` to one in the source.
    pub positions: PositionMap,
    /// Which entry points it exports.
    pub exports: Exports,
    /// Where charges were inserted: line of the source and gas a pass costs.
    pub charges: Vec<Charge>,
}

/// A charge for one straight run of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Charge {
    /// The line of the source where the run begins, from 1.
    pub line: u32,
    /// What one pass costs.
    pub gas: u32,
}

/// Compiles one contract.
///
/// # Errors
/// What is wrong with the source, with its line and column. [`ErrorCode::WorkerDied`] where this machine could not
/// compile it now, which says nothing about the source.
pub fn compile(file_name: &str, source: &str) -> Result<Compiled, Failure> {
    limits::check_size(source)?;
    let file_name = file_name.to_owned();
    let source = source.to_owned();
    // The parser recurses; its depth is bounded by the size of the source, not by the default stack.
    std::thread::Builder::new()
        .name("compile".into())
        .stack_size(limits::PARSER_STACK_BYTES)
        .spawn(move || compile_here(&file_name, &source))
        .map_err(|error| {
            Failure::new(
                ErrorCode::WorkerDied,
                format!("cannot start the compiler: {error}; give this machine more memory"),
            )
        })?
        .join()
        .unwrap_or_else(|_| {
            Err(Failure::new(
                ErrorCode::Internal,
                "the compiler failed on this source; simplify it",
            ))
        })
}

fn compile_here(file_name: &str, source: &str) -> Result<Compiled, Failure> {
    let allocator = Allocator::default();
    let source_type = SourceType::ts().with_module(true);
    let parsed = Parser::new(&allocator, source, source_type).parse();
    if let Some(diagnostic) = parsed.diagnostics.into_iter().next() {
        return Err(syntax(source, &diagnostic));
    }
    let mut program = parsed.program;
    rules::check(source, &program)?;
    let semantic = SemanticBuilder::new()
        .with_check_syntax_error(true)
        .with_enum_eval(true)
        .build(&program);
    if let Some(diagnostic) = semantic.diagnostics.into_iter().next() {
        return Err(syntax(source, &diagnostic));
    }
    let scoping = semantic.semantic.into_scoping();
    let options = TransformOptions::default();
    let transformed = Transformer::new(&allocator, Path::new(file_name), &options)
        .build_with_scoping(scoping, &mut program);
    if let Some(diagnostic) = transformed.diagnostics.into_iter().next() {
        return Err(syntax(source, &diagnostic));
    }
    let printed = Codegen::new()
        .with_options(CodegenOptions {
            source_map_path: Some(Path::new(file_name).into()),
            ..Default::default()
        })
        .build(&program);
    let Some(map) = printed.map else {
        return Err(Failure::new(
            ErrorCode::Internal,
            "the compiler made no source map",
        ));
    };
    let plain = printed.code;
    let again = Allocator::default();
    let script = Parser::new(&again, &plain, SourceType::mjs()).parse();
    if let Some(diagnostic) = script.diagnostics.into_iter().next() {
        return Err(misplaced::find(source).unwrap_or_else(|| {
            Failure::new(
                ErrorCode::Internal,
                format!("the compiler's own output does not parse: {diagnostic}"),
            )
        }));
    }
    let exports = rules::exports(&script.module_record);
    let metered = meter::meter(&plain, &script.program);
    let tokens = map.get_tokens().map(|token| {
        (
            token.get_dst_line(),
            token.get_dst_col(),
            token.get_src_line(),
            token.get_src_col(),
        )
    });
    let positions = PositionMap::new(&plain, &metered.code, &metered.insertions, tokens);
    check_metered(&metered.code, &positions)?;
    if let Some((offset, why)) = metered.missing.first() {
        return Err(Failure::new(ErrorCode::Module, why.as_str())
            .at(positions.source_line(&plain, *offset), 1));
    }
    let charges = metered
        .charges
        .iter()
        .map(|(offset, gas)| Charge {
            line: positions.source_line(&plain, *offset),
            gas: *gas,
        })
        .collect();
    Ok(Compiled {
        code: metered.code,
        positions,
        exports,
        charges,
    })
}

/// Bodies have become blocks, where a name that is declared twice is an error.
fn check_metered(code: &str, positions: &PositionMap) -> Result<(), Failure> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, code, SourceType::mjs()).parse();
    let parse_error = parsed.diagnostics.into_iter().next();
    let diagnostic = parse_error.or_else(|| {
        let built = SemanticBuilder::new()
            .with_check_syntax_error(true)
            .build(&parsed.program);
        built.diagnostics.into_iter().next()
    });
    let Some(diagnostic) = diagnostic else {
        return Ok(());
    };
    let failure = Failure::new(
        ErrorCode::Syntax,
        format!(
            "{}; declare each name once in a function",
            diagnostic.message
        ),
    );
    let place = diagnostic.labels.first().and_then(|label| {
        let (line, column) = position::line_column(code, label.span().start as usize);
        positions.source(line, column)
    });
    Err(match place {
        Some((line, column)) => failure.at(line, column),
        None => failure,
    })
}

fn syntax(source: &str, diagnostic: &OxcDiagnostic) -> Failure {
    let message = match &diagnostic.help {
        Some(help) => format!("{} ({help})", diagnostic.message),
        None => diagnostic.message.to_string(),
    };
    let failure = Failure::new(ErrorCode::Syntax, message);
    match diagnostic.labels.first() {
        Some(label) => {
            let (line, column) = position::line_column(source, label.span().start as usize);
            failure.at(line, column)
        }
        None => failure,
    }
}

#[cfg(test)]
mod tests;

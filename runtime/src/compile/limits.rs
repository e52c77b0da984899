//! How large and how deep a source may be. What it may contain is in `rules`.

use tana_sandbox::message::{ErrorCode, Failure};

/// The largest source.
pub const MAX_SOURCE_BYTES: usize = 256 * 1024;

/// The deepest nesting of the syntax tree.
pub const MAX_DEPTH: u32 = 400;

/// Address space for the parser's stack: it recurses a few KiB for a byte of the worst source. Only touched pages
/// cost memory.
pub(super) const PARSER_STACK_BYTES: usize = 1 << 30;

pub(super) fn check_size(source: &str) -> Result<(), Failure> {
    if source.len() > MAX_SOURCE_BYTES {
        return Err(Failure::new(
            ErrorCode::SourceTooLarge,
            format!(
                "the source has {} bytes; a contract may have {MAX_SOURCE_BYTES}: split it up",
                source.len()
            ),
        ));
    }
    Ok(())
}

//! What the operations of one execution share.

use std::rc::Rc;

use deno_core::v8;

use super::patterns::Patterns;
use crate::host::{Host, Session};
use tana_sandbox::message::{Invocation, LogLevel, LogLine, Part};

/// Why an execution was ended from inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Abort {
    Gas,
    String,
    Array,
    Integer,
    Buffer,
    Stack,
}

impl Abort {
    pub(super) fn from_code(code: u32) -> Self {
        match code {
            1 => Self::String,
            2 => Self::Array,
            3 => Self::Integer,
            4 => Self::Buffer,
            5 => Self::Stack,
            _ => Self::Gas,
        }
    }
}

/// The state of one execution, in the isolate's `OpState`.
pub(super) struct Execution {
    pub(super) invocation: Rc<Invocation>,
    pub(super) host: Rc<dyn Host>,
    pub(super) session: Session,
    pub(super) abort: Option<Abort>,
    pub(super) handle: v8::IsolateHandle,
    pub(super) logs: Vec<LogLine>,
    /// How many random numbers have been drawn.
    pub(super) drawn: u64,
    /// Regular expressions that it has used.
    pub(super) patterns: Patterns,
    log_bytes: usize,
    /// The pieces of an answer that the host takes as a whole; none where the answer has none.
    pub(super) pieces: Option<Vec<u8>>,
    /// Bytes of pieces so far.
    piece_bytes: usize,
}

impl Execution {
    pub(super) fn new(
        invocation: Rc<Invocation>,
        host: Rc<dyn Host>,
        handle: v8::IsolateHandle,
    ) -> Self {
        let caller = invocation.caller.as_ref().map(|user| user.id.clone());
        let session = Session::new(
            invocation.authority.clone(),
            caller,
            invocation.contract_id.clone(),
        );
        Self {
            invocation,
            host,
            session,
            abort: None,
            handle,
            logs: Vec::new(),
            drawn: 0,
            patterns: Patterns::default(),
            log_bytes: 0,
            pieces: None,
            piece_bytes: 0,
        }
    }

    /// The head of an answer that comes in parts.
    pub(super) fn head(&mut self, head: Part) -> Result<(), String> {
        if !self.host.part(head)? {
            self.pieces = Some(Vec::new());
        }
        Ok(())
    }

    /// A piece of its body.
    pub(super) fn piece(&mut self, bytes: Vec<u8>) -> Result<(), String> {
        let most = self.invocation.limits.result_bytes;
        self.piece_bytes += bytes.len();
        if self.piece_bytes > most {
            return Err(format!("an answer has at most {most} bytes; send less"));
        }
        match &mut self.pieces {
            Some(pieces) => pieces.extend(bytes),
            None => {
                self.host.part(Part::Piece(bytes.into()))?;
            }
        }
        Ok(())
    }

    /// Keeps a line of output, until the limit; then one last line says that there was more.
    pub(super) fn log(&mut self, level: LogLevel, text: String) {
        let limit = self.invocation.limits.log_bytes;
        if self.log_bytes > limit {
            return;
        }
        self.log_bytes += text.len() + 1;
        if self.log_bytes > limit {
            let text = format!("(more output than {limit} bytes; the rest is not kept)");
            self.logs.push(LogLine {
                level: LogLevel::Error,
                text,
            });
        } else {
            self.logs.push(LogLine { level, text });
        }
    }
}

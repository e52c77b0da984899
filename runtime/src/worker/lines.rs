//! The messages of the host, from standard input. Read without a buffer that a forked copy would share: what one process
//! has not asked for stays in the stream for the other.

use std::io::stdin;

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::unistd::read;
use tana_sandbox::message::ToWorker;

/// The longest line that is read. An invocation holds a source and a request's body.
const MAX_LINE_BYTES: usize = 8 << 20;

/// What is read at a time.
const PIECE_BYTES: usize = 16 << 10;

/// What has been read and not been taken yet.
#[derive(Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// So many of them have no end of a line.
    searched: usize,
}

impl Lines {
    /// The next message, waited for; none at the end of the stream.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<ToWorker>> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(Some(message));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// A message that has come already.
    pub(super) fn take(&mut self) -> anyhow::Result<Option<ToWorker>> {
        let Some(end) = self.bytes[self.searched..]
            .iter()
            .position(|byte| *byte == b'\n')
        else {
            self.searched = self.bytes.len();
            if self.bytes.len() > MAX_LINE_BYTES {
                bail!("a request is longer than {MAX_LINE_BYTES} bytes");
            }
            return Ok(None);
        };
        let end = self.searched + end;
        let message =
            serde_json::from_slice(&self.bytes[..end]).context("a request is no message")?;
        self.bytes.drain(..=end);
        self.searched = 0;
        Ok(Some(message))
    }

    /// Reads what there is, and waits where there is nothing; `false` at the end of the stream.
    pub(super) fn fill(&mut self) -> anyhow::Result<bool> {
        let length = self.bytes.len();
        self.bytes.resize(length + PIECE_BYTES, 0);
        let count = loop {
            match read(stdin(), &mut self.bytes[length..]) {
                Err(Errno::EINTR) => {}
                other => break other.context("cannot read requests")?,
            }
        };
        self.bytes.truncate(length + count);
        Ok(count > 0)
    }

    /// Whether a message has come in part.
    pub(super) fn is_amid(&self) -> bool {
        !self.bytes.is_empty()
    }
}

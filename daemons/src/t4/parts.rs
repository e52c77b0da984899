//! The bytes of content, in parts: read where they lie in the page cache, elsewhere from the disk where blocking is allowed.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use async_stream::try_stream;
use bytes::{Bytes, BytesMut};
use futures::Stream;
use rustix::io::{Errno, ReadWriteFlags, preadv2};

use super::files::Found;

/// What is read at once: it stays in the processor's cache until it is sent.
const PART: u64 = 256 * 1024;

/// A range of content. Ends with an error where the file turns out to be shorter.
pub(super) fn parts(
    found: &Found,
    range: Range<u64>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    let file = found.file.clone();
    try_stream! {
        let mut at = range.start;
        while at < range.end {
            let length = usize::try_from((range.end - at).min(PART)).unwrap_or_default();
            let part = read(&file, at, length).await?;
            if part.is_empty() {
                Err(io::ErrorKind::UnexpectedEof)?;
            }
            at += part.len() as u64;
            yield part;
        }
    }
}

async fn read(file: &Arc<File>, at: u64, length: usize) -> io::Result<Bytes> {
    let mut buffer = BytesMut::zeroed(length);
    // Handing a read to another thread costs more than to copy what is there.
    let cached = preadv2(
        file,
        &mut [IoSliceMut::new(&mut buffer)],
        at,
        ReadWriteFlags::NOWAIT,
    );
    match cached {
        Ok(count) => {
            buffer.truncate(count);
            Ok(buffer.freeze())
        }
        Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS) => {
            let file = file.clone();
            let reading = move || {
                let count = file.read_at(&mut buffer, at)?;
                buffer.truncate(count);
                Ok(buffer.freeze())
            };
            tokio::task::spawn_blocking(reading)
                .await
                .map_err(io::Error::other)?
        }
        Err(error) => Err(error.into()),
    }
}

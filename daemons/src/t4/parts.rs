//! The bytes of content, in parts: read where they lie in the page cache, elsewhere from the disk where blocking is allowed;
//! or, where they go to a client as they are, sent by the kernel.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use async_stream::try_stream;
use axum::body::Body;
use bytes::Bytes;
use futures::Stream;
use futures::stream::BoxStream;
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use tana_kit::Wire;
use tana_kit::wire::MOST;

use super::files::Found;

/// What is read at once: it stays in the processor's cache until it is sent.
const PART: usize = 128 * 1024;

/// The cache is looked at in steps of so many bytes.
const LOOKS: usize = 256 * 1024;

/// A range of content. Ends with an error where the file turns out to be shorter.
pub(super) fn parts(
    found: &Found,
    range: Range<u64>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    let file = found.file.clone();
    try_stream! {
        let mut at = range.start;
        while at < range.end {
            let length = usize::try_from(range.end - at).unwrap_or(PART).min(PART);
            let part = read(&file, at, length).await?;
            if part.is_empty() {
                Err(io::ErrorKind::UnexpectedEof)?;
            }
            at += part.len() as u64;
            yield part;
        }
    }
}

/// A range of content as a body: the kernel sends what it has in its cache, the rest comes from the disk in parts.
pub(super) fn sent(found: &Found, range: Range<u64>, wire: Option<Wire>) -> Body {
    let Some(wire) = wire else {
        return Body::from_stream(parts(found, range));
    };
    let file = found.file.clone();
    let sent: BoxStream<'static, io::Result<Bytes>> = Box::pin(try_stream! {
        let mut at = range.start;
        while at < range.end {
            let length = cached(&file, at..range.end);
            let part = if length > 0 {
                wire.stand_in(&file, at, length)
            } else {
                let length = usize::try_from(range.end - at).unwrap_or(PART).min(PART);
                read(&file, at, length).await?
            };
            if part.is_empty() {
                Err(io::ErrorKind::UnexpectedEof)?;
            }
            at += part.len() as u64;
            yield part;
        }
    });
    Body::from_stream(sent)
}

/// How much of the beginning of a range is in the cache, as far as a look here and there tells.
fn cached(file: &File, range: Range<u64>) -> usize {
    let most = usize::try_from(range.end - range.start)
        .unwrap_or(MOST)
        .min(MOST);
    let there = |step: usize| {
        let mut byte = [0];
        let looked = preadv2(
            file,
            &mut [IoSliceMut::new(&mut byte)],
            range.start + step as u64,
            ReadWriteFlags::NOWAIT,
        );
        looked == Ok(1)
    };
    let mut length = 0;
    while length < most {
        let next = most.min(length + LOOKS);
        if !there(length) || !there(next - 1) {
            break;
        }
        length = next;
    }
    length
}

async fn read(file: &Arc<File>, at: u64, length: usize) -> io::Result<Bytes> {
    let mut part = Part::of(length);
    // Handing a read to another thread costs more than to copy what is there.
    let cached = preadv2(
        file,
        &mut [IoSliceMut::new(part.room())],
        at,
        ReadWriteFlags::NOWAIT,
    );
    part.length = match cached {
        Ok(count) => count,
        Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS) => {
            let file = file.clone();
            let reading = move || {
                part.length = file.read_at(part.room(), at)?;
                Ok(part)
            };
            let read = tokio::task::spawn_blocking(reading).await;
            return read.map_err(io::Error::other)?.map(Bytes::from_owner);
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Bytes::from_owner(part))
}

/// Buffers for the next parts, the one used last on top: it is still in the processor's cache. New ones would be cleared
/// by us, and their pages by the system before.
static BUFFERS: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());
/// So many are kept.
const KEPT: usize = 32;

/// Bytes of content in a buffer that goes back when they have been sent.
struct Part {
    buffer: Box<[u8]>,
    length: usize,
}

impl Part {
    fn of(length: usize) -> Self {
        let kept = BUFFERS.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let buffer = kept.unwrap_or_else(|| vec![0; PART].into_boxed_slice());
        let length = length.min(buffer.len());
        Self { buffer, length }
    }

    fn room(&mut self) -> &mut [u8] {
        &mut self.buffer[..self.length]
    }
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut buffers = BUFFERS.lock().unwrap_or_else(PoisonError::into_inner);
        if buffers.len() < KEPT {
            buffers.push(std::mem::take(&mut self.buffer));
        }
    }
}

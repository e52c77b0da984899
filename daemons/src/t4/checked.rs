//! Reads content against its hash while it is sent. The last part is held back until the hash is known, so that nobody
//! takes rotten bytes for whole ones.

use std::io;

use async_stream::try_stream;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use sha2::{Digest, Sha256};
use tana_protocol::Hash32;
use tokio::io::AsyncReadExt;

use super::files::Found;
use super::scrub::Scrub;

/// What is read, hashed and sent at once.
const PART: usize = 256 * 1024;

/// The whole content.
pub(super) fn body(found: Found, hash: Hash32, scrub: Scrub) -> Body {
    let parts: BoxStream<'static, io::Result<Bytes>> = Box::pin(try_stream! {
        let mut file = tokio::fs::File::from_std(found.file);
        file.set_max_buf_size(PART);
        let mut hasher = Sha256::new();
        let mut held = Bytes::new();
        let mut part = BytesMut::with_capacity(PART);
        while file.read_buf(&mut part).await? > 0 {
            let read = part.split().freeze();
            hasher.update(&read);
            let before = std::mem::replace(&mut held, read);
            if !before.is_empty() {
                yield before;
            }
            part.reserve(PART);
        }
        if Hash32(hasher.finalize().into()) != hash {
            if let Err(error) = scrub.found_rotten(hash).await {
                tracing::error!(%hash, "rotten content cannot be put in quarantine: {error}");
            }
            Err(io::Error::other("the content has rotted on the disk"))?;
        }
        yield held;
    });
    // A stream that ends with an error has its connection closed: the client sees that bytes are missing.
    Body::from_stream(parts)
}

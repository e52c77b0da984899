//! Reads content against its hash while it is sent. The last part is held back until the hash is known, so that nobody
//! takes rotten bytes for whole ones.

use std::io;

use async_stream::try_stream;
use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use sha2::{Digest, Sha256};
use tana_protocol::Hash32;

use super::files::Found;
use super::parts::parts;
use super::scrub::Scrub;

/// The whole content.
pub(super) fn body(found: Found, hash: Hash32, scrub: Scrub) -> Body {
    let checked: BoxStream<'static, io::Result<Bytes>> = Box::pin(try_stream! {
        let mut hasher = Sha256::new();
        let mut held = Bytes::new();
        let mut parts = Box::pin(parts(&found, 0..found.size));
        while let Some(part) = parts.next().await {
            let part = part?;
            hasher.update(&part);
            let before = std::mem::replace(&mut held, part);
            if !before.is_empty() {
                yield before;
            }
        }
        if Hash32(hasher.finalize().into()) != hash {
            if let Err(error) = scrub.found_rotten(hash, found).await {
                tracing::error!(%hash, "rotten content cannot be put in quarantine: {error}");
            }
            Err(io::Error::other("the content has rotted on the disk"))?;
        }
        yield held;
    });
    // A stream that ends with an error has its connection closed: the client sees that bytes are missing.
    Body::from_stream(checked)
}

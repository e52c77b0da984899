//! Takes a body to the disk in parts: while one part is hashed and written, the next one is received. Two parts in
//! memory, whatever the length.

use std::time::Duration;

use axum::body::Body;
use bytes::BytesMut;
use futures::StreamExt;
use tana_protocol::Hash32;
use tokio::task::JoinHandle;

use super::error::ContentError;
use super::files::Files;
use super::unfinished::{Kept, Upload};

/// What is hashed and written at once.
const PART: usize = 256 * 1024;
/// Silence after which an upload is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is still read of a body that is refused, so that the client gets to read why.
const LINGER_BYTES: usize = 16 << 20;
const LINGER: Duration = Duration::from_secs(5);

/// What came of an upload.
pub(super) struct Taken {
    pub(super) kept: Kept,
    pub(super) size: u64,
}

/// Reads the whole body and keeps it under `named`.
pub(super) async fn take(
    files: &Files,
    named: Hash32,
    body: Body,
    announced: Option<u64>,
    limit: u64,
) -> Result<Taken, ContentError> {
    if announced.is_some_and(|size| size > limit) {
        linger(body).await;
        return Err(ContentError::TooLarge(limit));
    }
    let upload = files.begin(named).await?;
    let upload = receive(upload, body, limit).await?;
    let size = upload.size();
    let kept = files.keep(named, upload).await?;
    Ok(Taken { kept, size })
}

/// The upload, and the part that was written, emptied: the same two are filled again and again.
type Writing = JoinHandle<Result<(Upload, BytesMut), ContentError>>;

fn write(mut upload: Upload, mut part: BytesMut) -> Writing {
    tokio::task::spawn_blocking(move || {
        upload.write(&part)?;
        part.clear();
        Ok((upload, part))
    })
}

async fn written(writing: Writing) -> Result<(Upload, BytesMut), ContentError> {
    writing
        .await
        .map_err(|error| ContentError::disk("content", std::io::Error::other(error)))?
}

async fn receive(upload: Upload, body: Body, limit: u64) -> Result<Upload, ContentError> {
    let mut chunks = body.into_data_stream();
    let mut part = BytesMut::with_capacity(PART);
    let mut writing = write(upload, BytesMut::with_capacity(PART));
    let mut size = 0_u64;
    loop {
        let chunk = match tokio::time::timeout(PATIENCE, chunks.next()).await {
            Err(_) => return Err(ContentError::Stalled(PATIENCE.as_secs())),
            Ok(Some(Err(_))) => return Err(ContentError::Broken),
            Ok(Some(Ok(chunk))) => chunk,
            Ok(None) => break,
        };
        size += chunk.len() as u64;
        if size > limit {
            linger(Body::from_stream(chunks)).await;
            return Err(ContentError::TooLarge(limit));
        }
        let mut chunk = &chunk[..];
        while !chunk.is_empty() {
            let (now, later) = chunk.split_at(chunk.len().min(PART - part.len()));
            part.extend_from_slice(now);
            chunk = later;
            if part.len() == PART {
                let (upload, empty) = written(writing).await?;
                writing = write(upload, std::mem::replace(&mut part, empty));
            }
        }
    }
    let (upload, _empty) = written(writing).await?;
    let (upload, _empty) = written(write(upload, part)).await?;
    Ok(upload)
}

/// Reads on for a while: a connection that is closed on unread bytes is reset, and the answer is lost with it.
async fn linger(body: Body) {
    let mut chunks = body.into_data_stream();
    let mut read = 0;
    let drain = async {
        while let Some(Ok(chunk)) = chunks.next().await {
            read += chunk.len();
            if read > LINGER_BYTES {
                break;
            }
        }
    };
    let _whole_or_not = tokio::time::timeout(LINGER, drain).await;
}

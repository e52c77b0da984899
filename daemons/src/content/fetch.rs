//! One content's bytes from several stores: where one breaks off, the next goes on from the same byte. Whether they are
//! the right ones is seen by who stores them, at the last byte.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_stream::try_stream;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use tana_protocol::{Hash32, NodeId};

use super::peers::Peer;

/// A store that sends nothing for so long is left for the next.
const PATIENCE: Duration = Duration::from_secs(15);
/// Each store is asked so many times at most for one content.
const ROUNDS: usize = 3;

/// How far a download has come, for who watches.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<Seen>);

/// What there is to see of a download.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) received: u64,
    pub(crate) size: Option<u64>,
    pub(crate) source: Option<NodeId>,
    /// Why it ended before the last byte.
    pub(crate) trouble: Option<String>,
}

impl Progress {
    pub(crate) fn seen(&self) -> Seen {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The bytes, in order. Ends with an error where no store could give the rest.
pub(crate) fn download(
    peers: Vec<Peer>,
    hash: Hash32,
    progress: Arc<Progress>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    try_stream! {
        let mut offset = 0;
        let mut size = None;
        let mut why = "no other node offers content".to_owned();
        for peer in std::iter::repeat_n(peers, ROUNDS).flatten() {
            let mut opened = match peer.client.open(&hash, offset).await {
                Ok(Some(opened)) if size.is_none_or(|size| size == opened.size) => opened,
                Ok(Some(_)) => {
                    why = format!("{} says another size than the others", peer.node);
                    continue;
                }
                Ok(None) => {
                    why = format!("{} does not have it", peer.node);
                    continue;
                }
                Err(error) => {
                    why = format!("{}: {error}", peer.node);
                    continue;
                }
            };
            size = Some(opened.size);
            progress.set(|seen| {
                seen.size = size;
                seen.source = Some(peer.node.clone());
            });
            loop {
                match tokio::time::timeout(PATIENCE, opened.bytes.next()).await {
                    Ok(Some(Ok(part))) => {
                        offset += part.len() as u64;
                        progress.set(|seen| seen.received = offset);
                        yield part;
                    }
                    Ok(Some(Err(error))) => {
                        why = format!("{} broke off at byte {offset}: {error}", peer.node);
                        break;
                    }
                    Ok(None) => break,
                    Err(_) => {
                        why = format!("{} sent nothing for {} s", peer.node, PATIENCE.as_secs());
                        break;
                    }
                }
            }
            if offset >= opened.size {
                return;
            }
        }
        progress.set(|seen| seen.trouble = Some(why.clone()));
        Err(io::Error::other(why))?;
    }
}

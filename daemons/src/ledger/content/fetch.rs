//! Brings one content from other nodes into this node's store, part by part: nothing of it lies in this process.

use std::sync::Arc;

use tana_client::ClientError;
use tana_protocol::{Code, Hash32};

use super::ContentSync;
use crate::content::{Peer, Progress, download};

impl ContentSync {
    /// Answers how many bytes came; 0 where it was in the store meanwhile.
    pub(super) async fn fetch(&self, hash: Hash32, progress: Arc<Progress>) -> Result<u64, String> {
        let store = &self.config.store;
        let here = store.size(&hash).await.map_err(|error| error.to_string())?;
        if here.is_some() {
            return Ok(0);
        }
        let peers = self.config.peers.list().await;
        let peers = peers.map_err(|error| error.to_string())?;
        match self.fetch_from(hash, peers.clone(), &progress).await {
            Err(Failed::WrongBytes) if peers.len() > 1 => {}
            Err(Failed::WrongBytes) => {
                return Err("the only other node has wrong bytes".to_owned());
            }
            Err(Failed::For(why)) => return Err(why),
            Ok(bytes) => return Ok(bytes),
        }
        // Parts came from several nodes, one of which has wrong ones: each alone.
        let mut why = "no node has the right bytes".to_owned();
        for peer in peers {
            let node = peer.node.clone();
            match self.fetch_from(hash, vec![peer], &progress).await {
                Ok(bytes) => return Ok(bytes),
                Err(Failed::WrongBytes) => {
                    tracing::warn!(%hash, "{node} has other bytes under this hash");
                }
                Err(Failed::For(reason)) => why = reason,
            }
        }
        Err(why)
    }

    async fn fetch_from(
        &self,
        hash: Hash32,
        peers: Vec<Peer>,
        progress: &Arc<Progress>,
    ) -> Result<u64, Failed> {
        let token = self
            .token()
            .ok_or_else(|| Failed::For("this home has no node key".to_owned()))?;
        let bytes = download(peers, hash, progress.clone());
        let stored = self.config.store.put_stream(&hash, bytes, &token).await;
        match stored {
            Ok(stored) => {
                let source = progress.seen().source;
                let from = source.map_or_else(String::new, |node| node.to_string());
                tracing::info!(%hash, bytes = stored.size, from, "content fetched");
                Ok(stored.size)
            }
            Err(error) if error.code() == Some(Code::HashMismatch) => Err(Failed::WrongBytes),
            Err(error @ ClientError::Problem(_)) => Err(Failed::For(error.to_string())),
            // The upload broke off because the download did; that one knows why.
            Err(error) => Err(Failed::For(
                progress.seen().trouble.unwrap_or_else(|| error.to_string()),
            )),
        }
    }
}

enum Failed {
    WrongBytes,
    For(String),
}

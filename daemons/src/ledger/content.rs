//! Keeps this node's content store with what the chain refers to: what is missing is fetched from other nodes, what no
//! block refers to is deleted after its grace. In the background; no block waits for it.
//!
//! `books` knows what is referenced and what is missing, `fetch` brings one content in.

mod books;
mod fetch;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use tana_client::{ClientError, ContentClient, PageQuery};
use tana_home::{KeyFile, Settings};
use tana_kit::{Context, Shutdown};
use tana_protocol::api::content::SyncStatus;
use tana_protocol::api::ledger::event;
use tana_protocol::node::NodeKey;
use tana_protocol::token::AUDIENCE;
use tana_protocol::{Hash32, NodeId, ServiceKind, ServiceToken, Timestamp};

use super::service::Ledger;
use crate::content::ContentPeers;
use books::Books;

/// Blocks that refer to content and are read at a time.
const BLOCKS: u32 = 500;
/// Contents of the store that are listed at a time.
const LISTED: u32 = 500;
/// How often the whole store is compared with the chain.
const WHOLE: Duration = Duration::from_secs(3600);
/// After trouble, and while something is missing.
const AGAIN: Duration = Duration::from_secs(2);
/// Contents that are fetched at the same time.
const TOGETHER: usize = 2;
/// How long a token of one request is good for.
const TOKEN: Duration = Duration::from_secs(300);

/// What the sync takes from the settings.
#[derive(Clone)]
pub struct ContentConfig {
    /// This node and its key; without it nothing can be stored.
    own: Option<(NodeId, NodeKey)>,
    store: ContentClient,
    peers: ContentPeers,
    /// How long content that no block refers to is kept; `None`: for ever.
    grace: Option<Duration>,
}

impl std::fmt::Debug for ContentConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContentConfig")
            .field("store", &self.store)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}

impl ContentConfig {
    /// From the settings.
    ///
    /// # Errors
    /// When the node's key file is there and not right, or an address is none.
    pub fn of(settings: &Settings) -> anyhow::Result<Self> {
        let own = KeyFile::find(&settings.home.node_key_file())?
            .map(|file| (settings.node_id.clone(), NodeKey::new(file.secret_key)));
        Ok(Self {
            own,
            store: ContentClient::new(&settings.url(ServiceKind::T4))?,
            peers: ContentPeers::new(settings)?,
            grace: Some(settings.content_grace).filter(|grace| !grace.is_zero()),
        })
    }
}

/// The sync. Clones share it.
#[derive(Clone)]
pub(super) struct ContentSync {
    ledger: Ledger,
    config: ContentConfig,
    books: Arc<Books>,
}

impl ContentSync {
    /// Starts its task.
    pub(super) fn start(ledger: Ledger, config: ContentConfig, context: &Context) -> Self {
        let sync = Self {
            ledger,
            config,
            books: Arc::default(),
        };
        let run = sync.clone().run(context.shutdown.clone());
        context.tasks.spawn("content sync", run);
        sync
    }

    pub(super) fn status(&self) -> SyncStatus {
        self.books.status()
    }

    async fn run(self, shutdown: Shutdown) {
        tokio::select! {
            () = self.keep_up() => {}
            () = shutdown.begun() => {}
        }
    }

    async fn keep_up(&self) {
        let mut blocks = Box::pin(self.ledger.hub().listen());
        let mut whole = None;
        loop {
            let compared = self.step(&mut whole).await;
            let waits = match compared {
                Ok(()) => {
                    self.books.trouble(None);
                    self.books.missing_count() > 0
                }
                Err(error) => {
                    self.books.trouble(Some(error.to_string()));
                    true
                }
            };
            let block = async {
                while let Some(told) = blocks.next().await {
                    if told.name() == event::BLOCK {
                        return;
                    }
                }
                std::future::pending::<()>().await;
            };
            let pause = if waits { AGAIN } else { WHOLE };
            tokio::select! {
                () = block => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Reads new blocks, compares the whole store when that is due, fetches what is missing and due.
    async fn step(&self, whole: &mut Option<tokio::time::Instant>) -> anyhow::Result<()> {
        self.read_blocks().await?;
        // Kept until each was looked for: a store that is away must not make them forgotten.
        let (unchecked, height) = (self.books.unchecked(), self.books.height());
        let nothing_referenced = self.books.referenced() == 0 && self.config.grace.is_none();
        if whole.is_none_or(|at| at.elapsed() >= WHOLE) && !nothing_referenced {
            self.compare().await?;
            *whole = Some(tokio::time::Instant::now());
        } else {
            for hash in &unchecked {
                if self.config.store.size(hash).await?.is_none() {
                    self.books.is_missing(*hash);
                }
            }
        }
        self.books.checked(&unchecked, height);
        let due = self.books.due();
        futures::stream::iter(due)
            .map(|(hash, progress)| async move {
                let fetched = self.fetch(hash, progress).await;
                self.books.tried(hash, fetched);
            })
            .buffer_unordered(TOGETHER)
            .collect::<()>()
            .await;
        Ok(())
    }

    /// Notes what the blocks refer to that were not read yet.
    async fn read_blocks(&self) -> anyhow::Result<()> {
        let tip = self.ledger.tip().header.height;
        while self.books.height() < tip {
            let after = self.books.height();
            let blocks = self.ledger.store().references(after, BLOCKS).await?;
            let whole_page = blocks.len() == BLOCKS as usize;
            let last = blocks.last().map(|(height, _)| *height);
            for (height, hashes) in blocks {
                for hash in hashes {
                    self.books.refers(height, hash);
                }
            }
            // A page that is not full is the last one: blocks above what it ends with refer to nothing.
            let read = if whole_page { last } else { None };
            self.books.read_up_to(read.unwrap_or(tip));
        }
        Ok(())
    }

    /// Compares all that the store has with all that the chain refers to.
    async fn compare(&self) -> anyhow::Result<()> {
        let Some(token) = self.token() else {
            anyhow::bail!("this home has no node key, which content is stored with");
        };
        let mut absent = self.books.all();
        let mut old = Vec::new();
        let mut query = PageQuery::first(LISTED);
        let now = self.ledger.now();
        loop {
            let page = self.config.store.list(&query, &token).await?;
            for content in page.items {
                if !absent.remove(&content.hash) && self.is_over(content.stored_at, now) {
                    old.push(content.hash);
                }
            }
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => break,
            }
        }
        for hash in absent {
            self.books.is_missing(hash);
        }
        self.collect(old).await
    }

    fn is_over(&self, stored: Timestamp, now: Timestamp) -> bool {
        self.config
            .grace
            .is_some_and(|grace| stored.plus(grace) < now)
    }

    /// Deletes what no block refers to. A block that came meanwhile is looked at before.
    async fn collect(&self, old: Vec<Hash32>) -> anyhow::Result<()> {
        if old.is_empty() {
            return Ok(());
        }
        self.read_blocks().await?;
        for hash in old {
            let Some(token) = self.token().filter(|_| !self.books.is_referenced(&hash)) else {
                continue;
            };
            match self.config.store.delete(&hash, &token).await {
                Ok(_) => {
                    self.books.collected();
                    tracing::info!(%hash, "content that no block refers to was deleted");
                }
                Err(ClientError::Problem(problem)) if problem.status == 404 => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The token that this node's ledger stores and deletes with.
    fn token(&self) -> Option<ServiceToken> {
        let (id, key) = self.config.own.as_ref()?;
        let kind = ServiceKind::Ledger;
        let audience = ServiceKind::T4.name().into();
        Some(ServiceToken::issue_for(
            &key.service_key(kind),
            kind,
            id.clone(),
            self.ledger.now(),
            TOKEN,
            serde_json::Map::from_iter([(AUDIENCE.to_owned(), audience)]),
        ))
    }
}

//! The content store: bytes by their SHA-256.

use std::io;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use reqwest::Method;
use tana_protocol::api::content::{Deleted, Listed, StoreInfo, Stored};
use tana_protocol::api::health::Health;
use tana_protocol::{Code, Hash32, ServiceToken};

use crate::error::ClientError;
use crate::http::{Http, Repeat};
use crate::page::{Page, PageQuery};

/// Content that comes.
pub struct Opened {
    /// The size of the whole.
    pub size: u64,
    /// The bytes from where they were asked for.
    pub bytes: BoxStream<'static, Result<Bytes, ClientError>>,
}

/// A client of one content store.
#[derive(Clone, Debug)]
pub struct ContentClient(Http);

impl ContentClient {
    /// A client of the store at a base URL. Nothing is connected yet.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn new(base: &str) -> Result<Self, ClientError> {
        Http::to("content store", base).map(Self)
    }

    /// Where it is.
    #[must_use]
    pub fn base(&self) -> &str {
        self.0.base()
    }

    /// Whether it lives and is ready, and what is not.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.0.health().await
    }

    /// Stores bytes under their hash. For ledgers.
    ///
    /// # Errors
    /// The problem when they are refused.
    pub async fn put(&self, bytes: Bytes, token: &ServiceToken) -> Result<Stored, ClientError> {
        let hash = Hash32::of(&bytes).to_hex();
        let call = self
            .0
            .request(Method::PUT, &["content", &hash])
            .token(token);
        let request = call.name();
        let response = call.open("application/json", Some(bytes.into())).await?;
        let body = self.0.read(&request, response, 64 * 1024).await?;
        self.0.decode(&request, &body)
    }

    /// Reads content of at most `limit` bytes and checks it against its hash; `None` where there is none.
    ///
    /// # Errors
    /// [`ClientError::TooLarge`], `hash-mismatch` where the store answers other bytes, or another problem.
    pub async fn get(&self, hash: &Hash32, limit: usize) -> Result<Option<Bytes>, ClientError> {
        let hex = hash.to_hex();
        let call = self.0.request(Method::GET, &["content", &hex]);
        let request = call.name();
        let response = match call.open("application/octet-stream", None).await {
            Err(error) if is_missing(&error) => return Ok(None),
            found => found?,
        };
        let body = self.0.read(&request, response, limit).await?;
        if Hash32::of(&body) == *hash {
            Ok(Some(body))
        } else {
            Err(ClientError::Problem(Box::new(tana_protocol::Problem::new(
                Code::HashMismatch,
                format!(
                    "the content store's bytes are not those of {hex}; its disk may be damaged"
                ),
            ))))
        }
    }

    /// Stores what comes over a stream, under a hash that is known before. For ledgers.
    ///
    /// # Errors
    /// `hash-mismatch`, or another problem; nothing is stored then.
    pub async fn put_stream<S>(
        &self,
        hash: &Hash32,
        bytes: S,
        token: &ServiceToken,
    ) -> Result<Stored, ClientError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        let hex = hash.to_hex();
        let call = self.0.request(Method::PUT, &["content", &hex]).token(token);
        let request = call.name();
        let body = reqwest::Body::wrap_stream(bytes);
        let response = call.open("application/json", Some(body)).await?;
        let body = self.0.read(&request, response, 64 * 1024).await?;
        self.0.decode(&request, &body)
    }

    /// Content from a byte on, as a stream that nobody has checked yet; `None` where there is none.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn open(&self, hash: &Hash32, offset: u64) -> Result<Option<Opened>, ClientError> {
        let hex = hash.to_hex();
        let mut call = self.0.request(Method::GET, &["content", &hex]);
        if offset > 0 {
            call = call.header(http::header::RANGE, &format!("bytes={offset}-"));
        }
        let request = call.name();
        let response = match call.open("application/octet-stream", None).await {
            Err(error) if is_missing(&error) => return Ok(None),
            found => found?,
        };
        let number = |name: &str| -> Option<u64> {
            response.headers().get(name)?.to_str().ok()?.parse().ok()
        };
        let starts = if response.status().as_u16() == 206 {
            offset
        } else {
            0
        };
        let Some(size) = number("x-content-size").filter(|_| starts == offset) else {
            return Err(ClientError::Status {
                service: "content store",
                request,
                status: response.status().as_u16(),
                detail: "the answer is not the part that was asked for".into(),
            });
        };
        let http = self.0.clone();
        let bytes = response
            .bytes_stream()
            .map(move |part| part.map_err(|error| http.failure(&request, error)))
            .boxed();
        Ok(Some(Opened { size, bytes }))
    }

    /// Has the store read content against its hash before it answers; `None` where there is none or it has rotted.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn check(&self, hash: &Hash32) -> Result<Option<u64>, ClientError> {
        self.head(hash, vec![("verify", "true".to_owned())]).await
    }

    /// What the store holds, in the order of hashes. For ledgers.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn list(
        &self,
        page: &PageQuery,
        token: &ServiceToken,
    ) -> Result<Page<Listed>, ClientError> {
        let call = self
            .0
            .request(Method::GET, &["content"])
            .query(page.pairs())
            .token(token);
        let request = call.name();
        let (headers, body) = call.send().await?;
        Ok(Page {
            items: self.0.decode(&request, &body)?,
            next: self.0.next_page(&headers),
        })
    }

    /// How much it holds, what has rotted, and the reading against the hashes.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn info(&self) -> Result<StoreInfo, ClientError> {
        self.0.get(&["info"]).await
    }

    /// Begins a reading of all content against its hashes. For ledgers.
    ///
    /// # Errors
    /// The problem when it is refused.
    pub async fn scrub(&self, token: &ServiceToken) -> Result<StoreInfo, ClientError> {
        self.0
            .request(Method::POST, &["scrub"])
            .repeat(Repeat::Allowed)
            .token(token)
            .json()
            .await
    }

    /// The size of content; `None` where there is none.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn size(&self, hash: &Hash32) -> Result<Option<u64>, ClientError> {
        self.head(hash, Vec::new()).await
    }

    async fn head(
        &self,
        hash: &Hash32,
        query: Vec<(&'static str, String)>,
    ) -> Result<Option<u64>, ClientError> {
        let hex = hash.to_hex();
        let call = self
            .0
            .request(Method::HEAD, &["content", &hex])
            .query(query);
        let request = call.name();
        let (status, headers, body) = call.answer().await?;
        match status {
            200 => Ok(headers
                .get("x-content-size")
                .and_then(|value| value.to_str().ok()?.parse().ok())),
            404 => Ok(None),
            _ => Err(self.0.problem(&request, status, &body)),
        }
    }

    /// Deletes content. For ledgers.
    ///
    /// # Errors
    /// `not-found`, or another problem.
    pub async fn delete(
        &self,
        hash: &Hash32,
        token: &ServiceToken,
    ) -> Result<Deleted, ClientError> {
        let hex = hash.to_hex();
        self.0
            .request(Method::DELETE, &["content", &hex])
            .repeat(Repeat::Allowed)
            .token(token)
            .json()
            .await
    }
}

fn is_missing(error: &ClientError) -> bool {
    match error {
        ClientError::Problem(problem) => problem.status == 404,
        ClientError::Status { status, .. } => *status == 404,
        _ => false,
    }
}

//! The content store: bytes by their SHA-256.

use bytes::Bytes;
use reqwest::Method;
use tana_protocol::api::content::{Deleted, Stored};
use tana_protocol::api::health::Health;
use tana_protocol::{Code, Hash32, ServiceToken};

use crate::error::ClientError;
use crate::http::{Http, Repeat};

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

    /// The size of content; `None` where there is none.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn size(&self, hash: &Hash32) -> Result<Option<u64>, ClientError> {
        let hex = hash.to_hex();
        let call = self.0.request(Method::HEAD, &["content", &hex]);
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

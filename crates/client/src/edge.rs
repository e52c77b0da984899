//! The edge: contracts over HTTP, as any browser calls them.

use bytes::Bytes;
use reqwest::Method;
use tana_protocol::api::health::Health;

use crate::error::ClientError;
use crate::http::Http;

/// What a contract answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeAnswer {
    /// The HTTP status that the contract, or the edge, chose.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// A client of one edge.
#[derive(Clone, Debug)]
pub struct EdgeClient(Http);

impl EdgeClient {
    /// A client of the edge at a base URL. Nothing is connected yet.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn new(base: &str) -> Result<Self, ClientError> {
        Http::to("edge", base).map(Self)
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

    /// Calls a contract's `get()`.
    ///
    /// # Errors
    /// When there is no answer; a status that is none of 2xx is an answer.
    pub async fn get(&self, contract: &str, path: &[&str]) -> Result<EdgeAnswer, ClientError> {
        let path: Vec<&str> = std::iter::once(contract)
            .chain(path.iter().copied())
            .collect();
        let (status, _, body) = self.0.request(Method::GET, &path).answer().await?;
        Ok(EdgeAnswer { status, body })
    }

    /// Calls a contract's `post()`.
    ///
    /// # Errors
    /// When there is no answer; a status that is none of 2xx is an answer.
    pub async fn post(
        &self,
        contract: &str,
        path: &[&str],
        body: &serde_json::Value,
    ) -> Result<EdgeAnswer, ClientError> {
        let path: Vec<&str> = std::iter::once(contract)
            .chain(path.iter().copied())
            .collect();
        let call = self.0.request(Method::POST, &path).body(body);
        let (status, _, body) = call.answer().await?;
        Ok(EdgeAnswer { status, body })
    }
}

//! Who takes notifications to phones: a push service's one address, which is posted to.

use std::time::Duration;

use reqwest::Method;
use serde::Serialize;

use crate::error::ClientError;
use crate::http::{Http, retry_after};

/// More of an answer than this is not read.
const ANSWER: usize = 256 * 1024;

/// A client of one push service.
#[derive(Clone, Debug)]
pub struct PushClient(Http);

/// What a push service answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushAnswer {
    /// The HTTP status.
    pub status: u16,
    /// When it may be tried again, where the service says so.
    pub retry_after: Option<Duration>,
    /// The body, whole.
    pub body: Vec<u8>,
}

impl PushClient {
    /// A client of the service at exactly this address. Nothing is connected yet.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn new(url: &str) -> Result<Self, ClientError> {
        Http::at("push service", url).map(Self)
    }

    /// Hands something over, once: whether and when again is the caller's to say.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post<B: Serialize + ?Sized>(
        &self,
        body: &B,
        bearer: Option<&str>,
    ) -> Result<PushAnswer, ClientError> {
        let mut call = self.0.request(Method::POST, &[]).body(body);
        if let Some(bearer) = bearer {
            call = call.bearer(bearer.to_owned());
        }
        let (status, headers, body) = call.limited(ANSWER).answer().await?;
        Ok(PushAnswer {
            status,
            retry_after: retry_after(&headers),
            body: body.to_vec(),
        })
    }
}

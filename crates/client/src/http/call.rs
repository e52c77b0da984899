//! One request: put together, sent, tried again where that is safe, and its answer.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tana_protocol::ServiceToken;

use super::{ANSWER, Http, Repeat};
use crate::error::ClientError;

/// The largest answer that is read. The largest there is: a page of 500 transactions of 10 KiB each, with room.
pub(super) const LARGEST: usize = 32 * 1024 * 1024;
/// Before the second and the third try of a request that may be repeated.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(200)];
/// Longer `Retry-After` than this is handed to the caller instead of being waited for.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A status, headers and body; or why there are none.
type Found = Result<(u16, HeaderMap, Bytes), ClientError>;

/// A request being put together.
pub(crate) struct Call<'a> {
    pub(super) http: &'a Http,
    pub(super) method: Method,
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
    pub(super) media: Option<&'static str>,
    pub(super) bearer: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) repeat: Repeat,
    pub(super) largest: usize,
}

impl Call<'_> {
    pub(crate) fn query(mut self, pairs: Vec<(&'static str, String)>) -> Self {
        self.query.extend(pairs);
        self
    }

    pub(crate) const fn repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }

    pub(crate) fn body<B: Serialize + ?Sized>(self, body: &B) -> Self {
        self.text(tana_protocol::json::compact(body))
    }

    /// A body that is JSON text already.
    pub(crate) fn text(mut self, json: String) -> Self {
        self.body = json.into();
        self.media = Some("application/json");
        self
    }

    pub(crate) fn token(self, token: &ServiceToken) -> Self {
        let text = token.encode();
        self.bearer(text)
    }

    pub(crate) fn bearer(mut self, text: String) -> Self {
        self.bearer = Some(text);
        self
    }

    /// Reads no larger answer than this.
    pub(crate) const fn limited(mut self, largest: usize) -> Self {
        self.largest = largest;
        self
    }

    /// Method and path, for messages.
    pub(crate) fn name(&self) -> String {
        format!("{} /{}", self.method, self.path.join("/"))
    }

    fn build(&self) -> RequestBuilder {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let mut request = self
            .http
            .client
            .request(self.method.clone(), self.http.url(&path, &self.query))
            .headers(self.headers.clone());
        if let Some(media) = self.media {
            request = request.header(CONTENT_TYPE, media).body(self.body.clone());
        }
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer);
        }
        request
    }

    /// Sends it, again where that is allowed and of use, and reads an answer of 2xx.
    pub(crate) async fn send(self) -> Result<(HeaderMap, Bytes), ClientError> {
        let (status, headers, body) = self.answer().await?;
        if (200..300).contains(&status) {
            Ok((headers, body))
        } else {
            Err(self.http.problem(&self.name(), status, &body))
        }
    }

    /// The same, whatever the status of the last try is.
    pub(crate) async fn answer(&self) -> Found {
        let mut pauses = PAUSES.into_iter();
        let mut doubt = None;
        loop {
            let found = self.once().await;
            let (again, after) = match &found {
                Ok((status, headers, _)) => (matches!(status, 429 | 503), retry_after(headers)),
                Err(error) => (error.is_transient(), None),
            };
            if !again || self.repeat == Repeat::Forbidden {
                return self.after(doubt, found);
            }
            let Some(pause) = pauses.next() else {
                return self.after(doubt, found);
            };
            let pause = after.unwrap_or(pause).max(pause);
            if pause > LONGEST_PAUSE {
                return self.after(doubt, found);
            }
            if let Err(error) = found
                && error.is_outcome_unknown()
            {
                doubt = Some(error);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// That the last try was not carried out does not say that an earlier one was not: then that one's error is the answer.
    fn after(&self, doubt: Option<ClientError>, found: Found) -> Found {
        let not_done = match &found {
            Ok((status, ..)) => matches!(status, 429 | 503),
            Err(error) => error.is_unreachable(),
        };
        match doubt {
            Some(doubt) if not_done && !self.method.is_safe() => Err(doubt),
            _ => found,
        }
    }

    async fn once(&self) -> Found {
        let request = self.name();
        let sent = self.build().timeout(ANSWER).send().await;
        let response = sent.map_err(|error| self.http.failure(&request, error))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = self.http.read(&request, response, self.largest).await?;
        Ok((status, headers, body))
    }

    pub(crate) async fn json<T: DeserializeOwned + Send + 'static>(self) -> Result<T, ClientError> {
        let (http, request) = (self.http, self.name());
        let (_, body) = self.send().await?;
        http.decode_body(request, body).await
    }

    /// Sends it without a limit on how long the body may take, and hands over a response of 2xx.
    pub(crate) async fn open(
        mut self,
        accept: &'static str,
        body: Option<reqwest::Body>,
    ) -> Result<Response, ClientError> {
        let request = self.name();
        self.headers
            .insert(ACCEPT, http::HeaderValue::from_static(accept));
        let mut sending = self.build();
        let uploads = body.is_some();
        if let Some(body) = body {
            sending = sending.body(body);
        }
        let sent = if uploads {
            sending.send().await
        } else {
            match tokio::time::timeout(ANSWER, sending.send()).await {
                Ok(sent) => sent,
                Err(_) => {
                    return Err(ClientError::TimedOut {
                        service: self.http.service,
                        url: self.http.base().to_owned(),
                        request,
                        seconds: ANSWER.as_secs(),
                    });
                }
            }
        };
        let response = sent.map_err(|error| self.http.failure(&request, error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = self.http.read(&request, response, 64 * 1024).await?;
        Err(self.http.problem(&request, status.as_u16(), &body))
    }

    pub(crate) fn header(mut self, name: http::HeaderName, value: &str) -> Self {
        // A value that is no header text (a control character in an id) is left out rather than sent broken.
        if let Ok(value) = value.parse() {
            self.headers.insert(name, value);
        }
        self
    }
}

pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?;
    text.parse().ok().map(Duration::from_secs)
}

//! The one HTTP plumbing: where a daemon is, time limits, retries, size limits and the mapping of errors.

mod call;

use std::error::Error as _;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use reqwest::header::HeaderMap;
use reqwest::{Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tana_protocol::Problem;
use url::{Host, Url};

use crate::error::ClientError;
use crate::page::{Page, PageQuery, next_cursor};

pub(crate) use self::call::{Call, retry_after};

/// A connection that is not there by then will not come.
const CONNECT: Duration = Duration::from_secs(2);
/// A request that is not answered by then is given up.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);
/// An answer larger than this is decoded on a thread of its own: a console on one thread answers keys meanwhile.
const LARGE: usize = 256 * 1024;

/// Whether a request may be sent again when its fate is unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Doing it twice is doing it once.
    Allowed,
    Forbidden,
}

/// A daemon's address and a connection pool of its own.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: reqwest::Client,
    base: Url,
    service: &'static str,
    socket: Option<PathBuf>,
}

/// TLS needs a provider even where only plain HTTP is spoken; the process has one.
fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error says that the program has installed one itself, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
        None => false,
    }
}

fn builder() -> reqwest::ClientBuilder {
    install_crypto();
    reqwest::Client::builder()
        .connect_timeout(CONNECT)
        // Shorter than any server's keep-alive, so that a request never meets a connection that is being closed.
        .pool_idle_timeout(Duration::from_secs(20))
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("tana/", env!("CARGO_PKG_VERSION")))
}

impl Http {
    /// A daemon at a base URL.
    pub(crate) fn to(service: &'static str, base: &str) -> Result<Self, ClientError> {
        let wrong = || ClientError::Url {
            service,
            text: base.to_owned(),
        };
        let mut url = Url::parse(base).map_err(|_| wrong())?;
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Self::at(service, url.as_str()).map_err(|error| match error {
            ClientError::Url { .. } => wrong(),
            other => other,
        })
    }

    /// One address that is asked as it is.
    pub(crate) fn at(service: &'static str, text: &str) -> Result<Self, ClientError> {
        let wrong = || ClientError::Url {
            service,
            text: text.to_owned(),
        };
        let url = Url::parse(text).map_err(|_| wrong())?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong());
        }
        let mut builder = builder();
        if url.scheme() == "http" {
            // Reading the system's root certificates takes longer than all the rest of a short command.
            builder = builder.tls_certs_only([]);
        }
        if is_loopback(&url) {
            builder = builder.no_proxy();
        }
        Ok(Self {
            client: builder.build().map_err(ClientError::Tls)?,
            base: url,
            service,
            socket: None,
        })
    }

    /// A daemon behind a Unix socket.
    pub(crate) fn on_socket(service: &'static str, socket: &Path) -> Result<Self, ClientError> {
        let base = Url::parse("http://node/").map_err(|_| ClientError::Url {
            service,
            text: socket.display().to_string(),
        })?;
        let client = builder()
            .tls_certs_only([])
            .no_proxy()
            .unix_socket(socket)
            .build()
            .map_err(ClientError::Tls)?;
        Ok(Self {
            client,
            base,
            service,
            socket: Some(socket.to_owned()),
        })
    }

    /// The base URL without its last slash.
    pub(crate) fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Whether silence on the line can mean that the other side is gone: not on this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.socket.is_some() || is_loopback(&self.base)
    }

    fn url(&self, path: &[&str], query: &[(&str, String)]) -> Url {
        let mut url = self.base.clone();
        if path.is_empty() && query.is_empty() {
            return url;
        }
        // http and https URLs can be a base, so this never fails; each segment is escaped.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Starts a request.
    pub(crate) fn request(&self, method: Method, path: &[&str]) -> Call<'_> {
        Call {
            http: self,
            repeat: if method == Method::GET || method == Method::HEAD {
                Repeat::Allowed
            } else {
                Repeat::Forbidden
            },
            method,
            path: path.iter().map(|&segment| segment.to_owned()).collect(),
            query: Vec::new(),
            body: Bytes::new(),
            media: None,
            bearer: None,
            headers: HeaderMap::new(),
            largest: call::LARGEST,
        }
    }

    /// Reads JSON.
    pub(crate) async fn get<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &[&str],
    ) -> Result<T, ClientError> {
        self.request(Method::GET, path).json().await
    }

    /// Reads a page of a list.
    pub(crate) async fn page<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &[&str],
        query: &PageQuery,
        filter: Vec<(&'static str, String)>,
    ) -> Result<Page<T>, ClientError> {
        let call = self
            .request(Method::GET, path)
            .query(filter)
            .query(query.pairs());
        let request = call.name();
        let (headers, body) = call.send().await?;
        Ok(Page {
            items: self.decode_body(request, body).await?,
            next: next_cursor(&headers, &self.base),
        })
    }

    /// Sends JSON, reads JSON.
    pub(crate) async fn post<B: Serialize + ?Sized, T: DeserializeOwned + Send + 'static>(
        &self,
        path: &[&str],
        body: &B,
        repeat: Repeat,
    ) -> Result<T, ClientError> {
        let call = self.request(Method::POST, path).repeat(repeat);
        call.body(body).json().await
    }

    /// The cursor of the next page, where there is one.
    pub(crate) fn next_page(&self, headers: &HeaderMap) -> Option<String> {
        next_cursor(headers, &self.base)
    }

    pub(crate) fn decode<T: DeserializeOwned>(
        &self,
        request: &str,
        body: &[u8],
    ) -> Result<T, ClientError> {
        decode(self.service, request, body)
    }

    /// The same for an answer of any size.
    async fn decode_body<T: DeserializeOwned + Send + 'static>(
        &self,
        request: String,
        body: Bytes,
    ) -> Result<T, ClientError> {
        let service = self.service;
        if body.len() <= LARGE {
            return decode(service, &request, &body);
        }
        match tokio::task::spawn_blocking(move || decode(service, &request, &body)).await {
            Ok(decoded) => decoded,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Cancelled: the runtime ends, and nobody waits for the answer any more.
                Err(_) => std::future::pending().await,
            },
        }
    }

    pub(crate) fn failure(&self, request: &str, error: reqwest::Error) -> ClientError {
        let service = self.service;
        if error.is_connect() || refused(&error) {
            return match &self.socket {
                Some(socket) => ClientError::NoNode {
                    socket: socket.clone(),
                    source: error,
                },
                None => ClientError::Unreachable {
                    service,
                    url: self.base().to_owned(),
                    source: error,
                },
            };
        }
        let url = match &self.socket {
            Some(socket) => socket.display().to_string(),
            None => self.base().to_owned(),
        };
        let request = request.to_owned();
        if error.is_timeout() {
            ClientError::TimedOut {
                service,
                url,
                request,
                seconds: ANSWER.as_secs(),
            }
        } else {
            ClientError::Broken {
                service,
                url,
                request,
                source: error,
            }
        }
    }

    /// Makes the error of an answer that is none of 2xx.
    pub(crate) fn problem(&self, request: &str, status: u16, body: &[u8]) -> ClientError {
        if let Ok(problem) = serde_json::from_slice::<Problem>(body) {
            return ClientError::Problem(Box::new(problem));
        }
        // Another version's code, or an older daemon: its text still says what happened.
        let text = serde_json::from_slice::<serde_json::Value>(body)
            .ok()
            .and_then(|value| {
                let text = value.get("detail").or_else(|| value.get("error"));
                text?.as_str().map(str::to_owned)
            })
            .unwrap_or_else(|| String::from_utf8_lossy(body).trim().to_owned());
        let shown: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
        ClientError::Status {
            service: self.service,
            request: request.to_owned(),
            status,
            detail: if shown.is_empty() {
                "nothing more".to_owned()
            } else {
                shown
            },
        }
    }

    /// Reads a body, at most `limit` bytes of it.
    pub(crate) async fn read(
        &self,
        request: &str,
        response: Response,
        limit: usize,
    ) -> Result<Bytes, ClientError> {
        let too_large = || ClientError::TooLarge {
            service: self.service,
            request: request.to_owned(),
            limit,
        };
        let announced = response.content_length().unwrap_or(0);
        if announced > u64::try_from(limit).unwrap_or(u64::MAX) {
            return Err(too_large());
        }
        let mut chunks = response.bytes_stream();
        let mut body = BytesMut::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| self.failure(request, error))?;
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}

fn decode<T: DeserializeOwned>(
    service: &'static str,
    request: &str,
    body: &[u8],
) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|source| ClientError::Form {
        service,
        request: request.to_owned(),
        source,
    })
}

/// Whether the operating system says that nothing is there.
fn refused(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            return matches!(
                cause.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            );
        }
        source = cause.source();
    }
    false
}

impl Http {
    /// `GET /health`, which has a body of one form whether the daemon is ready (200) or not (503).
    pub(crate) async fn health(&self) -> Result<tana_protocol::api::health::Health, ClientError> {
        let call = self
            .request(Method::GET, &["health"])
            .repeat(Repeat::Forbidden);
        let request = call.name();
        let (status, _, body) = call.answer().await?;
        match self.decode(&request, &body) {
            Err(_) if !(200..300).contains(&status) => Err(self.problem(&request, status, &body)),
            decoded => decoded,
        }
    }
}

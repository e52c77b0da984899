//! Requests of contracts to hosts that are allowed by name: no redirect out of the list, no private address behind a
//! public name, limits on size and time.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Once};
use std::time::Duration;

use futures::StreamExt;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Method, Url};
use serde_json::Value;

use crate::message::{HttpResponse, Question};

const TIMEOUT: Duration = Duration::from_secs(4);
const MAX_BODY_BYTES: usize = 1 << 20;
const MAX_REDIRECTS: usize = 4;

/// Answers a [`Question::Fetch`] where the host is in `allowed` (`example.com`, or `localhost:8080` with a port).
///
/// # Errors
/// A sentence for the contract.
pub async fn fetch(allowed: &[String], question: Question) -> Result<Value, String> {
    let Question::Fetch {
        url,
        method,
        headers,
        body,
    } = question
    else {
        return Err("this is not a request".into());
    };
    let mut url = Url::parse(&url).map_err(|error| format!("{url} is no URL: {error}"))?;
    let mut method = Method::from_bytes(method.as_bytes())
        .map_err(|_| format!("there is no method {method}"))?;
    let mut body = match body {
        None => None,
        Some(body) => Some(body.into_bytes().map_err(|error| error.to_string())?),
    };
    for _ in 0..=MAX_REDIRECTS {
        let client = client(permit(allowed, &url)?)?;
        let mut request = client.request(method.clone(), url.clone());
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        if let Some(body) = &body {
            request = request.body(body.clone());
        }
        let response = request
            .send()
            .await
            .map_err(|error| format!("{url} cannot be reached: {}", innermost(&error)))?;
        let next = response
            .headers()
            .get("location")
            .and_then(|to| to.to_str().ok())
            .map(str::to_owned);
        let Some(next) = next.filter(|_| response.status().is_redirection()) else {
            return answer(&url, response).await;
        };
        url = url
            .join(&next)
            .map_err(|error| format!("{url} redirects to {next}, which is no URL: {error}"))?;
        if response.status().as_u16() == 303
            || method == Method::POST && response.status().as_u16() < 303
        {
            method = Method::GET;
            body = None;
        }
    }
    Err(format!("{url} redirects more than {MAX_REDIRECTS} times"))
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Whether a private address may stand behind the host: only where the list names host and port.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Public,
    Private,
}

fn permit(allowed: &[String], url: &Url) -> Result<Reach, String> {
    if url.scheme() != "https" && url.scheme() != "http" {
        return Err(format!("{url}: only http and https can be fetched"));
    }
    let host = url.host_str().unwrap_or_default();
    let with_port = format!("{host}:{}", url.port_or_known_default().unwrap_or(0));
    if allowed
        .iter()
        .any(|one| one.eq_ignore_ascii_case(&with_port))
    {
        return Ok(Reach::Private);
    }
    if !allowed.iter().any(|one| one.eq_ignore_ascii_case(host)) {
        return Err(format!(
            "{host} is not an allowed host; allowed are: {}",
            allowed.join(", ")
        ));
    }
    // An address in the URL is not resolved, so it is judged here.
    let literal = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    if literal.is_ok_and(|address| !is_public(address)) {
        return Err(format!(
            "{host} is a private address; allow it together with its port"
        ));
    }
    Ok(Reach::Public)
}

fn client(reach: Reach) -> Result<Client, String> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Another part of the program may have chosen the same one before.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let builder = Client::builder()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    let builder = if reach == Reach::Public {
        builder.dns_resolver(Arc::new(PublicOnly))
    } else {
        builder
    };
    builder.build().map_err(|error| error.to_string())
}

/// Leaves out private addresses when a name is resolved, so that what is checked is what is connected to.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(format!(
                    "{} has no public address; allow it together with its port",
                    name.as_str()
                )
                .into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || a == 100 && (64..128).contains(&b)
                || a == 198 && (b == 18 || b == 19))
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.segments()[0] == 0x64)
        }
    }
}

async fn answer(url: &Url, response: reqwest::Response) -> Result<Value, String> {
    let status = response.status().as_u16();
    let headers: BTreeMap<String, String> = response
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let mut bytes = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| format!("{url} broke off: {}", innermost(&error)))?;
        if bytes.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(format!(
                "the answer of {url} is larger than {MAX_BODY_BYTES} bytes"
            ));
        }
        bytes.extend_from_slice(&chunk);
    }
    serde_json::to_value(HttpResponse {
        status,
        headers,
        body: bytes.into(),
    })
    .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn reach(allowed: &[&str], url: &str) -> Result<Reach, String> {
        let allowed: Vec<String> = allowed.iter().map(|one| (*one).to_owned()).collect();
        permit(&allowed, &Url::parse(url).unwrap())
    }

    #[test]
    fn a_host_must_be_on_the_list() {
        assert!(
            reach(&["example.com"], "https://example.com/a")
                .is_ok_and(|reach| reach == Reach::Public)
        );
        assert!(reach(&["example.com"], "https://example.com.evil.net/").is_err());
        assert!(reach(&["example.com"], "https://example.com@evil.net/").is_err());
        assert!(reach(&["example.com"], "file:///etc/passwd").is_err());
    }

    #[test]
    fn a_private_address_must_be_allowed_with_its_port() {
        assert!(reach(&["127.0.0.1"], "http://127.0.0.1:8080/").is_err());
        assert!(
            reach(&["127.0.0.1:8080"], "http://127.0.0.1:8080/")
                .is_ok_and(|reach| reach == Reach::Private)
        );
        assert!(reach(&["127.0.0.1:8080"], "http://127.0.0.1:22/").is_err());
        assert!(reach(&["2130706433"], "http://2130706433/").is_err());
    }

    #[test]
    fn private_addresses_are_known() {
        for text in [
            "10.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "0.0.0.0",
            "64:ff9b::a00:1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in ["1.1.1.1", "2606:4700::1111"] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }
}

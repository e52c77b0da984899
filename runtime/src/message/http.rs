//! What an edge handler is given, and what it answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Bytes of an HTTP message: text as it is, everything else in Base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Body {
    /// UTF-8.
    Text(String),
    /// Any bytes.
    Base64(String),
}

/// A request to an edge handler.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// The path below the contract, with a leading slash.
    pub path: String,
    /// Query parameters; the last of a name counts.
    pub query: BTreeMap<String, String>,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Path segments by position and, where a route names them, by name.
    pub params: BTreeMap<String, String>,
    /// The client's address.
    pub ip: String,
    /// The body of a `POST`.
    pub body: Option<Body>,
}

/// The answer of an edge handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Body.
    pub body: Body,
}

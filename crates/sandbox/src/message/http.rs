//! What an edge handler is given, and what it answers.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Base64(STANDARD.encode(error.into_bytes())),
        }
    }
}

impl Body {
    /// The bytes.
    ///
    /// # Errors
    /// Where what should be Base64 is not.
    pub fn into_bytes(self) -> Result<Vec<u8>, base64::DecodeError> {
        match self {
            Self::Text(text) => Ok(text.into_bytes()),
            Self::Base64(text) => STANDARD.decode(text),
        }
    }
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

/// A part of an answer that is sent while the handler goes on: first its head, then pieces of its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// How it begins.
    Head {
        /// Status code.
        status: u16,
        /// Headers, names in lower case.
        headers: BTreeMap<String, String>,
    },
    /// What follows.
    Piece(Body),
}

//! Service auth tokens: how one service proves to another who it is (design §4).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::NodeId;
use crate::json::compact;
use crate::key::{KeyError, PublicKey, SecretKey, Signature};
use crate::service::ServiceKind;
use crate::time::{Timestamp, ms};

/// How long a token may live at most.
pub const MAX_LIFETIME: Duration = Duration::from_secs(3600);
/// How far two clocks may differ.
pub const CLOCK_SKEW: Duration = Duration::from_secs(60);
/// Longer tokens are refused unread.
pub const MAX_LENGTH: usize = 8 * 1024;

/// In the payload: the only service that may take the token, by its name.
pub const AUDIENCE: &str = "aud";
/// In the payload: the only methods and paths that it is good for, as a list such as `["PUT /content/"]`; a path that
/// begins with what is named is meant as well.
pub const SCOPE: &str = "scope";
/// In the payload: a text that makes the token good for one single use.
pub const ONCE: &str = "jti";

/// The fields of a token, in the order in which they are signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claims {
    /// The service that speaks.
    pub service_id: ServiceKind,
    /// The node it belongs to.
    pub node_id: NodeId,
    /// When it was issued.
    #[serde(with = "ms")]
    pub timestamp: Timestamp,
    /// When it ends.
    #[serde(with = "ms")]
    pub expires_at: Timestamp,
    /// What it is for; `{}` when nothing more is said.
    #[serde(default)]
    pub payload: Map<String, Value>,
}

/// A token: claims and the service's signature over them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceToken {
    /// What it says.
    #[serde(flatten)]
    pub claims: Claims,
    /// Over the compact JSON of the claims.
    pub signature: Signature,
}

/// Why a token was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not Base64 of a token's JSON.
    #[error("the service token does not parse")]
    Format,
    /// Not by the service it names.
    #[error("the service token's signature does not fit")]
    Signature(#[source] KeyError),
    /// Its time is over.
    #[error("the service token has expired; issue a new one")]
    Expired,
    /// Issued in the future.
    #[error("the service token's time lies ahead; compare the two machines' clocks")]
    NotYet,
    /// Longer than an hour.
    #[error("the service token lives longer than the hour that is allowed")]
    Lifetime,
}

impl ServiceToken {
    /// Issues a token from `now` for `lifetime` (at most an hour).
    #[must_use]
    pub fn issue(
        key: &SecretKey,
        service: ServiceKind,
        node: NodeId,
        now: Timestamp,
        lifetime: Duration,
    ) -> Self {
        Self::issue_for(key, service, node, now, lifetime, Map::new())
    }

    /// The same with what it is for: see [`AUDIENCE`], [`SCOPE`] and [`ONCE`].
    #[must_use]
    pub fn issue_for(
        key: &SecretKey,
        service: ServiceKind,
        node: NodeId,
        now: Timestamp,
        lifetime: Duration,
        payload: Map<String, Value>,
    ) -> Self {
        let claims = Claims {
            service_id: service,
            node_id: node,
            timestamp: now,
            expires_at: now.plus(lifetime.min(MAX_LIFETIME)),
            payload,
        };
        let signature = key.sign(&compact(&claims));
        Self { claims, signature }
    }

    /// The text of the `Authorization: Bearer` header.
    #[must_use]
    pub fn encode(&self) -> String {
        STANDARD.encode(compact(self))
    }

    /// Reads the header's text. Nothing is checked yet but the form.
    ///
    /// # Errors
    /// [`TokenError::Format`].
    pub fn decode(text: &str) -> Result<Self, TokenError> {
        if text.len() > MAX_LENGTH {
            return Err(TokenError::Format);
        }
        let bytes = STANDARD
            .decode(text.trim())
            .map_err(|_| TokenError::Format)?;
        serde_json::from_slice(&bytes).map_err(|_| TokenError::Format)
    }

    /// Checks times and signature against the key that the registry holds for this service of this node.
    ///
    /// # Errors
    /// What does not hold.
    pub fn verify(&self, key: &PublicKey, now: Timestamp) -> Result<(), TokenError> {
        let Claims {
            timestamp,
            expires_at,
            ..
        } = self.claims;
        if expires_at < timestamp || expires_at.since(timestamp) > MAX_LIFETIME {
            return Err(TokenError::Lifetime);
        }
        if timestamp > now.plus(CLOCK_SKEW) {
            return Err(TokenError::NotYet);
        }
        if now > expires_at.plus(CLOCK_SKEW) {
            return Err(TokenError::Expired);
        }
        key.verify(&compact(&self.claims), &self.signature)
            .map_err(TokenError::Signature)
    }
}

//! Login by QR code: the message a phone signs, the session's states, and what the code says.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::json::compact;
use crate::time::{Timestamp, ms};

/// `sess_` and 16 of `[0-9a-z]`: either of a session's two ids (wire.md, Identity).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(String);

/// `txreq_` and 16 of `[0-9a-z]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(String);

/// A text that is no id of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {0} followed by 16 of 0-9 and a-z")]
pub struct SessionIdError(&'static str);

const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

macro_rules! random_id {
    ($name:ident, $prefix:literal) => {
        impl $name {
            /// One character for each byte, by its remainder modulo 36. For ids without bias each byte must be uniform
            /// over 0 to 251: 252 is the largest multiple of 36 that a byte can count to.
            #[must_use]
            pub fn from_random(bytes: [u8; 16]) -> Self {
                let tail: String = bytes
                    .iter()
                    .map(|b| char::from(ALPHABET[usize::from(*b) % 36]))
                    .collect();
                Self(format!("{}{tail}", $prefix))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = SessionIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let tail = text.strip_prefix($prefix).ok_or(SessionIdError($prefix))?;
                if tail.len() == 16 && tail.bytes().all(|b| ALPHABET.contains(&b)) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(SessionIdError($prefix))
                }
            }
        }

        crate::json::serde_as_text!($name);
    };
}

random_id!(SessionId, "sess_");
random_id!(RequestId, "txreq_");

/// What a phone signs to log in: `{"sessionId","challenge","userId","username","timestamp"}`, texts as the phone
/// spelt them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginMessage {
    /// The id that the request's path names.
    pub session_id: SessionId,
    /// The session's challenge, 64 hex digits.
    pub challenge: String,
    /// The user's id.
    pub user_id: String,
    /// The user's name, with or without `@`.
    pub username: String,
    /// When it was signed.
    #[serde(with = "ms")]
    pub timestamp: Timestamp,
}

impl LoginMessage {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        compact(self)
    }
}

/// Where a login session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionStatus {
    /// Nobody has scanned the code.
    Waiting,
    /// A phone has read the code.
    Scanned,
    /// A phone has approved.
    Approved,
    /// A phone has rejected.
    Rejected,
    /// Five minutes have passed.
    Expired,
}

impl SessionStatus {
    /// Whether it can still be approved or rejected.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Scanned)
    }

    /// The wire word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Scanned => "scanned",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for SessionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for SessionStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [
            Self::Waiting,
            Self::Scanned,
            Self::Approved,
            Self::Rejected,
            Self::Expired,
        ]
        .into_iter()
        .find(|status| status.as_str() == text)
        .ok_or_else(|| format!("no session status is called {text:?}"))
    }
}

/// What a QR code says, whole. It is public: anyone in the room can photograph it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QrData {
    /// Always `tana`.
    pub protocol: String,
    /// `auth`, or `transaction` for an approval request.
    #[serde(rename = "type")]
    pub kind: String,
    /// Always `1`.
    pub version: String,
    /// The session's public id.
    pub session_id: SessionId,
    /// The session's challenge, 64 hex digits.
    pub challenge: String,
    /// The identity service's base URL, as the phone reaches it.
    pub server: String,
    /// The site's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_name: Option<String>,
    /// The site's icon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_icon: Option<String>,
}

impl QrData {
    /// A login code.
    #[must_use]
    pub fn auth(session_id: SessionId, challenge: String, server: String) -> Self {
        Self {
            protocol: "tana".into(),
            kind: "auth".into(),
            version: "1".into(),
            session_id,
            challenge,
            server,
            app_name: None,
            app_icon: None,
        }
    }

    /// The same, shorter, for small terminals: the phone then reads the challenge from the session.
    #[must_use]
    pub fn uri(&self) -> String {
        format!(
            "tana://auth?session={}&server={}",
            self.session_id,
            url_component(&self.server)
        )
    }
}

fn url_component(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// What a phone needs of a code: where the session is and which. Reads both forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScannedCode {
    /// The session's public id.
    pub session_id: SessionId,
    /// The identity service.
    pub server: Url,
    /// Only in the rich form.
    pub challenge: Option<String>,
}

/// A text that is no Tana login code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Neither form.
    #[error(
        "this is no tana login code: expected tana://auth?session=…&server=… or the JSON of one"
    )]
    Format,
    /// The server is no http or https URL.
    #[error("the code names {0:?} as its server, which is no http or https address")]
    Server(String),
}

impl FromStr for ScannedCode {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let (session_id, server, challenge) = if text.starts_with('{') {
            let data: QrData = serde_json::from_str(text).map_err(|_| CodeError::Format)?;
            if data.protocol != "tana" || data.kind != "auth" {
                return Err(CodeError::Format);
            }
            (data.session_id, data.server, Some(data.challenge))
        } else {
            let url = Url::parse(text).map_err(|_| CodeError::Format)?;
            if url.scheme() != "tana" || url.host_str() != Some("auth") {
                return Err(CodeError::Format);
            }
            let find = |key: &str| {
                url.query_pairs()
                    .find(|(k, _)| k == key)
                    .map(|(_, v)| v.into_owned())
            };
            let session = find("session")
                .ok_or(CodeError::Format)?
                .parse()
                .map_err(|_| CodeError::Format)?;
            (session, find("server").ok_or(CodeError::Format)?, None)
        };
        let parsed = Url::parse(&server).map_err(|_| CodeError::Server(server.clone()))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(CodeError::Server(server));
        }
        Ok(Self {
            session_id,
            server: parsed,
            challenge,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{QrData, ScannedCode, SessionId};

    #[test]
    fn both_forms_of_a_code_name_the_same_session() {
        let id = SessionId::from_random([3; 16]);
        let data = QrData::auth(id.clone(), "ab".repeat(32), "http://127.0.0.1:8090".into());
        let rich: ScannedCode = crate::json::compact(&data).parse().unwrap();
        let short: ScannedCode = data.uri().parse().unwrap();
        assert_eq!(rich.session_id, id);
        assert_eq!(
            (&short.session_id, &short.server),
            (&rich.session_id, &rich.server)
        );
        assert!("https://example.org".parse::<ScannedCode>().is_err());
        assert!(
            "tana://auth?session=sess_3333333333333333&server=file:///etc"
                .parse::<ScannedCode>()
                .is_err()
        );
    }
}

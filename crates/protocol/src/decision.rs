//! What a QR code says with which a sovereign's phone decides on a node: the exact text that the phone signs, and the mesh
//! that it hands the decision to.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::hash::hex_text;
use crate::id::NodeId;
use crate::key::PublicKey;
use crate::login::CodeError;
use crate::message::{self, Decision};
use crate::time::Timestamp;

/// A decision that a phone is asked to sign. Reads both forms of its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionCode {
    /// What is decided.
    pub decision: Decision,
    /// On which node.
    pub node_id: NodeId,
    /// The key that it registered with.
    pub node_key: PublicKey,
    /// The time that is signed: a mesh takes it for a minute.
    pub at: Timestamp,
    /// The mesh that it is handed to.
    pub server: Url,
}

#[derive(Serialize, Deserialize)]
struct Rich {
    protocol: String,
    #[serde(rename = "type")]
    kind: String,
    version: String,
    message: String,
    server: String,
}

impl DecisionCode {
    /// The text that is signed: [`message::decision`].
    #[must_use]
    pub fn message(&self) -> String {
        message::decision(self.decision, &self.node_id, &self.node_key, self.at)
    }

    /// The rich form: `{"protocol":"tana","type":"decision","version":"1","message","server"}`.
    #[must_use]
    pub fn json(&self) -> String {
        crate::json::compact(&Rich {
            protocol: "tana".to_owned(),
            kind: "decision".to_owned(),
            version: "1".to_owned(),
            message: self.message(),
            server: self.server(),
        })
    }

    /// The short form, for small terminals, from whose parts a phone puts the message together:
    /// `tana://approve?n=<nodeId>&k=<the key's 32 bytes, base64url>&t=<timestamp>&s=<url>`, or `tana://deny?…`.
    #[must_use]
    pub fn uri(&self) -> String {
        format!(
            "tana://{}?n={}&k={}&t={}&s={}",
            self.decision.verb(),
            self.node_id,
            URL_SAFE_NO_PAD.encode(self.node_key.to_bytes()),
            self.at.ms(),
            self.server()
        )
    }

    fn server(&self) -> String {
        self.server.as_str().trim_end_matches('/').to_owned()
    }
}

impl FromStr for DecisionCode {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let code = if text.starts_with('{') {
            rich(text)?
        } else {
            short(text)?
        };
        if matches!(code.server.scheme(), "http" | "https") {
            Ok(code)
        } else {
            Err(CodeError::Server(code.server.to_string()))
        }
    }
}

fn decision(verb: &str) -> Result<Decision, CodeError> {
    match verb {
        "approve" => Ok(Decision::Approve),
        "deny" => Ok(Decision::Deny),
        _ => Err(CodeError::Format),
    }
}

fn server(text: &str) -> Result<Url, CodeError> {
    Url::parse(text).map_err(|_| CodeError::Server(text.to_owned()))
}

/// A part of a code as what it is.
fn part<T: FromStr>(text: &str) -> Result<T, CodeError> {
    text.parse().map_err(|_| CodeError::Format)
}

fn rich(text: &str) -> Result<DecisionCode, CodeError> {
    let rich: Rich = serde_json::from_str(text).map_err(|_| CodeError::Format)?;
    if rich.protocol != "tana" || rich.kind != "decision" {
        return Err(CodeError::Format);
    }
    let parts: Vec<&str> = rich.message.split(':').collect();
    let [verb, node, key, at] = parts.as_slice() else {
        return Err(CodeError::Format);
    };
    let code = DecisionCode {
        decision: decision(verb)?,
        node_id: part(node)?,
        node_key: part(key)?,
        at: Timestamp::from_ms(part(at)?),
        server: server(&rich.server)?,
    };
    // What is signed is what was read, to the letter.
    if code.message() == rich.message {
        Ok(code)
    } else {
        Err(CodeError::Format)
    }
}

fn short(text: &str) -> Result<DecisionCode, CodeError> {
    let url = Url::parse(text).map_err(|_| CodeError::Format)?;
    if url.scheme() != "tana" {
        return Err(CodeError::Format);
    }
    let find = |key: &str| {
        let pair = url.query_pairs().find(|(k, _)| k == key);
        pair.map(|(_, v)| v.into_owned()).ok_or(CodeError::Format)
    };
    let key = URL_SAFE_NO_PAD
        .decode(find("k")?)
        .map_err(|_| CodeError::Format)?;
    Ok(DecisionCode {
        decision: decision(url.host_str().unwrap_or_default())?,
        node_id: part(&find("n")?)?,
        node_key: part(&hex_text(&key))?,
        at: Timestamp::from_ms(part(&find("t")?)?),
        server: server(&find("s")?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;

    fn code() -> DecisionCode {
        DecisionCode {
            decision: Decision::Deny,
            node_id: "validator-3".parse().unwrap(),
            node_key: SecretKey::from_seed(&[3; 32]).public(),
            at: Timestamp::from_ms(1_763_647_402_000),
            server: "http://10.0.0.5:8190".parse().unwrap(),
        }
    }

    #[test]
    fn both_forms_say_the_same_and_the_message_to_the_letter() {
        for text in [code().json(), code().uri()] {
            let read: DecisionCode = text.parse().unwrap();
            assert_eq!(read, code(), "{text}");
            assert_eq!(read.message(), code().message());
        }
    }

    #[test]
    fn what_is_no_decision_is_none() {
        let key = code().node_key;
        for message in [
            "approve:validator-3".to_owned(),
            format!("accept:validator-3:{key}:1"),
            format!("deny:validator-3:{key}:01"),
            format!("deny:validator-3:{key}:1:2"),
            format!("deny:Validator 3:{key}:1"),
        ] {
            let text = code().json().replace(&code().message(), &message);
            assert!(text.parse::<DecisionCode>().is_err(), "{message}");
        }
        for (from, to) in [
            ("http://10.0.0.5:8190", "file:///etc"),
            ("tana://deny", "tana://auth"),
            ("k=", "k=AA"),
            ("&t=", "&u="),
        ] {
            let text = code().uri().replace(from, to);
            assert!(text.parse::<DecisionCode>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_short_form_fits_into_a_code_for_a_small_terminal() {
        // Version 6 of a QR code with the least correction.
        assert!(code().uri().len() <= 134, "{}", code().uri().len());
    }
}

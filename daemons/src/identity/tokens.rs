//! Secrets of the identity service: session ids, challenges, and tokens that are recomputed rather than stored.

use std::sync::Arc;

use hmac::{Hmac, Mac};
use rand::Rng;
use sha2::Sha256;
use tana_protocol::login::{RequestId, SessionId};
use tana_protocol::{Hash32, SecretKey};
use zeroize::Zeroizing;

/// The server's key that tokens are made with, zeroed when the last clone is dropped.
#[derive(Clone)]
pub struct TokenKey(Arc<Zeroizing<[u8; 32]>>);

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey")
    }
}

impl TokenKey {
    /// Derived from the node's key: the same after a restart.
    #[must_use]
    pub fn of(node: &SecretKey) -> Self {
        Self(Arc::new(node.derive_bytes("identity/token")))
    }

    fn make(&self, purpose: &str, id: &SessionId) -> Token {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice())
            .expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        mac.update(b":");
        mac.update(id.as_str().as_bytes());
        Token(hex::encode(mac.finalize().into_bytes()))
    }

    /// The token of whoever has the browser's id.
    pub(super) fn browser(&self, browser_id: &SessionId) -> Token {
        self.make("browser", browser_id)
    }

    /// The phone's own. The id is public; the key is not.
    pub(super) fn phone(&self, public_id: &SessionId) -> Token {
        self.make("phone", public_id)
    }
}

/// A session token: 64 hex digits.
pub(super) struct Token(String);

impl Token {
    /// For the one whose it is.
    pub(super) fn reveal(self) -> String {
        self.0
    }

    /// What the database holds.
    pub(super) fn hash(&self) -> Hash32 {
        Hash32::of(self.0.as_bytes())
    }
}

/// Random bytes that favour no letter of an id: 252 is seven times its 36.
fn letters() -> [u8; 16] {
    let mut random = rand::rng();
    std::array::from_fn(|_| random.random_range(0..252_u8))
}

/// A new session id.
pub(super) fn session_id() -> SessionId {
    SessionId::from_random(letters())
}

/// A new id of a transaction request.
pub(super) fn request_id() -> RequestId {
    RequestId::from_random(letters())
}

/// 32 random bytes, as 64 hex digits.
pub(super) fn challenge() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

#[cfg(test)]
mod tests {
    use super::{TokenKey, session_id};
    use tana_protocol::SecretKey;

    #[test]
    fn tokens_repeat_and_differ_by_key_purpose_and_session() {
        let key = TokenKey::of(&SecretKey::from_seed(&[1; 32]));
        let other = TokenKey::of(&SecretKey::from_seed(&[2; 32]));
        let id = session_id();
        let token = key.browser(&id).reveal();
        assert_eq!(token.len(), 64);
        assert_eq!(token, key.browser(&id).reveal());
        for different in [
            key.phone(&id),
            other.browser(&id),
            key.browser(&session_id()),
        ] {
            assert_ne!(token, different.reveal());
        }
    }
}

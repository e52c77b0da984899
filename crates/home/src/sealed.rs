//! A private key under a passphrase: Argon2id (RFC 9106) makes a key of the passphrase, XChaCha20-Poly1305 seals with it.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand_core::{OsRng, RngCore};
use serde::{Deserialize, Serialize};
use tana_protocol::{PublicKey, SecretKey};
use zeroize::Zeroizing;

use crate::keys::KeyFile;

/// RFC 9106's second recommendation: 64 MiB, three passes, four lanes.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 4;
/// A file may not ask for more than this.
const MOST_MEMORY_KIB: u32 = 1024 * 1024;
const MOST_PASSES: u32 = 32;

/// A sealed `sovereign-key.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SealedKey {
    /// The public half, for people who look; the seal covers it too.
    pub public_key: PublicKey,
    sealed: Seal,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Seal {
    kdf: Kdf,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
    cipher: Cipher,
    nonce: String,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kdf {
    Argon2id,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Cipher {
    XChaCha20Poly1305,
}

/// Why a sealed key was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The passphrase is another, or the file was changed: the two cannot be told apart.
    #[error("the passphrase does not open this key")]
    Passphrase,
    /// The file asks for what no file of ours asks for.
    #[error("the seal is damaged; restore the file from its copy")]
    Damaged,
}

impl SealedKey {
    /// Seals a key. Takes a good part of a second, on purpose.
    ///
    /// # Errors
    /// [`SealError::Damaged`] never happens with the parameters used here.
    pub fn seal(key: &SecretKey, passphrase: &str) -> Result<Self, SealError> {
        let (mut salt, mut nonce) = ([0; 16], [0; 24]);
        OsRng.fill_bytes(&mut salt);
        OsRng.fill_bytes(&mut nonce);
        let public_key = key.public();
        let cipher = cipher(passphrase, &salt, (MEMORY_KIB, PASSES, LANES))?;
        let secret = key.to_secret_text();
        let covered = public_key.to_string();
        let payload = Payload {
            msg: secret.as_bytes(),
            aad: covered.as_bytes(),
        };
        let text = cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| SealError::Damaged)?;
        Ok(Self {
            public_key,
            sealed: Seal {
                kdf: Kdf::Argon2id,
                memory_kib: MEMORY_KIB,
                passes: PASSES,
                lanes: LANES,
                salt: hex::encode(salt),
                cipher: Cipher::XChaCha20Poly1305,
                nonce: hex::encode(nonce),
                text: hex::encode(text),
            },
        })
    }

    /// Opens it. Takes as long as sealing.
    ///
    /// # Errors
    /// [`SealError::Passphrase`] where it does not fit; [`SealError::Damaged`] where the file is none of ours.
    pub fn open(&self, passphrase: &str) -> Result<KeyFile, SealError> {
        let seal = &self.sealed;
        if seal.memory_kib > MOST_MEMORY_KIB || seal.passes > MOST_PASSES {
            return Err(SealError::Damaged);
        }
        let (mut salt, mut nonce) = ([0; 16], [0; 24]);
        hex::decode_to_slice(&seal.salt, &mut salt).map_err(|_| SealError::Damaged)?;
        hex::decode_to_slice(&seal.nonce, &mut nonce).map_err(|_| SealError::Damaged)?;
        let text = hex::decode(&seal.text).map_err(|_| SealError::Damaged)?;
        let cipher = cipher(
            passphrase,
            &salt,
            (seal.memory_kib, seal.passes, seal.lanes),
        )?;
        let covered = self.public_key.to_string();
        let payload = Payload {
            msg: &text,
            aad: covered.as_bytes(),
        };
        let opened = cipher
            .decrypt(&XNonce::from(nonce), payload)
            .map_err(|_| SealError::Passphrase)?;
        let opened = Zeroizing::new(opened);
        let key: SecretKey = std::str::from_utf8(&opened)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or(SealError::Damaged)?;
        if key.public() != self.public_key {
            return Err(SealError::Damaged);
        }
        Ok(key.into())
    }
}

fn cipher(
    passphrase: &str,
    salt: &[u8; 16],
    (memory, passes, lanes): (u32, u32, u32),
) -> Result<XChaCha20Poly1305, SealError> {
    let params = Params::new(memory, passes, lanes, Some(32)).map_err(|_| SealError::Damaged)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, key.as_mut_slice())
        .map_err(|_| SealError::Damaged)?;
    XChaCha20Poly1305::new_from_slice(key.as_slice()).map_err(|_| SealError::Damaged)
}

#[cfg(test)]
mod tests {
    use tana_protocol::SecretKey;

    use super::{SealError, SealedKey};

    #[test]
    fn a_sealed_key_opens_with_its_passphrase_alone_and_shows_when_it_was_changed() {
        let key = SecretKey::from_seed(&[3; 32]);
        let sealed = SealedKey::seal(&key, "correct horse").unwrap();
        let json = serde_json::to_string(&sealed).unwrap();
        assert!(!json.contains(key.to_secret_text().trim_start_matches("ed25519_")));
        let read: SealedKey = serde_json::from_str(&json).unwrap();
        assert_eq!(read.open("correct horse").unwrap().public_key, key.public());
        assert_eq!(
            read.open("correct hors").unwrap_err(),
            SealError::Passphrase
        );
        let mut other = read.clone();
        other.public_key = SecretKey::from_seed(&[4; 32]).public();
        assert_eq!(
            other.open("correct horse").unwrap_err(),
            SealError::Passphrase
        );
        let mut greedy = read;
        greedy.sealed.memory_kib = u32::MAX;
        assert_eq!(
            greedy.open("correct horse").unwrap_err(),
            SealError::Damaged
        );
    }
}

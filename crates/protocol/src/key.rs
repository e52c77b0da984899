//! Ed25519 keys and signatures, as this network writes and checks them.
//!
//! What is signed is the SHA-256 digest of the UTF-8 message. Verification is strict: no malleable signature and
//! no weak key is accepted (what `verify_strict` accepts: RFC 8032 with the cofactorless equation).

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use curve25519_dalek::constants::EIGHT_TORSION;
use ed25519_dalek::{Signer, SigningKey, Verifier as _, VerifyingKey};
use rand_core::OsRng;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::hash::hex_text;

const KEY_PREFIX: &str = "ed25519_";
const SIGNATURE_PREFIX: &str = "ed25519_sig_";

/// Why a key or signature was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not hex of the right length.
    #[error("a key is 64 hex digits with the prefix ed25519_")]
    KeyFormat,
    /// Not hex of the right length.
    #[error("a signature is 128 hex digits with the prefix ed25519_sig_")]
    SignatureFormat,
    /// The bytes are no point of the curve, or one of small order.
    #[error("the key is not a usable ed25519 public key")]
    WeakKey,
    /// The signature was not made by this key over this message.
    #[error("the signature does not fit the message and the key")]
    Mismatch,
}

/// Removes either prefix, in either case: readers accept each with either prefix or none.
fn without_prefix(text: &str) -> &str {
    for prefix in [SIGNATURE_PREFIX, KEY_PREFIX] {
        if let Some(head) = text.get(..prefix.len())
            && head.eq_ignore_ascii_case(prefix)
        {
            return &text[prefix.len()..];
        }
    }
    text
}

/// The eight points of small order, as they are written.
static SMALL_ORDER: LazyLock<[[u8; 32]; 8]> =
    LazyLock::new(|| EIGHT_TORSION.map(|point| point.compress().to_bytes()));

fn digest(message: &str) -> [u8; 32] {
    Sha256::digest(message.as_bytes()).into()
}

/// A public key that is a point of the curve and not of small order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// From the 32 bytes of the compressed point.
    ///
    /// # Errors
    /// [`KeyError::WeakKey`] when the bytes are no point of the curve or one of small order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::WeakKey)?;
        if key.is_weak() {
            Err(KeyError::WeakKey)
        } else {
            Ok(Self(key))
        }
    }

    /// The compressed point.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Checks a signature over the SHA-256 digest of `message`.
    ///
    /// # Errors
    /// [`KeyError::Mismatch`].
    pub fn verify(&self, message: &str, signature: &Signature) -> Result<(), KeyError> {
        // Decides as `verify_strict` does, without reading R as a point, a tenth of the work. Where the equation holds, R is
        // the one encoding of the point that it gives, and tells whether that point is of small order. The key is not:
        // that was seen when it was read.
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        if SMALL_ORDER.contains(signature.r_bytes()) {
            return Err(KeyError::Mismatch);
        }
        let verified = self.0.verify(&digest(message), &signature);
        verified.map_err(|_| KeyError::Mismatch)
    }

    /// The key's 64 hex digits in groups of four, as operators read them to each other.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let text = hex_text(&self.to_bytes());
        let groups: Vec<&str> = (0..16).map(|i| &text[i * 4..i * 4 + 4]).collect();
        groups.join(" ")
    }

    /// Shortened in the middle for a screen: `1f3a…9c02`.
    #[must_use]
    pub fn short(&self) -> String {
        let text = hex_text(&self.to_bytes());
        format!("{}…{}", &text[..4], &text[60..])
    }
}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.to_bytes().cmp(&other.to_bytes())
    }
}

impl std::hash::Hash for PublicKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.to_bytes().hash(state);
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{KEY_PREFIX}{}", hex_text(&self.to_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(without_prefix(text), &mut bytes).map_err(|_| KeyError::KeyFormat)?;
        Self::from_bytes(&bytes)
    }
}

crate::json::serde_as_text!(PublicKey);

/// A private key. Zeroed when dropped, never printed.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// A new key from the operating system's random source.
    #[must_use]
    pub fn generate() -> Self {
        Self(SigningKey::generate(&mut OsRng))
    }

    /// From the 32-byte seed of RFC 8032.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs the SHA-256 digest of `message`.
    #[must_use]
    pub fn sign(&self, message: &str) -> Signature {
        Signature(self.0.sign(&digest(message)).to_bytes())
    }

    /// The key's text with its prefix, for the key file alone.
    #[must_use]
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        let mut seed = self.0.to_bytes();
        let text = Zeroizing::new(format!(
            "{KEY_PREFIX}{}",
            Zeroizing::new(hex_text(&seed)).as_str()
        ));
        seed.zeroize();
        text
    }

    /// A key of its own for `purpose`, derived with HKDF-SHA256 (RFC 5869) from this one: the same every time.
    ///
    /// # Panics
    /// Never: 32 bytes is a valid HKDF-SHA256 length.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Self {
        let seed = self.derive_bytes(purpose);
        Self::from_seed(&seed)
    }

    /// 32 secret bytes for `purpose`, derived with HKDF-SHA256 from this key: the same every time.
    ///
    /// # Panics
    /// Never: 32 bytes is a valid HKDF-SHA256 length.
    #[must_use]
    pub fn derive_bytes(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let seed = Zeroizing::new(self.0.to_bytes());
        let mut out = Zeroizing::new([0; 32]);
        hkdf::Hkdf::<Sha256>::new(Some(b"tana/derive/1"), seed.as_slice())
            .expand(purpose.as_bytes(), out.as_mut_slice())
            .expect("32 bytes is a valid length for HKDF-SHA256");
        out
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}

impl FromStr for SecretKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut seed = Zeroizing::new([0; 32]);
        hex::decode_to_slice(without_prefix(text), seed.as_mut_slice())
            .map_err(|_| KeyError::KeyFormat)?;
        Ok(Self::from_seed(&seed))
    }
}

/// A signature, not yet checked against anything.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// From its 64 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// Its 64 bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 64] {
        self.0
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SIGNATURE_PREFIX}{}", hex_text(&self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Signature {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 64];
        hex::decode_to_slice(without_prefix(text), &mut bytes)
            .map_err(|_| KeyError::SignatureFormat)?;
        Ok(Self(bytes))
    }
}

crate::json::serde_as_text!(Signature);

#[cfg(test)]
mod tests {
    use curve25519_dalek::Scalar;
    use ed25519_dalek::Verifier as _;
    use sha2::{Digest as _, Sha512};

    use super::{KeyError, PublicKey, SMALL_ORDER, SecretKey, Signature, digest};

    #[test]
    fn texts_are_read_with_either_prefix_or_none_in_either_case() {
        let key = SecretKey::from_seed(&[7; 32]).public();
        let bare = hex::encode(key.to_bytes());
        for text in [
            bare.clone(),
            bare.to_uppercase(),
            format!("ed25519_{bare}"),
            format!("ED25519_SIG_{bare}"),
        ] {
            assert_eq!(text.parse::<PublicKey>(), Ok(key), "{text}");
        }
        assert_eq!("ed25519_é".parse::<PublicKey>(), Err(KeyError::KeyFormat));
        assert_eq!(
            "ed25519_".parse::<Signature>(),
            Err(KeyError::SignatureFormat)
        );
    }

    /// What the strict check of the library says.
    fn strict(key: &PublicKey, message: &str, signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        key.0.verify_strict(&digest(message), &signature).is_ok()
    }

    #[test]
    fn a_signature_whose_r_is_of_small_order_is_refused_though_the_equation_holds() {
        let seed = [3; 32];
        let secret = SecretKey::from_seed(&seed);
        let (key, message, scalar) = (secret.public(), "it pays all", secret.0.to_scalar());
        for r in *SMALL_ORDER {
            // s = k * a, so that s * B - k * A is the neutral element, whatever was signed.
            let mut hash = Sha512::new();
            hash.update(r);
            hash.update(key.to_bytes());
            hash.update(digest(message));
            let s = Scalar::from_bytes_mod_order_wide(&hash.finalize().into()) * scalar;
            let mut bytes = [0; 64];
            bytes[..32].copy_from_slice(&r);
            bytes[32..].copy_from_slice(s.as_bytes());
            let forged = Signature::from_bytes(bytes);
            let plain = ed25519_dalek::Signature::from_bytes(&bytes);
            let is_neutral = r == SMALL_ORDER[0];
            assert_eq!(key.0.verify(&digest(message), &plain).is_ok(), is_neutral);
            assert!(!strict(&key, message, &forged));
            assert_eq!(key.verify(message, &forged), Err(KeyError::Mismatch));
        }
    }

    #[test]
    fn a_changed_signature_is_judged_as_the_strict_check_judges_it() {
        let secret = SecretKey::from_seed(&[5; 32]);
        let (key, signature) = (secret.public(), secret.sign("once"));
        assert_eq!(key.verify("once", &signature), Ok(()));
        assert!(strict(&key, "once", &signature));
        for bit in 0..512 {
            let mut bytes = signature.to_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let changed = Signature::from_bytes(bytes);
            assert!(!strict(&key, "once", &changed), "bit {bit}");
            assert_eq!(key.verify("once", &changed), Err(KeyError::Mismatch));
        }
        // The same number written with the group's order added to it.
        let mut bytes = signature.to_bytes();
        let order = Scalar::ZERO - Scalar::ONE;
        let mut carry = 1_u16;
        for (byte, more) in bytes[32..].iter_mut().zip(order.as_bytes()) {
            carry += u16::from(*byte) + u16::from(*more);
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        let other = Signature::from_bytes(bytes);
        assert!(!strict(&key, "once", &other));
        assert_eq!(key.verify("once", &other), Err(KeyError::Mismatch));
    }

    #[test]
    fn derived_keys_differ_by_purpose_and_repeat() {
        let key = SecretKey::from_seed(&[1; 32]);
        assert_eq!(key.derive("a").public(), key.derive("a").public());
        assert_ne!(key.derive("a").public(), key.derive("b").public());
    }

    #[test]
    fn a_secret_key_never_prints_its_seed() {
        let key = SecretKey::from_seed(&[0xAB; 32]);
        assert!(!format!("{key:?}").contains("abababab"));
    }
}

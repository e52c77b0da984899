//! Key files: of the node, the sovereign, users. Mode 0600; one that others may read is refused.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tana_protocol::{NodeId, PublicKey, SecretKey, UserId, Username};

use crate::error::HomeError;
use crate::files::{Replace, read_json, read_text, write, write_secret_json};
use crate::sealed::SealedKey;

/// `node-key.json` and `sovereign-key.json`: one key pair.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyFile {
    /// The public half, for people who look.
    pub public_key: PublicKey,
    /// The private half.
    #[serde(serialize_with = "write_secret", deserialize_with = "read_secret")]
    pub secret_key: SecretKey,
}

/// `users/<name>.json`: a user's key pair and what the chain knows the user by.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserFile {
    /// The name.
    pub username: Username,
    /// The name for people.
    pub display_name: String,
    /// The id on the chain, once it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// The chain that the id belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<String>,
    /// The public half.
    pub public_key: PublicKey,
    /// The private half.
    #[serde(serialize_with = "write_secret", deserialize_with = "read_secret")]
    pub secret_key: SecretKey,
}

/// `nodes/<name>.json`: the key pair of a further node that is played from this home.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeFile {
    /// Its name in the mesh.
    pub node_id: NodeId,
    /// What its ports are moved by.
    pub port_offset: u16,
    /// The public half.
    pub public_key: PublicKey,
    /// The private half.
    #[serde(serialize_with = "write_secret", deserialize_with = "read_secret")]
    pub secret_key: SecretKey,
}

fn write_secret<S: Serializer>(key: &SecretKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&key.to_secret_text())
}

fn read_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretKey, D::Error> {
    let text = zeroize::Zeroizing::new(String::deserialize(deserializer)?);
    text.parse().map_err(|_| {
        D::Error::custom("secretKey: a private key is 64 hex digits with the prefix ed25519_")
    })
}

/// A file with a key pair whose halves must fit.
trait Pair {
    fn halves(&self) -> (&PublicKey, &SecretKey);
}

macro_rules! pair_file {
    ($type:ty, $what:literal, $todo:literal) => {
        impl Pair for $type {
            fn halves(&self) -> (&PublicKey, &SecretKey) {
                (&self.public_key, &self.secret_key)
            }
        }

        impl $type {
            /// Reads the file.
            ///
            /// # Errors
            /// When there is none, others may read it, it is not right, or its halves do not fit.
            pub fn read(path: &Path) -> Result<Self, HomeError> {
                read_pair(path)?.ok_or_else(|| HomeError::Missing {
                    what: format!(concat!("there is no ", $what, " at {}"), path.display()),
                    todo: $todo.to_owned(),
                })
            }

            /// Reads the file; `None` where there is none.
            ///
            /// # Errors
            /// When others may read it, it is not right, or its halves do not fit.
            pub fn find(path: &Path) -> Result<Option<Self>, HomeError> {
                read_pair(path)
            }

            /// Writes a new file, 0600.
            ///
            /// # Errors
            /// [`HomeError::Exists`] where there is one: keys are never overwritten.
            pub fn create(&self, path: &Path) -> Result<(), HomeError> {
                write_secret_json(path, self)
            }
        }
    };
}

pair_file!(KeyFile, "key", "make one with a chain: tana new chain demo");
pair_file!(UserFile, "user", "make one: tana new user NAME");
pair_file!(NodeFile, "node", "make one: tana new node NAME");

/// A key file as it lies there.
#[derive(Clone, Debug)]
pub enum StoredKey {
    /// To be used as it is.
    Open(KeyFile),
    /// Under a passphrase.
    Sealed(SealedKey),
}

impl StoredKey {
    /// Reads the file; `None` where there is none.
    ///
    /// # Errors
    /// When others may read it, it is not right, or its halves do not fit.
    pub fn find(path: &Path) -> Result<Option<Self>, HomeError> {
        match read_pair::<KeyFile>(path) {
            Ok(found) => Ok(found.map(Self::Open)),
            Err(HomeError::Sealed { .. }) => Ok(read_json(path)?.map(Self::Sealed)),
            Err(error) => Err(error),
        }
    }

    /// The public half, which is never sealed.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        match self {
            Self::Open(key) => key.public_key,
            Self::Sealed(key) => key.public_key,
        }
    }

    /// Writes a file that is not there yet, readable for its owner alone.
    ///
    /// # Errors
    /// When there is one, or it cannot be written.
    pub fn create(&self, path: &Path) -> Result<(), HomeError> {
        match self {
            Self::Open(key) => write_secret_json(path, key),
            Self::Sealed(key) => write_secret_json(path, key),
        }
    }

    /// Replaces the file: the one way in which a key's file is ever written over, with the same key in another form.
    ///
    /// # Errors
    /// When the file there holds another key, or it cannot be written; the old one is then untouched.
    pub fn replace(&self, path: &Path) -> Result<(), HomeError> {
        let there = Self::find(path)?;
        if there.is_none_or(|there| there.public_key() != self.public_key()) {
            return Err(HomeError::Exists { path: path.into() });
        }
        match self {
            Self::Open(key) => write(path, key, 0o600, Replace::Allowed),
            Self::Sealed(key) => write(path, key, 0o600, Replace::Allowed),
        }
    }
}

fn read_pair<T: Pair + for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, HomeError> {
    let Some(text) = read_text(path)? else {
        return Ok(None);
    };
    let found = std::fs::metadata(path).map_err(|source| HomeError::Read {
        path: path.into(),
        source,
    })?;
    let mode = found.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(HomeError::OpenMode {
            path: path.into(),
            mode,
        });
    }
    let invalid = |what: String| HomeError::Invalid {
        path: path.into(),
        what,
    };
    if serde_json::from_str::<SealedKey>(&text).is_ok() {
        return Err(HomeError::Sealed { path: path.into() });
    }
    let file: T = serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
    let (public, secret) = file.halves();
    if secret.public() != *public {
        return Err(invalid(
            "publicKey is not the public half of secretKey; restore the file from its copy".into(),
        ));
    }
    Ok(Some(file))
}

impl KeyFile {
    /// A new key pair.
    #[must_use]
    pub fn generate() -> Self {
        SecretKey::generate().into()
    }
}

impl From<SecretKey> for KeyFile {
    fn from(secret_key: SecretKey) -> Self {
        Self {
            public_key: secret_key.public(),
            secret_key,
        }
    }
}

impl UserFile {
    /// Notes the id that the chain gave this user.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn update(&self, path: &Path) -> Result<(), HomeError> {
        write(path, self, 0o600, Replace::Allowed)
    }
}

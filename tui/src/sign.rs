//! What a sovereign signs with: the key file of `TANA_HOME`, opened where it is sealed, or a key in an ssh-agent.

use std::fmt;

use tana_home::{Environment, Home, HomeError, KeyFile, StoredKey};
use tana_protocol::{PublicKey, Signature};
use zeroize::Zeroizing;

use crate::agent::{Agent, AgentError};

/// Which key is to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum With {
    /// `sovereign-key.json`, with the passphrase where it is sealed.
    File(Option<Passphrase>),
    Agent(PublicKey),
    /// A phone that scans the message and hands the decision in itself.
    Phone,
}

/// A passphrase: zeroed when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Passphrase(pub(crate) Zeroizing<String>);

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase")
    }
}

/// A key that is ready to sign.
#[derive(Debug)]
pub(crate) enum Signer {
    Key(Box<KeyFile>),
    Agent(Agent, Box<PublicKey>),
}

/// Why nothing is signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignError {
    #[error(transparent)]
    Home(#[from] HomeError),
    #[error(
        "there is no sovereign key at {0}; put sovereign-key.json there, or sign with an ssh-agent's key"
    )]
    NoKey(String),
    #[error("no passphrase was given, and {0} is sealed")]
    NoPassphrase(String),
    // What is wrong before where: a long path is cut on a narrow screen.
    #[error("{why} ({path})")]
    Seal {
        path: String,
        why: tana_home::SealError,
    },
    #[error("no ssh-agent: SSH_AUTH_SOCK is not set")]
    NoAgent,
    #[error("a phone signs by itself: it scans the code")]
    Phone,
    #[error(transparent)]
    Agent(#[from] AgentError),
}

impl Signer {
    /// Makes it ready. Opening a sealed key takes a good part of a second of this thread.
    pub(crate) fn ready(
        with: &With,
        home: &Home,
        environment: &Environment,
    ) -> Result<Self, SignError> {
        let passphrase = match with {
            With::Agent(key) => {
                let agent = Agent::of(environment).ok_or(SignError::NoAgent)?;
                return Ok(Self::Agent(agent, Box::new(*key)));
            }
            With::File(passphrase) => passphrase,
            With::Phone => return Err(SignError::Phone),
        };
        let path = home.sovereign_key_file();
        let named = || path.display().to_string();
        match StoredKey::find(&path)? {
            None => Err(SignError::NoKey(named())),
            Some(StoredKey::Open(key)) => Ok(Self::Key(Box::new(key))),
            Some(StoredKey::Sealed(sealed)) => {
                let passphrase = passphrase
                    .as_ref()
                    .ok_or_else(|| SignError::NoPassphrase(named()))?;
                let opened = sealed
                    .open(&passphrase.0)
                    .map_err(|why| SignError::Seal { path: named(), why })?;
                Ok(Self::Key(Box::new(opened)))
            }
        }
    }

    /// The key that signs.
    pub(crate) fn public(&self) -> PublicKey {
        match self {
            Self::Key(key) => key.public_key,
            Self::Agent(_, key) => **key,
        }
    }

    pub(crate) async fn sign(&self, message: &str) -> Result<Signature, SignError> {
        Ok(match self {
            Self::Key(key) => key.secret_key.sign(message),
            Self::Agent(agent, key) => agent.sign(key, message).await?,
        })
    }
}

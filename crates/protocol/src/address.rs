//! Addresses: what people see of a public key (design §4).

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::key::PublicKey;

/// Which network an address, and a chain, belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Real value.
    Mainnet,
    /// Development and tests.
    Testnet,
}

impl Network {
    const fn version(self) -> u8 {
        match self {
            Self::Mainnet => 0x41,
            Self::Testnet => 0x6F,
        }
    }

    const fn from_version(version: u8) -> Option<Self> {
        match version {
            0x41 => Some(Self::Mainnet),
            0x6F => Some(Self::Testnet),
            _ => None,
        }
    }
}

/// Base58 of `version ‖ first 8 bytes of SHA-256(key) ‖ first 4 bytes of SHA-256(SHA-256(version‖hash))`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Address {
    network: Network,
    hash: [u8; 8],
}

/// A text that is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not Base58, or of the wrong length.
    #[error("an address is Base58 of 13 bytes")]
    Format,
    /// The checksum does not fit: a typing mistake.
    #[error("the address has a wrong checksum; compare it with its source")]
    Checksum,
    /// A version byte of no known network.
    #[error("the address belongs to no known network")]
    Network,
}

impl Address {
    /// The address of a key on a network.
    #[must_use]
    pub fn of(key: &PublicKey, network: Network) -> Self {
        let digest = Sha256::digest(key.to_bytes());
        let mut hash = [0; 8];
        hash.copy_from_slice(&digest[..8]);
        Self { network, hash }
    }

    /// The network it belongs to.
    #[must_use]
    pub const fn network(&self) -> Network {
        self.network
    }

    fn payload(&self) -> [u8; 9] {
        let mut payload = [0; 9];
        payload[0] = self.network.version();
        payload[1..].copy_from_slice(&self.hash);
        payload
    }
}

fn checksum(payload: &[u8]) -> [u8; 4] {
    let digest = Sha256::digest(Sha256::digest(payload));
    [digest[0], digest[1], digest[2], digest[3]]
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payload = self.payload();
        let mut bytes = [0; 13];
        bytes[..9].copy_from_slice(&payload);
        bytes[9..].copy_from_slice(&checksum(&payload));
        f.write_str(&bs58::encode(bytes).into_string())
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 13];
        // A fixed buffer bounds what a long text can cost.
        let len = bs58::decode(text)
            .onto(&mut bytes[..])
            .map_err(|_| AddressError::Format)?;
        if len != 13 {
            return Err(AddressError::Format);
        }
        if checksum(&bytes[..9]) != bytes[9..] {
            return Err(AddressError::Checksum);
        }
        let network = Network::from_version(bytes[0]).ok_or(AddressError::Network)?;
        let mut hash = [0; 8];
        hash.copy_from_slice(&bytes[1..9]);
        Ok(Self { network, hash })
    }
}

crate::json::serde_as_text!(Address);

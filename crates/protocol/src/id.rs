//! Identifiers: users, contracts, transactions, nodes, usernames.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::hash::Hash32;

/// An identifier that does not parse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not a UUID.
    #[error("expected a UUID such as 1b4e28ba-2fa1-8d2a-883f-0016d3cca427")]
    Uuid,
    /// Not `tx_` and 64 hex digits.
    #[error("a transaction id is tx_ and 64 hex digits")]
    Transaction,
    /// Not a username.
    #[error("a username is 1 to 49 of a-z, 0-9, _ and -, with or without @ before it")]
    Username,
    /// Not a node id.
    #[error(
        "a node id is 1 to 64 of letters, digits, '.', '_' and '-', and begins with a letter or digit"
    )]
    Node,
    /// Not a contract's name.
    #[error("a contract's name is 1 to 63 of a-z, 0-9, _ and -, and begins with a letter or digit")]
    ContractName,
}

/// UUIDv8 of the first 16 bytes of SHA-256(`kind:` ‖ text), so that every node derives the same.
fn derived(kind: &str, text: &str) -> Uuid {
    let hash = Hash32::of_parts(&[kind.as_bytes(), text.as_bytes()]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.0[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The id of what the transaction with this id creates.
            #[must_use]
            pub fn created_by(transaction: &TransactionId) -> Self {
                Self(derived($kind, &transaction.to_string()))
            }

            /// The id of what the genesis of a chain creates under a name.
            #[must_use]
            pub fn of_genesis(chain_id: &str, name: &str) -> Self {
                Self(derived($kind, &format!("genesis:{chain_id}:{name}")))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                // Only the hyphenated form: one thing has one name in a URL.
                if text.len() != 36 {
                    return Err(IdError::Uuid);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| IdError::Uuid)
            }
        }

        crate::json::serde_as_text!($name);
    };
}

uuid_id!(
    /// A user of the chain.
    UserId,
    "user:"
);
uuid_id!(
    /// A contract of the chain.
    ContractId,
    "contract:"
);

impl UserId {
    /// The zero UUID: the system.
    pub const SYSTEM: Self = Self(Uuid::nil());
}

/// `tx_` and the hex of SHA-256(message ‖ signature bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub Hash32);

impl TransactionId {
    /// Shortened in the middle for a screen: `tx_1f3a…9c02`.
    #[must_use]
    pub fn short(&self) -> String {
        format!("tx_{}", self.0.short())
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tx_{}", self.0)
    }
}

impl FromStr for TransactionId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("tx_").ok_or(IdError::Transaction)?;
        digits.parse().map(Self).map_err(|_| IdError::Transaction)
    }
}

crate::json::serde_as_text!(TransactionId);

/// A username, lower case, written with its `@`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Username(String);

impl Username {
    /// The name without its `@`.
    #[must_use]
    pub fn bare(&self) -> &str {
        &self.0[1..]
    }

    /// The name with its `@`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Username {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.strip_prefix('@').unwrap_or(text);
        let valid = (1..=49).contains(&bare.len())
            && bare
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if valid {
            Ok(Self(format!("@{}", bare.to_ascii_lowercase())))
        } else {
            Err(IdError::Username)
        }
    }
}

crate::json::serde_as_text!(Username);

/// The name of a contract: a segment of a path and a label of a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContractName(String);

impl ContractName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContractName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ContractName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let valid = (1..=63).contains(&text.len())
            && plain(text.as_bytes()[0])
            && text.bytes().all(|b| plain(b) || b == b'_' || b == b'-');
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::ContractName)
        }
    }
}

crate::json::serde_as_text!(ContractName);

/// The name a node registers under in the mesh.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(String);

impl NodeId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for NodeId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // No colon: it separates the parts of signed messages.
        let valid = (1..=64).contains(&text.len())
            && text.as_bytes()[0].is_ascii_alphanumeric()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::Node)
        }
    }
}

crate::json::serde_as_text!(NodeId);

#[cfg(test)]
mod tests {
    use super::{ContractId, ContractName, NodeId, TransactionId, UserId, Username};
    use crate::hash::Hash32;

    #[test]
    fn derived_ids_are_uuid_version_8_and_differ_by_kind() {
        let tx = TransactionId(Hash32::of(b"x"));
        let user = UserId::created_by(&tx);
        assert_eq!(user.0.get_version_num(), 8);
        assert_ne!(user.0, ContractId::created_by(&tx).0);
        assert_eq!(user.to_string().parse(), Ok(user));
    }

    #[test]
    fn usernames_are_stored_lower_case_with_their_at_sign() {
        assert_eq!("Alice".parse::<Username>().unwrap().as_str(), "@alice");
        assert_eq!("@alice".parse::<Username>().unwrap().bare(), "alice");
        for bad in ["", "@", "@@a", "a b", "é", &"a".repeat(50)] {
            assert!(bad.parse::<Username>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn contract_names_fit_into_paths_and_hosts() {
        for good in ["hello", "0", "a-b_c", &"a".repeat(63)] {
            assert!(good.parse::<ContractName>().is_ok(), "{good:?}");
        }
        for bad in ["", "-a", "A", "a/b", "a.b", "é", &"a".repeat(64)] {
            assert!(bad.parse::<ContractName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn node_ids_have_no_colon() {
        assert!("validator-2".parse::<NodeId>().is_ok());
        for bad in ["", "a:b", "-a", "a/b", &"a".repeat(65)] {
            assert!(bad.parse::<NodeId>().is_err(), "{bad:?}");
        }
    }
}

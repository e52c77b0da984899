//! The mesh's log of decisions: each entry holds the hash of the one before, so that one which was taken out or changed shows.

use crate::hash::Hash32;
use crate::json::canonical;
use crate::key::{PublicKey, Signature};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its number, from 1 without a gap.
    pub number: u64,
    /// When it was taken.
    pub at: Timestamp,
    /// `approve`, `deny`, `remove`, `label`, `node-rotate`, `sovereign-seed`, `sovereign-add` or `sovereign-rotate`; with
    /// `vote-` before it where more sovereigns were needed.
    pub kind: String,
    /// The node or key that it is about.
    pub subject: String,
    /// The key that decided; none for the node's own set-up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<PublicKey>,
    /// What was signed.
    pub message: String,
    /// The signature over it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// The hash of the entry before; zero for the first.
    pub previous_hash: Hash32,
    /// Over all of the above.
    pub hash: Hash32,
}

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// An entry is missing.
    #[error("entry {0} of the log of decisions is missing")]
    Missing(u64),
    /// An entry is not what was written.
    #[error("entry {0} of the log of decisions was changed")]
    Changed(u64),
    /// An entry's signature does not fit.
    #[error("entry {0} of the log of decisions was not signed by the key that it names")]
    Signature(u64),
}

/// The hash that an entry must have: SHA-256 over RFC 8785 canonical JSON of the rest of it.
#[must_use]
pub fn entry_hash(entry: &Entry) -> Hash32 {
    let mut rest = entry.clone();
    rest.hash = Hash32::ZERO;
    Hash32::of(&canonical(&rest))
}

/// Checks entries that follow the one with `number` and `hash` (0 and zero for the beginning), and answers the last.
///
/// # Errors
/// The first entry that is missing, changed or not signed.
pub fn check_log(
    mut number: u64,
    mut hash: Hash32,
    entries: &[Entry],
) -> Result<(u64, Hash32), LogError> {
    for entry in entries {
        number += 1;
        if entry.number != number {
            return Err(LogError::Missing(number));
        }
        if entry.previous_hash != hash || entry_hash(entry) != entry.hash {
            return Err(LogError::Changed(number));
        }
        if let (Some(by), Some(signature)) = (&entry.by, &entry.signature) {
            by.verify(&entry.message, signature)
                .map_err(|_| LogError::Signature(number))?;
        }
        hash = entry.hash;
    }
    Ok((number, hash))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Entry, LogError, check_log, entry_hash};
    use crate::{Hash32, SecretKey, Timestamp};

    fn entries() -> Vec<Entry> {
        let key = SecretKey::from_seed(&[3; 32]);
        let mut previous_hash = Hash32::ZERO;
        (1..=4_u64)
            .map(|number| {
                let message = format!("approve:node-{number}");
                let mut entry = Entry {
                    number,
                    at: Timestamp::from_ms(number),
                    kind: "approve".into(),
                    subject: format!("node-{number}"),
                    by: Some(key.public()),
                    signature: Some(key.sign(&message)),
                    message,
                    previous_hash,
                    hash: Hash32::ZERO,
                };
                entry.hash = entry_hash(&entry);
                previous_hash = entry.hash;
                entry
            })
            .collect()
    }

    #[test]
    fn a_removed_changed_or_unsigned_entry_is_named() {
        let good = entries();
        assert_eq!(check_log(0, Hash32::ZERO, &good), Ok((4, good[3].hash)));
        let mut removed = good.clone();
        removed.remove(1);
        assert_eq!(
            check_log(0, Hash32::ZERO, &removed),
            Err(LogError::Missing(2))
        );
        let mut changed = good.clone();
        changed[2].subject = "node-9".into();
        assert_eq!(
            check_log(0, Hash32::ZERO, &changed),
            Err(LogError::Changed(3))
        );
        let mut forged = good;
        forged[3].message = "deny:node-4".into();
        forged[3].hash = entry_hash(&forged[3]);
        assert_eq!(
            check_log(0, Hash32::ZERO, &forged),
            Err(LogError::Signature(4))
        );
    }
}

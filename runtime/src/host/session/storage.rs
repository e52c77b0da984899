//! Staged storage of a contract and its limits.

use std::collections::BTreeMap;

use super::{SessionError, refuse};
use crate::host::Host;
use tana_sandbox::message::{Change, Question};

const MAX_KEY_SIZE: usize = 256;
const MAX_VALUE_SIZE: usize = 10_240;
const MAX_TOTAL_SIZE: usize = 102_400;
const MAX_KEYS: usize = 1_000;

#[derive(Default)]
pub(super) struct Storage {
    /// As committed, read once.
    stored: Option<BTreeMap<String, String>>,
    writes: BTreeMap<String, Option<String>>,
}

impl Storage {
    fn stored(&mut self, host: &dyn Host) -> Result<&BTreeMap<String, String>, SessionError> {
        if self.stored.is_none() {
            let found = host.ask(&Question::Storage).map_err(SessionError)?;
            let entries: BTreeMap<String, String> = serde_json::from_value(found)
                .map_err(|error| SessionError(format!("the stored data is unreadable: {error}")))?;
            self.stored = Some(entries);
        }
        Ok(self.stored.get_or_insert_with(BTreeMap::new))
    }

    pub(super) fn get(
        &mut self,
        host: &dyn Host,
        key: &str,
    ) -> Result<Option<String>, SessionError> {
        if let Some(write) = self.writes.get(key) {
            return Ok(write.clone());
        }
        Ok(self.stored(host)?.get(key).cloned())
    }

    pub(super) fn set(&mut self, key: &str, value: Option<String>) -> Result<(), SessionError> {
        if key.is_empty() || key.len() > MAX_KEY_SIZE {
            return refuse(format!(
                "a storage key has 1 to {MAX_KEY_SIZE} bytes, this one {}",
                key.len()
            ));
        }
        if let Some(value) = &value
            && value.len() > MAX_VALUE_SIZE
        {
            return refuse(format!(
                "a stored value has at most {MAX_VALUE_SIZE} bytes, this one {}",
                value.len()
            ));
        }
        if self.writes.len() >= 2 * MAX_KEYS && !self.writes.contains_key(key) {
            return refuse(format!(
                "at most {} keys can be staged; commit some first",
                2 * MAX_KEYS
            ));
        }
        self.writes.insert(key.to_owned(), value);
        Ok(())
    }

    fn merged(&mut self, host: &dyn Host) -> Result<BTreeMap<String, String>, SessionError> {
        let mut all = self.stored(host)?.clone();
        for (key, value) in &self.writes {
            match value {
                Some(value) => all.insert(key.clone(), value.clone()),
                None => all.remove(key),
            };
        }
        Ok(all)
    }

    pub(super) fn keys(
        &mut self,
        host: &dyn Host,
        pattern: &str,
    ) -> Result<Vec<String>, SessionError> {
        if pattern.len() > MAX_KEY_SIZE {
            return refuse(format!("a pattern has at most {MAX_KEY_SIZE} bytes"));
        }
        Ok(self
            .merged(host)?
            .into_keys()
            .filter(|key| matches(pattern, key))
            .collect())
    }

    pub(super) fn clear(&mut self, host: &dyn Host) -> Result<(), SessionError> {
        let keys: Vec<String> = self.stored(host)?.keys().cloned().collect();
        self.writes = keys.into_iter().map(|key| (key, None)).collect();
        Ok(())
    }

    pub(super) fn commit(&mut self, host: &dyn Host) -> Result<Vec<Change>, SessionError> {
        let merged = self.merged(host)?;
        if merged.len() > MAX_KEYS {
            return refuse(format!(
                "a contract stores at most {MAX_KEYS} keys, this would be {}",
                merged.len()
            ));
        }
        let total: usize = merged
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        if total > MAX_TOTAL_SIZE {
            return refuse(format!(
                "a contract stores at most {MAX_TOTAL_SIZE} bytes, this would be {total}"
            ));
        }
        let before = self.stored.replace(merged).unwrap_or_default();
        let writes = std::mem::take(&mut self.writes);
        Ok(writes
            .into_iter()
            .filter(|(key, value)| before.get(key) != value.as_ref())
            .map(|(key, value)| Change::DataUpdate { key, value })
            .collect())
    }
}

/// Whether a key fits a pattern in which `*` stands for any text.
fn matches(pattern: &str, key: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = key.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, key, fits) in [
            ("*", "a", true),
            ("user:*", "user:1", true),
            ("user:*", "use:1", false),
            ("*:balance", "a:balance", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("a", "ab", false),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, key), fits, "{pattern} {key}");
        }
    }
}

//! Where a setting's text is found: the environment over `config.json`; and the sentence where it is not right.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_json::Value;

use super::KeyTable;
use crate::contexts::{self, ContextSpec};
use crate::environment::Environment;
use crate::error::HomeError;
use crate::files::read_json;
use crate::home::Home;
use crate::settings_table::{find, nearest_key};

/// What `config.json` says, by the settings' own names.
pub(super) fn config_file(home: &Home) -> Result<BTreeMap<&'static str, Value>, HomeError> {
    let path = home.config_file();
    let invalid = |key: &str, what: String| HomeError::Setting {
        origin: path.display().to_string(),
        key: key.to_owned(),
        what,
    };
    let Some(file) = read_json::<Value>(&path)? else {
        return Ok(BTreeMap::new());
    };
    let Value::Object(entries) = file else {
        return Err(HomeError::Invalid {
            path,
            what: "must be an object such as {\"nodeId\": \"validator-1\"}".into(),
        });
    };
    let mut found = BTreeMap::new();
    for (key, value) in entries {
        let Some(setting) = find(&key) else {
            return Err(invalid(
                &key,
                format!(
                    "there is no such setting; did you mean {}?",
                    nearest_key(&key)
                ),
            ));
        };
        if found.insert(setting.key, value).is_some() {
            return Err(invalid(
                &key,
                "set twice, under two spellings; keep one".into(),
            ));
        }
    }
    Ok(found)
}

/// The environment over the file.
pub(super) struct Source<'a> {
    pub(super) environment: &'a Environment,
    pub(super) file: BTreeMap<&'static str, Value>,
    pub(super) path: PathBuf,
}

impl Source<'_> {
    fn wrong(
        &self,
        origin: Option<&Path>,
        key: &str,
        value: &str,
        wanted: impl Display,
    ) -> HomeError {
        HomeError::Setting {
            origin: origin.map_or_else(
                || "environment".to_owned(),
                |path| path.display().to_string(),
            ),
            key: key.to_owned(),
            what: format!("{value:?} is not right; it must be {wanted}"),
        }
    }

    /// What the environment alone says.
    pub(super) fn variable<T: FromStr<Err: Display>>(
        &self,
        key: &str,
    ) -> Result<Option<T>, HomeError> {
        let variable = find(key).map_or(key, |setting| setting.variable);
        let Some(text) = self.environment.get(variable) else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|error: T::Err| self.wrong(None, variable, text, error))
    }

    /// The value as text, and the file it came from.
    fn raw(&self, key: &str) -> Result<Option<(String, Option<&Path>)>, HomeError> {
        let variable = find(key).map_or(key, |setting| setting.variable);
        if let Some(text) = self.environment.get(variable) {
            return Ok(Some((text.to_owned(), None)));
        }
        let text = match self.file.get(key) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Array(list)) => list
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(","),
            Some(other) => {
                return Err(self.wrong(
                    Some(&self.path),
                    key,
                    &other.to_string(),
                    "a text or a number",
                ));
            }
        };
        Ok(Some((text, Some(&self.path))))
    }

    /// The setting `contexts`: an object in the file, the same as JSON text in the environment.
    pub(super) fn contexts(&self) -> Result<BTreeMap<String, ContextSpec>, HomeError> {
        let variable = find("contexts").map_or("contexts", |setting| setting.variable);
        let (value, origin) = match self.environment.get(variable) {
            Some(text) => {
                let value = serde_json::from_str(text)
                    .map_err(|_| self.wrong(None, variable, text, contexts::WANTED))?;
                (value, "environment".to_owned())
            }
            None => match self.file.get("contexts") {
                None | Some(Value::Null) => return Ok(BTreeMap::new()),
                Some(value) => (value.clone(), self.path.display().to_string()),
            },
        };
        contexts::parse(&value).map_err(|(name, what)| HomeError::Setting {
            origin,
            key: if name.is_empty() {
                "contexts".to_owned()
            } else {
                format!("contexts.{name}")
            },
            what,
        })
    }

    /// The setting `keys`: an object in the file, the same as JSON text in the environment.
    pub(super) fn keys(&self) -> Result<KeyTable, HomeError> {
        let wanted = "an object such as {\"approve\": \"f2\", \"quit\": [\"q\", \"f10\"]}";
        let variable = find("keys").map_or("keys", |setting| setting.variable);
        let (value, origin) = match self.environment.get(variable) {
            Some(text) => {
                let value = serde_json::from_str(text)
                    .map_err(|_| self.wrong(None, variable, text, wanted))?;
                (value, None)
            }
            None => match self.file.get("keys") {
                None | Some(Value::Null) => return Ok(KeyTable::default()),
                Some(value) => (value.clone(), Some(self.path.as_path())),
            },
        };
        let wrong = |value: &Value| self.wrong(origin, "keys", &value.to_string(), wanted);
        let Value::Object(entries) = &value else {
            return Err(wrong(&value));
        };
        let mut changes = Vec::new();
        for (action, keys) in entries {
            let keys = match keys {
                Value::String(key) => vec![key.clone()],
                Value::Array(list) => list
                    .iter()
                    .map(|key| key.as_str().map(str::to_owned).ok_or_else(|| wrong(key)))
                    .collect::<Result<_, _>>()?,
                other => return Err(wrong(other)),
            };
            changes.push((action.clone(), keys));
        }
        Ok(KeyTable {
            origin: origin.map_or_else(
                || "environment".to_owned(),
                |path| path.display().to_string(),
            ),
            changes,
        })
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, HomeError> {
        Ok(self.raw(key)?.map(|(text, _)| text))
    }

    pub(super) fn parse<T: FromStr>(
        &self,
        key: &str,
        wanted: &str,
    ) -> Result<Option<T>, HomeError> {
        let Some((text, origin)) = self.raw(key)? else {
            return Ok(None);
        };
        text.trim()
            .parse()
            .map(Some)
            .map_err(|_| self.wrong(origin, key, &text, wanted))
    }

    pub(super) fn checked(
        &self,
        key: &str,
        wanted: &str,
        holds: impl Fn(&str) -> bool,
    ) -> Result<Option<String>, HomeError> {
        let Some((text, origin)) = self.raw(key)? else {
            return Ok(None);
        };
        if holds(&text) {
            Ok(Some(text))
        } else {
            Err(self.wrong(origin, key, &text, wanted))
        }
    }
}

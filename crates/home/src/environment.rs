//! The environment as a value: the process's variables over those of a `.env` file in the working directory.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::HomeError;

/// Variables by name. The process's own win over the `.env` file's.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Reads the process's variables and, where there is one, `.env` in the working directory.
    ///
    /// # Errors
    /// When `.env` is there and cannot be read or parsed.
    pub fn read() -> Result<Self, HomeError> {
        let mut found = Self::from_file(Path::new(".env"))?;
        // The one place where the process's environment is read.
        #[allow(clippy::disallowed_methods)]
        let variables = std::env::vars_os();
        for (name, value) in variables {
            if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
                found.0.insert(name, value);
            }
        }
        Ok(found)
    }

    fn from_file(path: &Path) -> Result<Self, HomeError> {
        let variables = match dotenvy::from_path_iter(path) {
            Ok(variables) => variables,
            Err(error) if error.not_found() => return Ok(Self::default()),
            Err(error) => {
                return Err(HomeError::Invalid {
                    path: path.into(),
                    what: error.to_string(),
                });
            }
        };
        let mut found = BTreeMap::new();
        for variable in variables {
            let (name, value) = variable.map_err(|error| HomeError::Invalid {
                path: path.into(),
                what: format!("{error}; a line is NAME=value"),
            })?;
            found.insert(name, value);
        }
        Ok(Self(found))
    }

    /// The value of a variable; an empty one counts as not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

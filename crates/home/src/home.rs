//! Where everything of one node lies (design §7).

use std::path::{Path, PathBuf};

use tana_protocol::ChainSpec;

use crate::environment::Environment;
use crate::error::HomeError;
use crate::files::{Replace, make_directory, read_json, write};

/// The directories of one node. With `TANA_HOME` everything lies under it; without, in the XDG directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    config: PathBuf,
    data: PathBuf,
    logs: PathBuf,
    run: PathBuf,
}

impl Home {
    /// Everything under one directory.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self {
            data: root.join("data"),
            logs: root.join("logs"),
            run: root.clone(),
            config: root,
        }
    }

    /// The directory that a flag names, else `TANA_HOME`, else the XDG directories.
    ///
    /// # Errors
    /// When nothing says where.
    pub fn locate(flag: Option<&Path>, environment: &Environment) -> Result<Self, HomeError> {
        if let Some(root) = flag
            .map(Path::to_owned)
            .or_else(|| environment.get("TANA_HOME").map(PathBuf::from))
        {
            // Children get the path in their environment and may run elsewhere.
            let root = std::path::absolute(&root)
                .map_err(|source| HomeError::Read { path: root, source })?;
            return Ok(Self::at(root));
        }
        let user = environment
            .get("HOME")
            .map(PathBuf::from)
            .ok_or(HomeError::Nowhere)?;
        let directory = |name: &str, default: &str| {
            // The XDG specification: a path that is not absolute is to be ignored.
            let named = environment
                .get(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute());
            named.unwrap_or_else(|| user.join(default)).join("tana")
        };
        let state = directory("XDG_STATE_HOME", ".local/state");
        Ok(Self {
            config: directory("XDG_CONFIG_HOME", ".config"),
            data: directory("XDG_DATA_HOME", ".local/share"),
            logs: state.join("logs"),
            run: state,
        })
    }

    /// The directory of settings and keys, as `TANA_HOME` names it.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.config
    }

    /// The one directory that everything lies under; `None` for the XDG directories, which are found without a name.
    #[must_use]
    pub fn single_root(&self) -> Option<&Path> {
        (self.data == self.config.join("data")).then_some(self.config.as_path())
    }

    /// `config.json`.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.json")
    }

    /// `chains/<name>.json`.
    #[must_use]
    pub fn chain_file(&self, name: &str) -> PathBuf {
        self.config.join("chains").join(format!("{name}.json"))
    }

    /// `users/<name>.json`, the name without `@`.
    #[must_use]
    pub fn user_file(&self, name: &str) -> PathBuf {
        self.config
            .join("users")
            .join(format!("{}.json", name.trim_start_matches('@')))
    }

    /// `nodes/<name>.json`: keys of further nodes that are played from this home.
    #[must_use]
    pub fn node_file(&self, name: &str) -> PathBuf {
        self.config.join("nodes").join(format!("{name}.json"))
    }

    /// `node-key.json`.
    #[must_use]
    pub fn node_key_file(&self) -> PathBuf {
        self.config.join("node-key.json")
    }

    /// `sovereign-key.json`.
    #[must_use]
    pub fn sovereign_key_file(&self) -> PathBuf {
        self.config.join("sovereign-key.json")
    }

    /// What the console was asked to keep of its screen.
    #[must_use]
    pub fn screens_dir(&self) -> PathBuf {
        self.data.join("screens")
    }

    /// Themes of the owner's own.
    #[must_use]
    pub fn themes_dir(&self) -> PathBuf {
        self.config.join("themes")
    }

    /// Contracts that the edge serves during development.
    #[must_use]
    pub fn contracts_dir(&self) -> PathBuf {
        self.config.join("contracts")
    }

    /// Databases and content.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// Logs of the services.
    #[must_use]
    pub fn logs_dir(&self) -> &Path {
        &self.logs
    }

    /// The supervisor's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.run.join("node.sock")
    }

    /// What only one supervisor may hold.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.run.join("node.lock")
    }

    /// With which flags the node runs.
    #[must_use]
    pub fn run_file(&self) -> PathBuf {
        self.data.join("run.json")
    }

    /// Makes the directories that are not there, for the owner alone.
    ///
    /// # Errors
    /// When one cannot be made.
    pub fn create(&self) -> Result<(), HomeError> {
        [&self.config, &self.data, &self.logs, &self.run]
            .into_iter()
            .try_for_each(|path| make_directory(path))
    }

    /// The chains that this home knows, by name, in order.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn chains(&self) -> Result<Vec<String>, HomeError> {
        names_in(&self.config.join("chains"))
    }

    /// The users that this home has keys of, by name without `@`, in order.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn users(&self) -> Result<Vec<String>, HomeError> {
        names_in(&self.config.join("users"))
    }

    /// The files of sovereign keys that were replaced by newer ones, and are kept.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn replaced_sovereign_keys(&self) -> Result<Vec<PathBuf>, HomeError> {
        let kept = |name: &String| {
            let digits = name.strip_prefix("sovereign-key.");
            digits.is_some_and(|digits| digits != "next")
        };
        let names = names_in(&self.config)?.into_iter().filter(kept);
        Ok(names
            .map(|name| self.config.join(format!("{name}.json")))
            .collect())
    }

    /// Reads a chain file.
    ///
    /// # Errors
    /// When there is none or it is not right.
    pub fn chain(&self, name: &str) -> Result<ChainSpec, HomeError> {
        read_json(&self.chain_file(name))?.ok_or_else(|| HomeError::Missing {
            what: format!("there is no chain {name:?} in {}", self.config.display()),
            todo: format!("make one: tana new chain {name}"),
        })
    }

    /// Writes a new chain file.
    ///
    /// # Errors
    /// [`HomeError::Exists`] where there is one.
    pub fn write_chain(&self, spec: &ChainSpec) -> Result<(), HomeError> {
        write(&self.chain_file(&spec.name), spec, 0o644, Replace::Refused)
    }
}

fn names_in(directory: &Path) -> Result<Vec<String>, HomeError> {
    let failed = |source| HomeError::Read {
        path: directory.into(),
        source,
    };
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        if let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".json")) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

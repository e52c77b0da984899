//! What can be wrong with a home, in sentences that name the file, the key and what would be right.

use std::io;
use std::path::PathBuf;

/// What is wrong with the home or a file in it.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Neither `TANA_HOME` nor `HOME` is set.
    #[error(
        "neither TANA_HOME nor HOME is set; set TANA_HOME to a directory for this node's files"
    )]
    Nowhere,
    /// A file cannot be read.
    #[error("{path} cannot be read", path = path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("{path} cannot be written", path = path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: {what}", path = path.display())]
    Invalid {
        /// Which.
        path: PathBuf,
        /// What is wrong and what would be right.
        what: String,
    },
    /// A setting is not what it should be.
    #[error("{origin}: {key}: {what}")]
    Setting {
        /// The file, or `environment`.
        origin: String,
        /// The setting.
        key: String,
        /// What is wrong and what would be right.
        what: String,
    },
    /// A key file can be read by others.
    #[error("{path} holds a private key and others may read it (mode {mode:04o}); run: chmod 600 {path}", path = path.display())]
    OpenMode {
        /// Which.
        path: PathBuf,
        /// Its present mode.
        mode: u32,
    },
    /// A key file is sealed, and a passphrase was not to be had.
    #[error("{path} is sealed with a passphrase; open it for good with: tana sovereign unseal", path = path.display())]
    Sealed {
        /// Which.
        path: PathBuf,
    },
    /// There is no such thing in the home.
    #[error("{what}; {todo}")]
    Missing {
        /// What is missing.
        what: String,
        /// What makes one.
        todo: String,
    },
    /// Something would be overwritten.
    #[error("{path} exists already; nothing was changed", path = path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// Another process holds the lock.
    #[error("another process ({holder}) already works on {path}; stop it first: tana stop", path = path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who holds it.
        holder: String,
    },
}

//! What the content store takes from the settings.

use std::path::PathBuf;

use tana_home::Settings;

/// What the daemon is built with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where content lies.
    pub directory: PathBuf,
    /// The largest content, in bytes.
    pub max_bytes: u64,
}

impl Config {
    /// From the settings.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            directory: settings.content_dir.clone(),
            max_bytes: settings.content_max_bytes,
        }
    }
}

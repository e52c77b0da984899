//! What the content store takes from the settings.

use std::path::PathBuf;
use std::time::Duration;

use tana_home::Settings;

/// Hashing costs more than reading: one reading of so many is checked while it is sent.
const CHECK_ONE_IN: u32 = 64;

/// What the daemon is built with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where content lies.
    pub directory: PathBuf,
    /// The largest content, in bytes.
    pub max_bytes: u64,
    /// All content together, in bytes.
    pub quota_bytes: Option<u64>,
    /// Between two readings of all content; zero: never.
    pub scrub_interval: Duration,
    /// Which share of readings is checked against the hash: one of so many.
    pub check_one_in: u32,
}

impl Config {
    /// From the settings.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            directory: settings.content_dir.clone(),
            max_bytes: settings.content_max_bytes,
            quota_bytes: settings.content_quota_bytes,
            scrub_interval: settings.content_scrub_interval,
            check_one_in: CHECK_ONE_IN,
        }
    }
}

//! `TANA_HOME`: where everything of one node lies, which settings hold, and how its key files are read and written.
//!
//! The only crate besides `kit` that reads the environment. No sockets, no async.
#![warn(missing_docs)]

mod contexts;
mod environment;
mod error;
mod files;
mod home;
mod keys;
mod lock;
mod push;
mod run_state;
mod sealed;
mod settings;
mod settings_table;
mod tailscale;

pub use contexts::{ContextSpec, Place};
pub use environment::Environment;
pub use error::HomeError;
pub use files::{read_json, write_json, write_secret_json};
pub use home::Home;
pub use keys::{KeyFile, NodeFile, StoredKey, UserFile};
pub use lock::Lock;
pub use push::{PushProvider, PushSettings, Secret};
pub use run_state::RunState;
pub use sealed::{SealError, SealedKey};
pub use settings::{KeyTable, Overrides, Settings};
pub use settings_table::{SETTINGS, Setting, nearest};
pub use tailscale::Tailscale;

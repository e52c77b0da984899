//! This machine, as far as it is the node's: room on the disk, the keys and who may read them. Looked at now and then, told when it
//! changes: another terminal may seal, replace or add a key.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::statvfs::statvfs;
use tana_home::{Home, Settings, StoredKey};

use super::Outbox;
use crate::model::{Keys, Machine};
use crate::msg::Msg;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(10);

pub(super) async fn watch(settings: Arc<Settings>, outbox: Outbox) {
    let mut told = Machine::default();
    let mut known = keys(&settings);
    loop {
        let there = keys(&settings);
        if there != known {
            outbox.send(Msg::Keys(there.clone()));
            known = there;
        }
        let found = look(&settings.home);
        if found != told {
            outbox.send(Msg::Machine(found.clone()));
            told = found;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The keys that lie here. A file that cannot be read is shown when it is needed.
pub(crate) fn keys(settings: &Settings) -> Keys {
    let home = &settings.home;
    let stored = StoredKey::find(&home.sovereign_key_file()).ok().flatten();
    Keys {
        sovereign: stored.as_ref().map(StoredKey::public_key),
        sealed: matches!(stored, Some(StoredKey::Sealed(_))),
        users: home.users().unwrap_or_default(),
    }
}

fn look(home: &Home) -> Machine {
    let there = home.root().ancestors().find(|path| path.exists());
    let free = there.and_then(|path| statvfs(path).ok()).map(|found| {
        found
            .blocks_available()
            .saturating_mul(found.fragment_size())
    });
    let mut keys: Vec<PathBuf> = vec![home.node_key_file(), home.sovereign_key_file()];
    keys.extend(
        home.users()
            .unwrap_or_default()
            .iter()
            .map(|name| home.user_file(name)),
    );
    let open_keys = keys
        .into_iter()
        .filter(|path| {
            std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
        })
        .map(|path| path.display().to_string())
        .collect();
    Machine {
        // Only what is worth a word, in whole steps: a figure that ticks would wake the screen.
        free_bytes: free
            .filter(|free| *free < Machine::WATCHED)
            .map(|free| free >> 20 << 20),
        open_keys,
    }
}

//! Contracts of a directory: `NAME/contract.ts`, `NAME/get.ts` and `NAME/post.ts`, or `NAME.ts`. A file is read again
//! when it has changed.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tana_sandbox::message::Entry;

use super::{Contract, ContractError, is_name};

/// Files that are kept in memory.
const KEPT: usize = 256;
/// More than a contract may have, so that the compiler says what is wrong.
const MAX_BYTES: u64 = 1 << 20;

pub(super) struct Directory {
    root: PathBuf,
    files: Mutex<HashMap<PathBuf, Kept>>,
}

struct Kept {
    changed: Option<SystemTime>,
    length: u64,
    source: Arc<str>,
}

impl Directory {
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            files: Mutex::default(),
        }
    }

    pub(super) async fn find(&self, name: &str, entry: Entry) -> Result<Contract, ContractError> {
        if !is_name(name) {
            return Err(ContractError::Unknown(name.to_owned()));
        }
        let (own, other, only) = if entry == Entry::Post {
            ("post.ts", "get.ts", "GET")
        } else {
            ("get.ts", "post.ts", "POST")
        };
        let dir = self.root.join(name);
        for path in [
            dir.join("contract.ts"),
            dir.join(own),
            self.root.join(format!("{name}.ts")),
        ] {
            if let Some(source) = self.read(&path).await? {
                let file = path
                    .strip_prefix(&self.root)
                    .unwrap_or(&path)
                    .display()
                    .to_string();
                return Ok(Contract {
                    file,
                    source,
                    id: None,
                    owner: None,
                });
            }
        }
        if tokio::fs::try_exists(dir.join(other))
            .await
            .unwrap_or(false)
        {
            return Err(ContractError::Method(name.to_owned(), only));
        }
        Err(ContractError::Unknown(name.to_owned()))
    }

    async fn read(&self, path: &Path) -> Result<Option<Arc<str>>, ContractError> {
        let unreadable = |error: &dyn std::fmt::Display| {
            ContractError::Unavailable(format!("{} cannot be read: {error}", path.display()))
        };
        let metadata = match tokio::fs::metadata(path).await {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(_) => return Ok(None),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(unreadable(&error)),
        };
        let (changed, length) = (metadata.modified().ok(), metadata.len());
        if length > MAX_BYTES {
            return Err(unreadable(&format!(
                "it has {length} bytes, more than a contract may have"
            )));
        }
        if let Some(kept) = self
            .files
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(path)
            && kept.changed == changed
            && kept.length == length
        {
            return Ok(Some(Arc::clone(&kept.source)));
        }
        let bytes = tokio::fs::read(path)
            .await
            .map_err(|error| unreadable(&error))?;
        let source: Arc<str> = String::from_utf8(bytes)
            .map_err(|_| unreadable(&"it is not UTF-8"))?
            .into();
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if files.len() >= KEPT {
            files.clear();
        }
        files.insert(
            path.to_owned(),
            Kept {
                changed,
                length,
                source: Arc::clone(&source),
            },
        );
        Ok(Some(source))
    }
}

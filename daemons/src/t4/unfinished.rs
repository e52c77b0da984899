//! Content on its way in: hashed and written beside, then brought to the disk and named. What was there under the name
//! is replaced: it may have rotted, or be deleted while the new bytes come, and it is stored from now on.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tana_protocol::Hash32;

use super::error::ContentError;
use super::files::{Files, sync_directory};

/// Whether content is new, or stands in the place of the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    New,
    WasThere,
}

/// An upload on its way. Dropped before [`Upload::finish`], it leaves nothing.
#[derive(Debug)]
pub(super) struct Upload {
    files: Files,
    file: File,
    /// Where it lies; `None` once it has its name.
    path: Option<PathBuf>,
    hasher: Sha256,
    size: u64,
    /// The size of what it will replace: so many bytes need no further room.
    replaces: u64,
    /// Room that was taken and not yet given over to content.
    taken: u64,
}

impl Upload {
    /// Begins a file for content that is to have this hash. Blocks.
    pub(super) fn create(
        files: Files,
        path: PathBuf,
        named: &Hash32,
    ) -> Result<Self, ContentError> {
        let replaces = files.size(named)?.unwrap_or_default();
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| ContentError::disk(&path, error))?;
        Ok(Self {
            files,
            file,
            path: Some(path),
            hasher: Sha256::new(),
            size: 0,
            replaces,
            taken: 0,
        })
    }

    /// How many bytes have come.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Takes more bytes. Blocks.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), ContentError> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        let more = self
            .size
            .saturating_sub(self.replaces)
            .saturating_sub(self.taken);
        self.files.room().take(more)?;
        self.taken += more;
        self.file.write_all(bytes).map_err(|error| self.disk(error))
    }

    fn disk(&self, error: std::io::Error) -> ContentError {
        ContentError::disk(self.path.clone().unwrap_or_default(), error)
    }

    /// Keeps it under its hash; on the disk when this returns. Blocks.
    pub(super) fn finish(mut self, named: Hash32) -> Result<Kept, ContentError> {
        let found = Hash32(std::mem::take(&mut self.hasher).finalize().into());
        if found != named {
            return Err(ContentError::Differs { named, found });
        }
        self.file.sync_all().map_err(|error| self.disk(error))?;
        let files = self.files.clone();
        let target = files.path(&named);
        let shard = target.parent().unwrap_or_else(|| files.root());
        match fs::create_dir(shard) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(ContentError::disk(shard, error));
            }
            _made_or_there => {}
        }
        let kept = self.name(&named, &target)?;
        // Whoever made the directory or gave the name may not have come so far yet: each brings both to the disk.
        sync_directory(shard)?;
        sync_directory(files.root())?;
        Ok(kept)
    }

    /// Gives it its name, in place of what has it, and settles how much there is.
    fn name(&mut self, named: &Hash32, target: &Path) -> Result<Kept, ContentError> {
        let files = self.files.clone();
        let _naming = files.naming();
        let before = files.size(named)?;
        let replaced = before.unwrap_or_default();
        // What was to be replaced may be gone by now, and its room with it.
        let more = self
            .size
            .saturating_sub(self.taken)
            .saturating_sub(replaced);
        files.room().take(more)?;
        self.taken += more;
        if let Some(path) = &self.path {
            fs::rename(path, target).map_err(|error| ContentError::disk(target, error))?;
        }
        self.path = None;
        files.room().give(self.taken + replaced - self.size);
        self.taken = 0;
        Ok(match before {
            Some(_) => Kept::WasThere,
            None => {
                files.counted(1);
                Kept::New
            }
        })
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            let _gone_already = fs::remove_file(&path);
        }
        self.files.room().give(self.taken);
    }
}

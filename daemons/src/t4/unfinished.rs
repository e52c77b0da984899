//! Content on its way in: hashed and written beside, then brought to the disk and named.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use tana_protocol::Hash32;

use super::error::ContentError;
use super::files::{Files, sync_directory};

/// Whether content is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    New,
    WasThere,
}

/// An upload on its way. Dropped before [`Upload::finish`], it leaves nothing.
#[derive(Debug)]
pub(super) struct Upload {
    files: Files,
    file: Option<(File, PathBuf)>,
    hasher: Sha256,
    size: u64,
    /// Room that was taken and not yet given over to content.
    taken: u64,
}

impl Upload {
    /// Begins a file. Blocks.
    pub(super) fn create(files: Files, path: PathBuf) -> Result<Self, ContentError> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| ContentError::disk(&path, error))?;
        let mut upload = Self::check_only(files);
        upload.file = Some((file, path));
        Ok(upload)
    }

    /// An upload of what is there already: its bytes are checked and go nowhere.
    pub(super) fn check_only(files: Files) -> Self {
        Self {
            files,
            file: None,
            hasher: Sha256::new(),
            size: 0,
            taken: 0,
        }
    }

    /// How many bytes have come.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Takes more bytes. Blocks.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), ContentError> {
        self.hasher.update(bytes);
        let length = bytes.len() as u64;
        self.size += length;
        let Some((file, path)) = &mut self.file else {
            return Ok(());
        };
        self.files.room().take(length)?;
        self.taken += length;
        file.write_all(bytes)
            .map_err(|error| ContentError::disk(path.as_path(), error))
    }

    /// Keeps it under its hash; on the disk when this returns. Blocks.
    pub(super) fn finish(mut self, named: Hash32) -> Result<Kept, ContentError> {
        let found = Hash32(std::mem::take(&mut self.hasher).finalize().into());
        if found != named {
            return Err(ContentError::Differs { named, found });
        }
        let Some((file, path)) = &self.file else {
            return Ok(Kept::WasThere);
        };
        file.sync_all()
            .map_err(|error| ContentError::disk(path, error))?;
        let target = self.files.path(&named);
        let root = self.files.root();
        let shard = target.parent().unwrap_or(root);
        match fs::create_dir(shard) {
            Ok(()) => sync_directory(root)?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(ContentError::disk(shard, error)),
        }
        {
            let _naming = self.files.naming();
            if target.exists() {
                // Somebody else's upload of the same was faster; this one's file goes.
                return Ok(Kept::WasThere);
            }
            fs::rename(path, &target).map_err(|error| ContentError::disk(&target, error))?;
        }
        self.file = None;
        self.taken = 0;
        self.files.counted(1);
        sync_directory(shard)?;
        Ok(Kept::New)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some((_, path)) = self.file.take() {
            let _gone_already = fs::remove_file(&path);
        }
        self.files.room().give(self.taken);
    }
}

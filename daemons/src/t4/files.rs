//! Content on the disk: `ab/abcdef…` under the content directory, as existing nodes lay it out. What is there is whole:
//! it was written beside, checked, brought to the disk and renamed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tana_protocol::Hash32;

use super::error::ContentError;

/// Where uploads lie until they are whole.
const UNFINISHED: &str = "tmp";

/// The content directory. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Files(Arc<PathBuf>);

/// Content that is there.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) file: File,
    pub(super) size: u64,
}

/// An upload on its way. Dropped before [`Upload::finish`], it leaves nothing.
#[derive(Debug)]
pub(super) struct Upload {
    file: Option<File>,
    path: PathBuf,
    hasher: Sha256,
    size: u64,
}

/// Whether content is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    New,
    WasThere,
}

/// Runs what blocks where blocking is allowed.
pub(super) async fn blocking<T, F>(work: F) -> Result<T, ContentError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, ContentError> + Send + 'static,
{
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ContentError::disk("content", io::Error::other(error)))?
}

fn sync_directory(path: &Path) -> Result<(), ContentError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| ContentError::disk(path, error))
}

impl Files {
    /// Makes the directory where there is none, and removes what uploads left that a crash broke off.
    pub(super) async fn open(directory: PathBuf) -> Result<Self, ContentError> {
        let files = Self(Arc::new(directory));
        let opened = files.clone();
        blocking(move || {
            let unfinished = files.0.join(UNFINISHED);
            fs::create_dir_all(&unfinished)
                .map_err(|error| ContentError::disk(&unfinished, error))?;
            let left = fs::read_dir(&unfinished)
                .map_err(|error| ContentError::disk(&unfinished, error))?;
            for entry in left.flatten() {
                let path = entry.path();
                fs::remove_file(&path).map_err(|error| ContentError::disk(path, error))?;
            }
            Ok(())
        })
        .await?;
        Ok(opened)
    }

    /// Whether the directory is there still.
    pub(super) async fn probe(&self) -> Result<(), String> {
        let path = self.0.join(UNFINISHED);
        match tokio::fs::metadata(&path).await {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => Err(format!("{} is no directory", path.display())),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    fn path(&self, hash: &Hash32) -> PathBuf {
        let text = hash.to_hex();
        self.0.join(&text[..2]).join(text)
    }

    /// Opens content.
    pub(super) async fn read(&self, hash: Hash32) -> Result<Found, ContentError> {
        let path = self.path(&hash);
        blocking(move || {
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(ContentError::Missing(hash));
                }
                Err(error) => return Err(ContentError::disk(path, error)),
            };
            let size = file
                .metadata()
                .map_err(|error| ContentError::disk(path, error))?
                .len();
            Ok(Found { file, size })
        })
        .await
    }

    /// Whether content is there.
    pub(super) async fn has(&self, hash: Hash32) -> Result<bool, ContentError> {
        match self.read(hash).await {
            Ok(_) => Ok(true),
            Err(ContentError::Missing(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Begins an upload.
    pub(super) async fn begin(&self) -> Result<Upload, ContentError> {
        let name = format!("{:032x}", rand::random::<u128>());
        let path = self.0.join(UNFINISHED).join(name);
        blocking(move || {
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
                .map_err(|error| ContentError::disk(&path, error))?;
            Ok(Upload {
                file: Some(file),
                path,
                hasher: Sha256::new(),
                size: 0,
            })
        })
        .await
    }

    /// An upload of what is there already: its bytes are checked and go nowhere.
    pub(super) fn check_only(&self) -> Upload {
        Upload {
            file: None,
            path: PathBuf::new(),
            hasher: Sha256::new(),
            size: 0,
        }
    }

    /// Keeps an upload under its hash, on the disk before it is answered.
    pub(super) async fn keep(&self, named: Hash32, upload: Upload) -> Result<Kept, ContentError> {
        let target = self.path(&named);
        let root = self.0.clone();
        blocking(move || upload.finish(named, &root, &target)).await
    }

    /// Deletes content.
    pub(super) async fn delete(&self, hash: Hash32) -> Result<(), ContentError> {
        let path = self.path(&hash);
        blocking(move || {
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(ContentError::Missing(hash));
                }
                Err(error) => return Err(ContentError::disk(path, error)),
            }
            path.parent().map_or(Ok(()), sync_directory)
        })
        .await
    }
}

impl Upload {
    /// How many bytes have come.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Takes more bytes. Blocks.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), ContentError> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        match &mut self.file {
            Some(file) => file
                .write_all(bytes)
                .map_err(|error| ContentError::disk(&self.path, error)),
            None => Ok(()),
        }
    }

    fn finish(mut self, named: Hash32, root: &Path, target: &Path) -> Result<Kept, ContentError> {
        let found = Hash32(std::mem::take(&mut self.hasher).finalize().into());
        if found != named {
            return Err(ContentError::Differs { named, found });
        }
        let Some(file) = self.file.take() else {
            return Ok(Kept::WasThere);
        };
        // From here on nothing is dropped half-way: a failure removes what is unfinished.
        let kept = self.settle(&file, root, target);
        if kept.is_err() {
            let _gone_already = fs::remove_file(&self.path);
        }
        kept
    }

    fn settle(&self, file: &File, root: &Path, target: &Path) -> Result<Kept, ContentError> {
        file.sync_all()
            .map_err(|error| ContentError::disk(&self.path, error))?;
        let shard = target.parent().unwrap_or(root);
        match fs::create_dir(shard) {
            Ok(()) => sync_directory(root)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(ContentError::disk(shard, error)),
        }
        fs::rename(&self.path, target).map_err(|error| ContentError::disk(target, error))?;
        sync_directory(shard)?;
        Ok(Kept::New)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _gone_already = fs::remove_file(&self.path);
        }
    }
}

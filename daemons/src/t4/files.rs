//! Content on the disk: `ab/abcdef…` under the content directory, as existing nodes lay it out. What is there is whole:
//! it was written beside, checked, brought to the disk and renamed. What rotted since lies in `quarantine/`.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use tana_protocol::api::content::Listed;
use tana_protocol::{Hash32, Timestamp};

use super::error::ContentError;
use super::room::Room;
use super::unfinished::{Kept, Upload};

/// Where uploads lie until they are whole.
const UNFINISHED: &str = "tmp";
/// Where content lies that no longer has its hash.
const QUARANTINE: &str = "quarantine";

/// The content directory. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Files(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    room: Room,
    count: AtomicU64,
    /// Held while a name is given or taken away.
    naming: Mutex<()>,
}

/// Content that is there.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// As long as it is open, no other file can be taken for this one.
    pub(super) file: Arc<File>,
    pub(super) size: u64,
    /// The device and the number of the file there.
    identity: (u64, u64),
}

impl Found {
    /// Opens what lies there; `None` where nothing does. Blocks.
    fn open(path: &Path) -> Result<Option<Self>, ContentError> {
        match File::open(path).and_then(Self::of) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ContentError::disk(path, error)),
        }
    }

    /// The same where the kernel need not ask the disk. Does not block.
    fn at_hand(path: &Path) -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let opened = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED);
        Self::of(File::from(opened.ok()?)).ok()
    }

    fn of(file: File) -> io::Result<Self> {
        let about = file.metadata()?;
        Ok(Self {
            file: Arc::new(file),
            size: about.len(),
            identity: (about.dev(), about.ino()),
        })
    }
}

/// What became of content that has rotted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// It lies in quarantine.
    Away,
    /// It has been deleted or stored again.
    Gone,
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

pub(super) fn sync_directory(path: &Path) -> Result<(), ContentError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| ContentError::disk(path, error))
}

impl Files {
    /// Makes the directory where there is none, removes what uploads left that a crash broke off, and counts the rest.
    pub(super) async fn open(root: PathBuf, quota: Option<u64>) -> Result<Self, ContentError> {
        blocking(move || {
            for name in [UNFINISHED, QUARANTINE] {
                let path = root.join(name);
                fs::create_dir_all(&path).map_err(|error| ContentError::disk(path, error))?;
            }
            for entry in entries(&root.join(UNFINISHED))? {
                let path = entry.path();
                fs::remove_file(&path).map_err(|error| ContentError::disk(path, error))?;
            }
            let (mut bytes, mut count) = (0, 0);
            for shard in shards(&root)? {
                for content in listed(&shard)? {
                    bytes += content.size;
                    count += 1;
                }
            }
            Ok(Self(Arc::new(Inner {
                root,
                room: Room::new(quota, bytes),
                count: AtomicU64::new(count),
                naming: Mutex::default(),
            })))
        })
        .await
    }

    pub(super) fn root(&self) -> &Path {
        &self.0.root
    }

    pub(super) fn room(&self) -> &Room {
        &self.0.room
    }

    /// How many contents there are.
    pub(super) fn count(&self) -> u64 {
        self.0.count.load(Ordering::Relaxed)
    }

    pub(super) fn counted(&self, more: u64) {
        self.0.count.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn naming(&self) -> MutexGuard<'_, ()> {
        self.0.naming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the directory is there still.
    pub(super) async fn probe(&self) -> Result<(), String> {
        let path = self.0.root.join(UNFINISHED);
        match tokio::fs::metadata(&path).await {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => Err(format!("{} is no directory", path.display())),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    pub(super) fn path(&self, hash: &Hash32) -> PathBuf {
        let text = hash.to_hex();
        self.0.root.join(&text[..2]).join(text)
    }

    /// Opens content. Blocks.
    pub(super) fn open_content(&self, hash: &Hash32) -> Result<Found, ContentError> {
        Found::open(&self.path(hash))?.ok_or(ContentError::Missing(*hash))
    }

    /// The size of content, where it is there. Blocks.
    pub(super) fn size(&self, hash: &Hash32) -> Result<Option<u64>, ContentError> {
        let path = self.path(hash);
        match fs::symlink_metadata(&path) {
            Ok(about) => Ok(Some(about.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ContentError::disk(path, error)),
        }
    }

    /// Opens content.
    pub(super) async fn read(&self, hash: Hash32) -> Result<Found, ContentError> {
        // What the kernel has at hand is opened sooner than another thread is woken for it.
        if let Some(found) = Found::at_hand(&self.path(&hash)) {
            return Ok(found);
        }
        let files = self.clone();
        blocking(move || files.open_content(&hash)).await
    }

    /// Whether content is there.
    pub(super) async fn has(&self, hash: Hash32) -> Result<bool, ContentError> {
        let files = self.clone();
        blocking(move || Ok(files.size(&hash)?.is_some())).await
    }

    /// Begins an upload of what is to have this hash.
    pub(super) async fn begin(&self, named: Hash32) -> Result<Upload, ContentError> {
        let files = self.clone();
        let name = format!("{:032x}", rand::random::<u128>());
        let path = self.0.root.join(UNFINISHED).join(name);
        blocking(move || Upload::create(files, path, &named)).await
    }

    /// Keeps an upload under its hash, on the disk before it is answered.
    pub(super) async fn keep(&self, named: Hash32, upload: Upload) -> Result<Kept, ContentError> {
        blocking(move || upload.finish(named)).await
    }

    /// Deletes content.
    pub(super) async fn delete(&self, hash: Hash32) -> Result<(), ContentError> {
        let files = self.clone();
        blocking(move || {
            let path = files.path(&hash);
            {
                let _naming = files.naming();
                let size = files.size(&hash)?.ok_or(ContentError::Missing(hash))?;
                fs::remove_file(&path).map_err(|error| ContentError::disk(&path, error))?;
                files.went(size);
            }
            path.parent().map_or(Ok(()), sync_directory)
        })
        .await
    }

    /// Moves content that has rotted out of the way, where somebody may look at it. What `found` is, and no other: the
    /// same content may have been stored again meanwhile. Blocks.
    pub(super) fn quarantine(&self, hash: &Hash32, found: &Found) -> Result<Moved, ContentError> {
        let from = self.path(hash);
        let to = self.0.root.join(QUARANTINE).join(hash.to_hex());
        {
            let _naming = self.naming();
            match Found::open(&from)? {
                Some(there) if there.identity == found.identity => {}
                Some(_) | None => return Ok(Moved::Gone),
            }
            fs::rename(&from, &to).map_err(|error| ContentError::disk(&from, error))?;
            self.went(found.size);
        }
        from.parent().map_or(Ok(()), sync_directory)?;
        Ok(Moved::Away)
    }

    /// Settles that content of this size is no longer there.
    fn went(&self, size: u64) {
        self.0.room.give(size);
        self.0.count.fetch_sub(1, Ordering::Relaxed);
    }

    /// What lies in quarantine. Blocks.
    pub(super) fn quarantined(&self) -> Result<Vec<Hash32>, ContentError> {
        let found = entries(&self.0.root.join(QUARANTINE))?;
        Ok(found
            .iter()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect())
    }

    /// Forgets what was quarantined, once it is here again.
    pub(super) fn release(&self, hash: &Hash32) {
        let _not_there = fs::remove_file(self.0.root.join(QUARANTINE).join(hash.to_hex()));
    }

    /// At most `limit` contents behind `after`, in the order of their hashes.
    pub(super) async fn list(
        &self,
        after: Option<Hash32>,
        limit: usize,
    ) -> Result<Vec<Listed>, ContentError> {
        let files = self.clone();
        blocking(move || files.list_blocking(after, limit)).await
    }

    /// The same. Blocks.
    pub(super) fn list_blocking(
        &self,
        after: Option<Hash32>,
        limit: usize,
    ) -> Result<Vec<Listed>, ContentError> {
        let first = after.map(|hash| hash.to_hex()[..2].to_owned());
        let mut found = Vec::new();
        for shard in shards(&self.0.root)? {
            if found.len() >= limit {
                break;
            }
            let name = shard.file_name().and_then(|name| name.to_str());
            if first.as_deref() > name {
                continue;
            }
            let mut here = listed(&shard)?;
            here.retain(|content| after.is_none_or(|after| content.hash > after));
            here.sort_unstable_by_key(|content| content.hash);
            found.extend(here);
        }
        found.truncate(limit);
        Ok(found)
    }
}

fn entries(directory: &Path) -> Result<Vec<fs::DirEntry>, ContentError> {
    fs::read_dir(directory)
        .and_then(Iterator::collect)
        .map_err(|error| ContentError::disk(directory, error))
}

/// The directories `00` to `ff` that there are, in order.
fn shards(root: &Path) -> Result<Vec<PathBuf>, ContentError> {
    let is_shard = |name: &str| name.len() == 2 && name.bytes().all(|b| b.is_ascii_hexdigit());
    let mut shards: Vec<PathBuf> = entries(root)?
        .into_iter()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_shard))
        .map(|entry| entry.path())
        .collect();
    shards.sort_unstable();
    Ok(shards)
}

/// The contents of a shard. What has no hash for its name is none of ours, what goes away meanwhile is gone.
fn listed(shard: &Path) -> Result<Vec<Listed>, ContentError> {
    let found = entries(shard)?;
    Ok(found
        .into_iter()
        .filter_map(|entry| {
            let hash = entry.file_name().to_str()?.parse().ok()?;
            let about = entry.metadata().ok()?;
            let since = about
                .modified()
                .ok()?
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap_or_default();
            Some(Listed {
                hash,
                size: about.len(),
                stored_at: Timestamp::from_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
            })
        })
        .collect())
}

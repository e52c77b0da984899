//! One supervisor per home.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::HomeError;
use crate::files::make_directory;

/// Held while its value lives; the operating system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock and writes this process's id into it.
    ///
    /// # Errors
    /// [`HomeError::Locked`] with the holder's process id.
    pub fn take(path: &Path) -> Result<Self, HomeError> {
        let failed = |source| HomeError::Write {
            path: path.into(),
            source,
        };
        make_directory(path.parent().unwrap_or(Path::new(".")))?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                Read::by_ref(&mut file)
                    .take(32)
                    .read_to_string(&mut holder)
                    .map_err(failed)?;
                return Err(HomeError::Locked {
                    path: path.into(),
                    holder: format!("pid {}", holder.trim()),
                });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

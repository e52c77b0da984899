//! JSON files that are whole or not there: written to a temporary name, synced, renamed, the directory synced.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::error::HomeError;

/// No file of a home is larger; a larger one is somebody's mistake.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Reads a JSON file; `None` where there is none.
///
/// # Errors
/// When it cannot be read or is not of this form.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, HomeError> {
    let Some(text) = read_text(path)? else {
        return Ok(None);
    };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| HomeError::Invalid {
            path: path.into(),
            what: error.to_string(),
        })
}

/// Reads a file that may hold a secret; `None` where there is none.
pub(crate) fn read_text(path: &Path) -> Result<Option<Zeroizing<String>>, HomeError> {
    let read = |source| HomeError::Read {
        path: path.into(),
        source,
    };
    match fs::metadata(path) {
        Ok(found) if found.len() > LARGEST => {
            return Err(HomeError::Invalid {
                path: path.into(),
                what: "larger than 4 MiB, so not a file of ours".into(),
            });
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(read(error)),
    }
    let bytes = Zeroizing::new(fs::read(path).map_err(read)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| HomeError::Invalid {
        path: path.into(),
        what: "not UTF-8 text".into(),
    })?;
    Ok(Some(Zeroizing::new(text.to_owned())))
}

/// Whether a write may replace what is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replace {
    Allowed,
    Refused,
}

/// Writes a JSON file that others may read, replacing what is there.
///
/// # Errors
/// When it cannot be written; the old file is then untouched.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), HomeError> {
    write(path, value, 0o644, Replace::Allowed)
}

/// Writes a JSON file that only the owner may read (0600). Never replaces a file: keys are not overwritten.
///
/// # Errors
/// [`HomeError::Exists`] where there is one; otherwise when it cannot be written.
pub fn write_secret_json<T: Serialize>(path: &Path, value: &T) -> Result<(), HomeError> {
    write(path, value, 0o600, Replace::Refused)
}

pub(crate) fn write<T: Serialize>(
    path: &Path,
    value: &T,
    mode: u32,
    replace: Replace,
) -> Result<(), HomeError> {
    let failed = |source| HomeError::Write {
        path: path.into(),
        source,
    };
    let mut text =
        Zeroizing::new(serde_json::to_vec_pretty(value).map_err(|error| failed(error.into()))?);
    text.push(b'\n');
    let parent = path.parent().unwrap_or(Path::new("."));
    make_directory(parent)?;
    let temporary = path.with_extension(format!("tmp-{}", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&temporary)?;
        file.write_all(&text)?;
        file.sync_all()?;
        match replace {
            Replace::Allowed => fs::rename(&temporary, path)?,
            // Unlike rename, a link fails where the name is taken, also when two run at once.
            Replace::Refused => {
                fs::hard_link(&temporary, path).and_then(|()| fs::remove_file(&temporary))?;
            }
        }
        File::open(parent)?.sync_all()
    })();
    written.map_err(|error: io::Error| {
        // The temporary file may hold a key; whether it could be removed changes nothing of the answer.
        let _ = fs::remove_file(&temporary);
        if error.kind() == io::ErrorKind::AlreadyExists {
            HomeError::Exists { path: path.into() }
        } else {
            failed(error)
        }
    })
}

/// Makes a directory that only the owner may enter, where there is none.
pub(crate) fn make_directory(path: &Path) -> Result<(), HomeError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| HomeError::Write {
            path: path.into(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use crate::{HomeError, KeyFile, Lock};

    #[test]
    fn a_key_file_is_for_the_owner_alone_and_never_overwritten() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("node-key.json");
        let key = KeyFile::generate();
        key.create(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(matches!(
            KeyFile::generate().create(&path),
            Err(HomeError::Exists { .. })
        ));
        assert_eq!(KeyFile::read(&path).unwrap().public_key, key.public_key);
        assert_eq!(
            fs::read_dir(home.path()).unwrap().count(),
            1,
            "no temporary file stays"
        );

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = KeyFile::read(&path).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_key_file_whose_halves_do_not_fit_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("key.json");
        let mut key = KeyFile::generate();
        key.public_key = KeyFile::generate().public_key;
        key.create(&path).unwrap();
        assert!(matches!(
            KeyFile::read(&path),
            Err(HomeError::Invalid { .. })
        ));
    }

    #[test]
    fn the_second_to_take_a_lock_is_told_who_holds_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("node.lock");
        let held = Lock::take(&path).unwrap();
        let error = Lock::take(&path).unwrap_err().to_string();
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        drop(held);
        Lock::take(&path).unwrap();
    }
}

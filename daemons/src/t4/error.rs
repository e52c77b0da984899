//! What can go wrong with content, and how it is answered.

use std::io;
use std::path::PathBuf;

use nix::errno::Errno;
use tana_kit::ApiError;
use tana_protocol::Hash32;
use tana_protocol::problem::Code;

/// Why content was not stored, read or deleted.
#[derive(Debug, thiserror::Error)]
pub(super) enum ContentError {
    #[error("there is no content {0} here")]
    Missing(Hash32),
    #[error("the bytes have the hash {found}, not {named}; nothing was stored")]
    Differs { named: Hash32, found: Hash32 },
    #[error("content has at most {0} bytes here; set contentMaxBytes to allow more")]
    TooLarge(u64),
    #[error(
        "the content store may hold {0} bytes and would hold more; set contentQuotaBytes to allow more; nothing was stored"
    )]
    Quota(u64),
    #[error(
        "the content {0} has rotted on the disk; it lies in quarantine and is fetched again from other nodes"
    )]
    Rotten(Hash32),
    #[error("no room is left on the disk of the content store; nothing was stored")]
    Full,
    #[error("the upload broke off; nothing was stored")]
    Broken,
    #[error("nothing of the upload came for {0} s; nothing was stored")]
    Stalled(u64),
    #[error("{path} cannot be written or read")]
    Disk {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl ContentError {
    /// An error of the operating system.
    pub(super) fn disk(path: impl Into<PathBuf>, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Disk {
                path: path.into(),
                source,
            },
        }
    }

    /// Whether the disk no longer gives what was written to it. Other errors are of the machine, such as too many open
    /// files, and say nothing of the content.
    pub(super) fn is_rot(&self) -> bool {
        matches!(self, Self::Disk { source, .. } if source.raw_os_error() == Some(Errno::EIO as i32))
    }
}

impl From<ContentError> for ApiError {
    fn from(error: ContentError) -> Self {
        let code = match &error {
            ContentError::Missing(_) | ContentError::Rotten(_) => Code::NotFound,
            ContentError::Differs { .. } => Code::HashMismatch,
            ContentError::TooLarge(_) => Code::TooLarge,
            ContentError::Full | ContentError::Quota(_) => Code::InsufficientStorage,
            ContentError::Broken | ContentError::Stalled(_) => Code::Malformed,
            ContentError::Disk { .. } => return Self::internal(&error),
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_disk_that_cannot_read_is_rot() {
        let error = |number: Errno| ContentError::disk("x", io::Error::from(number));
        assert!(error(Errno::EIO).is_rot());
        for other in [Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM, Errno::EACCES] {
            assert!(!error(other).is_rot(), "{other}");
        }
    }
}

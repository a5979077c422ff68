//! The data folder: the embedded database, the keys, the copies in flight, where it is served. One serving process at a time holds its lock.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The file that says where a server is reached.
const SERVED: &str = "served-at";

#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error(
        "the data folder {folder} is in use by another Entrepôt process; stop that one, or use another folder with --data"
    )]
    InUse { folder: PathBuf },
    #[error("the data folder {folder} cannot be used: {source}")]
    Io {
        folder: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Held as long as the process uses the folder; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, not read")] File);

/// Makes the folder, for its owner only, where it is not there yet.
pub fn create(folder: &Path) -> Result<(), FolderError> {
    let failed = |source| FolderError::Io {
        folder: folder.to_owned(),
        source,
    };
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(failed)
}

/// Takes the lock, or says who is in the way.
pub fn lock(folder: &Path) -> Result<Lock, FolderError> {
    let failed = |source| FolderError::Io {
        folder: folder.to_owned(),
        source,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("lock"))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(FolderError::InUse {
            folder: folder.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Remembers where a server on this folder is reached, for commands that work on the folder beside it.
pub fn note_served(folder: &Path, public_url: &str) -> Result<(), FolderError> {
    let failed = |source| FolderError::Io {
        folder: folder.to_owned(),
        source,
    };
    fs::write(folder.join(SERVED), format!("{public_url}\n")).map_err(failed)
}

/// Where a server on this folder is reached, or was when there was one.
pub fn served(folder: &Path) -> Option<String> {
    let text = fs::read_to_string(folder.join(SERVED)).ok()?;
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("deep/data");
        create(&folder).unwrap();
        create(&folder).unwrap();
        let held = lock(&folder).unwrap();
        assert!(matches!(lock(&folder), Err(FolderError::InUse { .. })));
        drop(held);
        lock(&folder).unwrap();
    }

    #[test]
    fn the_last_server_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(served(folder.path()), None);
        for url in ["http://127.0.0.1:41234", "http://[::1]:1"] {
            note_served(folder.path(), url).unwrap();
            assert_eq!(served(folder.path()).as_deref(), Some(url));
        }
    }
}

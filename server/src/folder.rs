//! The data folder: the embedded database, the keys, the copies in flight. One serving process at a time holds its lock.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

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
}

//! The data folder: the embedded database, the keys, the copies in flight, where it is served. One serving process at a time holds its lock.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// So long a server waits for a folder that is in use: a command holds it for a moment only.
pub const PATIENCE: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(100);

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

/// Makes the folder where it is not there yet, and sees to it that it is its owner's only.
pub fn create(folder: &Path) -> Result<(), FolderError> {
    let failed = |source| FolderError::Io {
        folder: folder.to_owned(),
        source,
    };
    if folder.is_dir() {
        return close(folder, 0o700).map_err(failed);
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(failed)
}

/// Sees to it that the embedded database is its owner's only, also where SQLite would make it readable for others.
pub fn close_database(file: &Path) -> Result<(), FolderError> {
    let failed = |source| FolderError::Io {
        folder: file.to_owned(),
        source,
    };
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map_err(failed)?;
    for end in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        let beside = Path::new(&name);
        if beside.exists() {
            close(beside, 0o600).map_err(failed)?;
        }
    }
    Ok(())
}

/// Takes from others what they may do with it. What belongs to somebody else, or to everybody as `/tmp` does, is left alone.
#[cfg(unix)]
fn close(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    const STICKY: u32 = 0o1000;
    let found = fs::metadata(path)?.permissions().mode();
    if found & 0o077 == 0 || found & STICKY != 0 {
        return Ok(());
    }
    match fs::set_permissions(path, fs::Permissions::from_mode(mode)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            tracing::warn!(path = %path.display(), "others may read this, and it belongs to somebody else");
            Ok(())
        }
        changed => changed,
    }
}

#[cfg(not(unix))]
fn close(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

/// Takes the lock as soon as it is free. `wait` is told once if somebody else has it first.
pub async fn lock_within(
    folder: &Path,
    patience: Duration,
    wait: impl FnOnce(),
) -> Result<Lock, FolderError> {
    let start = tokio::time::Instant::now();
    let mut wait = Some(wait);
    loop {
        match lock(folder) {
            Err(FolderError::InUse { .. }) if start.elapsed() < patience => {
                if let Some(wait) = wait.take() {
                    wait();
                }
                tokio::time::sleep(AGAIN).await;
            }
            taken => return taken,
        }
    }
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

    #[tokio::test]
    async fn a_server_waits_for_a_command() {
        let folder = tempfile::tempdir().unwrap();
        let mut waited = 0;
        lock_within(folder.path(), PATIENCE, || waited += 1)
            .await
            .unwrap();
        assert_eq!(waited, 0, "nobody was in the way");
        let mut held = Some(lock(folder.path()).unwrap());
        // Whoever is in the way goes while we wait.
        let taken = lock_within(folder.path(), PATIENCE, || held = None).await;
        assert!(taken.is_ok());
        let held = taken.unwrap();
        let refused = lock_within(folder.path(), AGAIN, || waited += 1).await;
        assert!(matches!(refused, Err(FolderError::InUse { .. })));
        assert_eq!(waited, 1);
        drop(held);
    }

    #[cfg(unix)]
    #[test]
    fn what_was_open_to_others_is_closed() {
        use std::os::unix::fs::PermissionsExt as _;

        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        set(&data, 0o755);
        create(&data).unwrap();
        assert_eq!(mode(&data), 0o700);
        let database = data.join("entrepot.db");
        close_database(&database).unwrap();
        assert_eq!(mode(&database), 0o600, "made so");
        let log = data.join("entrepot.db-wal");
        fs::write(&log, "x").unwrap();
        for path in [&database, &log] {
            set(path, 0o664);
        }
        close_database(&database).unwrap();
        assert_eq!((mode(&database), mode(&log)), (0o600, 0o600));
        assert!(!data.join("entrepot.db-shm").exists());
        // A folder of everybody's stays that.
        set(folder.path(), 0o1777);
        create(folder.path()).unwrap();
        assert_eq!(mode(folder.path()), 0o1777);
        set(folder.path(), 0o700);
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

//! A demo world that was begun and broken off: told by a mark in the data folder itself, and cleared away on the next start. The mark
//! goes with the folder: whoever removes it and puts something else there has no mark in it, and is left alone.

use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// There from before the demo world's first file until after its last.
const MARK: &str = "demo-unfinished";
/// A process that uses the folder holds this one locked.
const LOCK: &str = "lock";

/// What `entrepot demo --headless` puts into its folder. Nothing else is ever removed.
const OF_THE_DEMO: [&str; 12] = [
    "clouds",
    "demo-accounts.txt",
    "demo-tables.json",
    "entrepot.db",
    "entrepot.db-journal",
    "entrepot.db-shm",
    "entrepot.db-wal",
    "entrepot.toml",
    "keys",
    LOCK,
    "profiles",
    "runs",
];

/// Makes the folder, and the mark in it.
pub(crate) fn begin(data: &Path) -> Result<()> {
    std::fs::create_dir_all(data).with_context(|| format!("create {}", data.display()))?;
    let mark = data.join(MARK);
    let text = "cargo xtask run is making the demo world here, or was broken off; the next start removes what is here\n";
    std::fs::write(&mark, text).with_context(|| format!("write {}", mark.display()))
}

/// The demo world is whole.
pub(crate) fn end(data: &Path) -> Result<()> {
    let mark = data.join(MARK);
    std::fs::remove_file(&mark).with_context(|| format!("remove {}", mark.display()))
}

pub(crate) fn is_there(data: &Path) -> bool {
    data.join(MARK).is_file()
}

/// Empties a folder that has the mark. Refuses one that somebody uses, or that holds anything besides a demo world.
pub(crate) fn clear(data: &Path) -> Result<()> {
    let place = data.display();
    if !is_there(data) {
        bail!("{place} holds no unfinished demo world");
    }
    let names = names(data)?;
    if let Some(other) = names.iter().find(|name| !is_of_the_demo(name)) {
        bail!(
            "the demo world in {place} was not finished, and {} there is no part of it; take out what is yours, then remove the folder \
             and start again: rm -r '{place}'",
            other.display()
        );
    }
    let _held = lock(data)?;
    // The mark goes last: broken off here, the next start finds it again.
    for name in names.iter().filter(|name| name.to_str() != Some(MARK)) {
        remove(&data.join(name))?;
    }
    end(data)
}

fn names(folder: &Path) -> Result<Vec<OsString>> {
    let list = || {
        std::fs::read_dir(folder)?
            .map(|entry| Ok(entry?.file_name()))
            .collect::<std::io::Result<Vec<OsString>>>()
    };
    list().with_context(|| format!("list {}", folder.display()))
}

fn is_of_the_demo(name: &OsStr) -> bool {
    name.to_str()
        .is_some_and(|name| name == MARK || OF_THE_DEMO.contains(&name))
}

/// Held while the folder is emptied. Without the file nobody can be using the folder.
fn lock(data: &Path) -> Result<Option<File>> {
    let path = data.join(LOCK);
    let file = match File::options().write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("open {}", path.display())),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => bail!(
            "{} is in use: another process makes the demo world there or serves it; wait for it or stop it, or use another folder with \
             --data",
            data.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("lock {}", path.display()))
        }
    }
}

/// A link is removed itself, never what it leads to.
fn remove(path: &Path) -> Result<()> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    removed.with_context(|| format!("remove {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Folder;

    /// A folder as Ctrl-C leaves it.
    fn broken_off(folder: &Folder) -> Result<std::path::PathBuf> {
        let data = folder.path().join("data");
        begin(&data)?;
        std::fs::create_dir_all(data.join("clouds/aws_eu-central-1"))?;
        std::fs::write(data.join("clouds/aws_eu-central-1/part.parquet"), "half")?;
        for name in ["entrepot.db", "entrepot.db-wal", "entrepot.toml", LOCK] {
            std::fs::write(data.join(name), "half")?;
        }
        Ok(data)
    }

    #[test]
    fn what_was_broken_off_is_cleared_away() -> Result<()> {
        let folder = Folder::temporary("unfinished-test")?;
        let data = broken_off(&folder)?;
        assert!(is_there(&data));
        clear(&data)?;
        assert_eq!(names(&data)?, Vec::<OsString>::new());
        // One that was finished is not.
        begin(&data)?;
        std::fs::write(data.join("entrepot.db"), "whole")?;
        end(&data)?;
        assert!(!is_there(&data));
        assert!(clear(&data).is_err());
        assert!(data.join("entrepot.db").is_file());
        Ok(())
    }

    #[test]
    fn a_folder_with_anything_else_is_left_as_it_is() -> Result<()> {
        // Somebody's own file; and the note of a server, which means that somebody lives here.
        for other in ["thesis.txt", "served-at"] {
            let folder = Folder::temporary("unfinished-test")?;
            let data = broken_off(&folder)?;
            std::fs::write(data.join(other), "mine")?;
            let before = names(&data)?.len();
            let error = clear(&data).expect_err("it must be left").to_string();
            assert!(
                error.contains(other) && error.contains("rm -r '"),
                "{error}"
            );
            assert_eq!(names(&data)?.len(), before);
        }
        Ok(())
    }

    #[test]
    fn a_folder_in_use_is_left_as_it_is() -> Result<()> {
        let folder = Folder::temporary("unfinished-test")?;
        let data = broken_off(&folder)?;
        let held = File::options().write(true).open(data.join(LOCK))?;
        held.try_lock()?;
        let error = clear(&data).expect_err("it must be left").to_string();
        assert!(error.contains("in use"), "{error}");
        assert!(data.join("entrepot.db").is_file() && is_there(&data));
        drop(held);
        clear(&data)
    }

    #[test]
    fn links_are_not_followed() -> Result<()> {
        let folder = Folder::temporary("unfinished-test")?;
        let data = broken_off(&folder)?;
        let elsewhere = folder.path().join("elsewhere");
        std::fs::create_dir(&elsewhere)?;
        std::fs::write(elsewhere.join("kept"), "")?;
        std::os::unix::fs::symlink(&elsewhere, data.join("profiles"))?;
        clear(&data)?;
        assert!(elsewhere.join("kept").is_file());
        Ok(())
    }
}

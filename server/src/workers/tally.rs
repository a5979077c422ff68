//! What a copying child process has counted, in a file of its own beside the receipts: written as it goes, so that it is
//! there however the process ends, and locked while it lives, so that whoever reads it knows when the number is final.
//!
//! The lock is the system's: a process that is killed lets go of it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

/// How such files end.
const END: &str = "meter";

/// The child's side.
pub(crate) struct Tally(Mutex<(File, u64)>);

impl Tally {
    /// Begins at 0. Each process has a file of its own, also where an attempt starts several.
    pub(crate) fn create(receipts: &Path, attempt: i64) -> io::Result<Self> {
        let mut name = receipts.as_os_str().to_owned();
        name.push(format!(".{attempt}.{}.{END}", Uuid::new_v4().simple()));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(PathBuf::from(name))?;
        file.lock()?;
        let tally = Self(Mutex::new((file, 0)));
        tally.write(0)?;
        Ok(tally)
    }

    /// Notes that so many bytes have been counted in all. Less than before is late news and changes nothing.
    pub(crate) fn write(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, before) = &mut *state;
        if bytes < *before {
            return Ok(());
        }
        // Always of the same length, so that nothing of an older number stays behind.
        file.rewind()?;
        file.write_all(format!("{bytes:020}").as_bytes())?;
        *before = bytes;
        Ok(())
    }
}

/// What a process that has ended had counted.
pub(crate) struct Final {
    pub(crate) path: PathBuf,
    /// The file's name: no other process's.
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

/// The counts of a run's processes that have ended, those of earlier attempts among them.
pub(crate) fn finals(folder: &Path, run: &str) -> io::Result<Vec<Final>> {
    let prefix = format!("{run}.");
    let mut finals = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(finals),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if !name.starts_with(&prefix) || path.extension().is_none_or(|end| end != END) {
            continue;
        }
        let mut file = File::open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            // It still counts.
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let name = name.to_owned();
        // Empty: killed before it had begun.
        let bytes = text.trim().parse().unwrap_or(0);
        finals.push(Final { path, name, bytes });
    }
    Ok(finals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_final_when_its_process_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let receipts = |run: &str| folder.path().join(format!("{run}.1.receipts"));
        assert!(finals(&folder.path().join("none"), "a").unwrap().is_empty());
        let first = Tally::create(&receipts("a"), 1).unwrap();
        let second = Tally::create(&receipts("a"), 1).unwrap();
        Tally::create(&receipts("ab"), 1).unwrap().write(7).unwrap();
        std::fs::write(receipts("a"), "{}").unwrap();
        for bytes in [5, 1_000_000, 12, 1_000_001] {
            first.write(bytes).unwrap();
        }
        second.write(30).unwrap();
        assert!(finals(folder.path(), "a").unwrap().is_empty());
        drop(first);
        let found = finals(folder.path(), "a").unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].bytes, 1_000_001);
        assert!(found[0].name.starts_with("a.1.receipts.1."));
        drop(second);
        let found = finals(folder.path(), "a").unwrap();
        assert_eq!(
            found.iter().map(|found| found.bytes).sum::<u64>(),
            1_000_031
        );
        assert_ne!(found[0].name, found[1].name);
    }
}

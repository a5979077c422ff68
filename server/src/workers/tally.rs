//! What a process that moves a run's bytes has counted, in a file of its own beside the receipts: written as it goes, so that
//! it is there however the process ends, and locked while it lives, so that whoever reads it knows when the number is final.
//! Workers and their copying children do the same.
//!
//! The lock is the system's: a process that is killed lets go of it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use exchange::replicas::Counted;
use model::SyncRunId;
use uuid::Uuid;

/// How such files end.
const END: &str = "meter";

/// How old the noted number may be when the process is killed.
const NOTED_EVERY: Duration = Duration::from_millis(100);

/// The side of who counts.
pub(crate) struct Tally {
    path: PathBuf,
    state: Mutex<(File, Counted)>,
}

impl Tally {
    /// Begins at 0, in a file beside `beside`. Each process has one of its own, also where an attempt starts several.
    pub(crate) fn create(beside: &Path, attempt: i64) -> io::Result<Self> {
        let mut name = beside.as_os_str().to_owned();
        name.push(format!(".{attempt}.{}.{END}", Uuid::new_v4().simple()));
        let path = PathBuf::from(name);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        file.lock()?;
        let nothing = Counted::default();
        put(&mut file, nothing)?;
        Ok(Self {
            path,
            state: Mutex::new((file, nothing)),
        })
    }

    /// The file's name: no other process's.
    pub(crate) fn name(&self) -> String {
        name_of(&self.path).unwrap_or_default().to_owned()
    }

    /// Notes what has been counted in all. Fewer bytes than before are late news and change nothing.
    pub(crate) fn write(&self, counted: Counted) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, before) = &mut *state;
        if counted.bytes < before.bytes || counted == *before {
            return Ok(());
        }
        put(file, counted)?;
        *before = counted;
        Ok(())
    }

    /// What it says is written down elsewhere: the file goes.
    pub(crate) fn remove(&self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

/// Always of the same length, so that nothing of an older number stays behind.
fn put(file: &mut File, counted: Counted) -> io::Result<()> {
    file.rewind()?;
    file.write_all(format!("{:020} {:020}", counted.bytes, counted.busy).as_bytes())
}

/// Lets `work` go on and has it noted now and then what was counted.
pub(crate) async fn noting<T>(work: impl Future<Output = T>, note: impl Fn()) -> T {
    let mut work = std::pin::pin!(work);
    let mut now_and_then = tokio::time::interval(NOTED_EVERY);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = now_and_then.tick() => note(),
        }
    }
}

/// What a process that has ended had counted.
pub(crate) struct Final {
    pub(crate) path: PathBuf,
    pub(crate) run: SyncRunId,
    /// The file's name: no other process's.
    pub(crate) name: String,
    pub(crate) counted: Counted,
}

/// The counts of processes that have ended, whatever run they were of.
pub(crate) fn finals(folder: &Path) -> io::Result<Vec<Final>> {
    let mut finals = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(finals),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let run = name_of(&path)
            .filter(|_| path.extension().is_some_and(|end| end == END))
            .and_then(|name| Some((name, name.split_once('.')?.0.parse().ok()?)));
        let Some((name, run)) = run else {
            continue;
        };
        let mut file = match File::open(&path) {
            // Written down by another attempt meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file?,
        };
        match file.try_lock() {
            Ok(()) => {}
            // It still counts.
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let name = name.to_owned();
        let counted = read(&text);
        finals.push(Final {
            path,
            run,
            name,
            counted,
        });
    }
    Ok(finals)
}

fn name_of(path: &Path) -> Option<&str> {
    path.file_name().and_then(|name| name.to_str())
}

/// Empty: killed before it had begun.
fn read(text: &str) -> Counted {
    let mut numbers = text.split_whitespace();
    let bytes = numbers.next().and_then(|number| number.parse().ok());
    let busy = numbers.next().and_then(|number| number.parse().ok());
    Counted {
        bytes: bytes.unwrap_or_default(),
        busy: busy.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    fn bytes(bytes: u64) -> Counted {
        Counted { bytes, busy: 0 }
    }

    #[test]
    fn a_number_is_final_when_its_process_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let [one, another] = [1, 2].map(|micros| SyncRunId::new(Timestamp::from_micros(micros)));
        let receipts = |run: SyncRunId| folder.path().join(format!("{run}.receipts.jsonl"));
        assert!(finals(&folder.path().join("none")).unwrap().is_empty());
        let first = Tally::create(&receipts(one), 1).unwrap();
        let second = Tally::create(&receipts(one), 1).unwrap();
        let third = Tally::create(&folder.path().join(format!("{another}.worker")), 1).unwrap();
        std::fs::write(receipts(one), "{}").unwrap();
        std::fs::write(folder.path().join("by-hand.1.0.meter"), "5").unwrap();
        for counted in [5, 1_000_000, 12, 1_000_001] {
            first.write(bytes(counted)).unwrap();
        }
        let last = Counted {
            bytes: 1_000_001,
            busy: 77,
        };
        first.write(last).unwrap();
        second.write(bytes(30)).unwrap();
        assert!(finals(folder.path()).unwrap().is_empty());
        let name = first.name();
        drop(first);
        let found = finals(folder.path()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].run, found[0].counted), (one, last));
        assert_eq!(found[0].name, name);
        drop((second, third));
        let mut found: Vec<(SyncRunId, u64)> = finals(folder.path())
            .unwrap()
            .iter()
            .map(|found| (found.run, found.counted.bytes))
            .collect();
        found.sort_unstable();
        assert_eq!(found, [(one, 30), (one, 1_000_001), (another, 0)]);
        let fourth = Tally::create(&receipts(another), 2).unwrap();
        let path = folder.path().join(fourth.name());
        assert!(path.exists());
        fourth.remove().unwrap();
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_goes_on_for_long_is_noted_on_the_way() {
        let noted = std::cell::Cell::new(0);
        let third = tokio::sync::Notify::new();
        let work = async {
            third.notified().await;
            "done"
        };
        let note = || {
            noted.set(noted.get() + 1);
            if noted.get() == 3 {
                third.notify_one();
            }
        };
        assert_eq!(noting(work, note).await, "done");
        assert!(noted.get() >= 3);
    }
}

//! Walking folders in the order of their keys, without descending into links.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use chrono::DateTime;
use object_store::path::{Path, PathPart};
use object_store::{ListResult, ObjectMeta};
use rustix::fs::{AtFlags, Dir, FileType, Stat};
use rustix::io::Errno;

use super::beneath::{Beneath, FileError, STAGING, stat};
use crate::Level;

/// Objects handed out per step of a walk.
const BATCH: usize = 1000;

/// What is still to be visited, the next at the end.
#[derive(Debug)]
pub(crate) struct Walk {
    pending: Vec<Pending>,
    offset: Option<Path>,
}

#[derive(Debug)]
enum Pending {
    Folder(Path),
    File(ObjectMeta),
}

impl Walk {
    /// All files below `prefix`; with `offset` only those whose key is greater.
    pub(crate) fn new(prefix: Path, offset: Option<Path>) -> Self {
        Self {
            pending: vec![Pending::Folder(prefix)],
            offset,
        }
    }

    /// The next files in order; None at the end.
    pub(crate) fn step(
        &mut self,
        beneath: &Beneath,
    ) -> Result<Option<VecDeque<ObjectMeta>>, FileError> {
        let mut batch = VecDeque::new();
        while let Some(next) = self.pending.pop() {
            match next {
                Pending::File(meta) => batch.push_back(meta),
                Pending::Folder(folder) => self.visit(beneath, &folder)?,
            }
            if batch.len() >= BATCH {
                break;
            }
        }
        Ok(if batch.is_empty() { None } else { Some(batch) })
    }

    fn visit(&mut self, beneath: &Beneath, path: &Path) -> Result<(), FileError> {
        let mut entries = read(beneath, path, self.offset.as_ref())?;
        // Keys compare as whole texts: folder `a` comes as `a/`, after file `a-b` and before file `a0`.
        entries.sort_by(|a, b| b.order().cmp(a.order()));
        self.pending
            .extend(entries.into_iter().map(|entry| entry.pending));
        Ok(())
    }
}

struct Entry {
    pending: Pending,
    order: String,
}

impl Entry {
    fn order(&self) -> &str {
        &self.order
    }
}

/// A folder that can be read; `None` where there is none.
fn opened(beneath: &Beneath, path: &Path) -> Result<Option<OwnedFd>, FileError> {
    let parts = path.as_ref().split('/').filter(|part| !part.is_empty());
    match beneath.folder(parts, false) {
        Ok(folder) => Ok(Some(folder)),
        Err(FileError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// One folder's files and folders. A folder that is not there is empty, as in every object store.
fn read(beneath: &Beneath, path: &Path, offset: Option<&Path>) -> Result<Vec<Entry>, FileError> {
    let Some(folder) = opened(beneath, path)? else {
        return Ok(Vec::new());
    };
    let mut entries = Vec::new();
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else {
            tracing::warn!(folder = %path, "a file whose name is not UTF-8 is left out of a listing");
            continue;
        };
        if matches!(name, "." | "..") || name.starts_with(STAGING) {
            continue;
        }
        let Ok(part) = PathPart::parse(name) else {
            tracing::warn!(folder = %path, "a file whose name holds control characters is left out of a listing");
            continue;
        };
        let key = path.clone().join(part);
        let order = format!("{key}/");
        let (kind, found) = match entry.file_type() {
            FileType::Directory => (FileType::Directory, None),
            // Before the offset nothing need be looked at; a folder might still reach beyond it.
            _ if offset.is_some_and(|offset| key <= *offset)
                && entry.file_type() == FileType::RegularFile =>
            {
                continue;
            }
            _ => match stat(&folder, name)? {
                Some(stat) => (FileType::from_raw_mode(stat.st_mode), Some(stat)),
                // Deleted since the folder was read.
                None => continue,
            },
        };
        match (kind, found) {
            (FileType::Directory, _) => {
                let reaches = offset.is_none_or(|offset| {
                    order.as_str() > offset.as_ref() || offset.as_ref().starts_with(&order)
                });
                if reaches {
                    entries.push(Entry {
                        pending: Pending::Folder(key),
                        order,
                    });
                }
            }
            (FileType::RegularFile, Some(stat)) => {
                if offset.is_none_or(|offset| key > *offset) {
                    let order = key.to_string();
                    entries.push(Entry {
                        pending: Pending::File(meta_of(&stat, key)),
                        order,
                    });
                }
            }
            _ => {
                tracing::warn!(%key, "a symbolic link or special file is left out of a listing; links are never followed")
            }
        }
    }
    Ok(entries)
}

/// The files directly in `prefix` and the folders below it.
pub(crate) fn shallow(beneath: &Beneath, prefix: &Path) -> Result<ListResult, FileError> {
    let mut entries = read(beneath, prefix, None)?;
    entries.sort_by(|a, b| a.order().cmp(b.order()));
    let mut result = ListResult {
        common_prefixes: Vec::new(),
        objects: Vec::new(),
    };
    for entry in entries {
        match entry.pending {
            Pending::Folder(path) => result.common_prefixes.push(path),
            Pending::File(meta) => result.objects.push(meta),
        }
    }
    Ok(result)
}

/// What became of half-written files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Swept {
    pub(crate) removed: u64,
    /// Written to since then.
    pub(crate) left: u64,
}

/// The folders directly in `path`, of the first so many entries that it is asked for.
pub(crate) fn level(beneath: &Beneath, path: &Path, most: usize) -> Result<Level, FileError> {
    let mut level = Level::default();
    let Some(folder) = opened(beneath, path)? else {
        level.is_whole = true;
        return Ok(level);
    };
    let mut seen = 0;
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else {
            continue;
        };
        if matches!(name, "." | "..") || name.starts_with(STAGING) {
            continue;
        }
        if seen >= most {
            return Ok(level);
        }
        seen += 1;
        let kind = match entry.file_type() {
            FileType::Unknown => {
                stat(&folder, name)?.map(|found| FileType::from_raw_mode(found.st_mode))
            }
            kind => Some(kind),
        };
        if kind == Some(FileType::Directory) && PathPart::parse(name).is_ok() {
            level.folders.insert(name.to_owned());
        }
    }
    level.is_whole = true;
    Ok(level)
}

/// Removes files that a killed process left half written below `prefix`, when they have not been written to since
/// `before` (seconds since 1970).
pub(crate) fn sweep(beneath: &Beneath, prefix: &Path, before: i64) -> Result<Swept, FileError> {
    let mut swept = Swept::default();
    let mut folders = vec![prefix.clone()];
    while let Some(path) = folders.pop() {
        let Some(folder) = opened(beneath, &path)? else {
            continue;
        };
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if matches!(name, "." | "..") {
                continue;
            }
            let Some(found) = stat(&folder, name)? else {
                continue;
            };
            match FileType::from_raw_mode(found.st_mode) {
                FileType::Directory => {
                    if let Ok(part) = PathPart::parse(name) {
                        folders.push(path.clone().join(part));
                    }
                }
                FileType::RegularFile if name.starts_with(STAGING) => {
                    if seconds(&found) < before {
                        rustix::fs::unlinkat(&folder, name, AtFlags::empty())?;
                        swept.removed += 1;
                    } else {
                        swept.left += 1;
                    }
                }
                _ => {}
            }
        }
    }
    Ok(swept)
}

/// Removes the folders below `prefix` in which nothing is, for their names may tell what was there. Returns how many.
pub(crate) fn tidy(beneath: &Beneath, prefix: &Path) -> Result<u64, FileError> {
    let mut folders = vec![prefix.clone()];
    let mut at = 0;
    while let Some(path) = folders.get(at).cloned() {
        at += 1;
        let Some(folder) = opened(beneath, &path)? else {
            continue;
        };
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if matches!(name, "." | "..") {
                continue;
            }
            let found = stat(&folder, name)?;
            let kind = found.map(|found| FileType::from_raw_mode(found.st_mode));
            if kind == Some(FileType::Directory)
                && let Ok(part) = PathPart::parse(name)
            {
                folders.push(path.clone().join(part));
            }
        }
    }
    let mut removed = 0;
    // What lies within another one goes before it.
    for path in folders.iter().skip(1).rev() {
        let (above, name) = match beneath.parent(path, false) {
            Ok(found) => found,
            Err(FileError::NotFound) => continue,
            Err(error) => return Err(error),
        };
        match rustix::fs::unlinkat(&above, name, AtFlags::REMOVEDIR) {
            Ok(()) => {
                rustix::fs::fsync(&above)?;
                removed += 1;
            }
            // Something is in it, or somebody was faster.
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(removed)
}

fn seconds(stat: &Stat) -> i64 {
    stat.st_mtime
}

fn meta_of(stat: &Stat, location: Path) -> ObjectMeta {
    let nanos = u32::try_from(stat.st_mtime_nsec).unwrap_or_default();
    let size = u64::try_from(stat.st_size).unwrap_or_default();
    meta(location, size, stat.st_ino, stat.st_mtime, nanos)
}

/// An object's description; the etag is made of inode, time and size as HTTP servers do.
pub(crate) fn meta(location: Path, size: u64, inode: u64, seconds: i64, nanos: u32) -> ObjectMeta {
    ObjectMeta {
        location,
        last_modified: DateTime::from_timestamp(seconds, nanos).unwrap_or_default(),
        size,
        e_tag: Some(format!("{inode:x}-{seconds:x}.{nanos:x}-{size:x}")),
        version: None,
    }
}

//! Opening files beneath a root without following one symbolic link (C-17). Each part of a path is opened relative to
//! the folder before it with `O_NOFOLLOW`, so that nobody can swap a link in between a check and its use: there is no
//! check, there is only the opening. Everything here blocks.

use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use object_store::path::Path;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::error::EscapeError;
use crate::limits::Rooted;

/// Files being written carry this prefix until they are whole; listings leave them out.
pub(crate) const STAGING: &str = ".entrepot-staging-";

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("not found")]
    NotFound,
    #[error("exists already")]
    AlreadyExists,
    #[error(transparent)]
    Escape(#[from] EscapeError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<Errno> for FileError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT => Self::NotFound,
            Errno::EXIST => Self::AlreadyExists,
            Errno::LOOP => Self::Escape(EscapeError),
            errno => Self::Io(errno.into()),
        }
    }
}

impl FileError {
    pub(crate) fn at(self, path: &Path) -> object_store::Error {
        let path = path.to_string();
        match self {
            Self::NotFound => object_store::Error::NotFound {
                path,
                source: "no such file".into(),
            },
            Self::AlreadyExists => object_store::Error::AlreadyExists {
                path,
                source: "the file exists".into(),
            },
            Self::Escape(error) => object_store::Error::PermissionDenied {
                path,
                source: error.into(),
            },
            Self::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                object_store::Error::PermissionDenied {
                    path,
                    source: error.into(),
                }
            }
            Self::Io(error) => object_store::Error::Generic {
                store: "file",
                source: error.into(),
            },
        }
    }
}

/// A folder beneath which everything happens.
#[derive(Clone, Debug)]
pub(crate) struct Beneath(Rooted);

impl Beneath {
    pub(crate) fn new(root: Rooted) -> Self {
        Self(root)
    }

    /// Opens the folder of these parts below the root; makes what is missing when `create` says so.
    pub(crate) fn folder<'a>(
        &'a self,
        parts: impl Iterator<Item = &'a str>,
        create: bool,
    ) -> Result<OwnedFd, FileError> {
        // The anchor is the operator's own path, its links already followed.
        let mut folder = rustix::fs::open(
            &self.0.anchor,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        for part in self.0.parts.iter().map(String::as_str).chain(parts) {
            folder = match step(&folder, part) {
                Err(FileError::NotFound) if create => {
                    match rustix::fs::mkdirat(&folder, part, Mode::from_raw_mode(0o777)) {
                        // Not only the folder, its entry must outlive a power cut too.
                        Ok(()) => rustix::fs::fsync(&folder)?,
                        Err(Errno::EXIST) => {}
                        Err(errno) => return Err(errno.into()),
                    }
                    step(&folder, part)?
                }
                opened => opened?,
            };
        }
        Ok(folder)
    }

    /// The folder that holds `key`, and the key's last part.
    pub(crate) fn parent<'a>(
        &'a self,
        key: &'a Path,
        create: bool,
    ) -> Result<(OwnedFd, &'a str), FileError> {
        let name = key.filename().ok_or(FileError::NotFound)?;
        if name.starts_with(STAGING) {
            return Err(FileError::NotFound);
        }
        let above = key.as_ref().len() - name.len();
        let parts = key.as_ref()[..above]
            .split('/')
            .filter(|part| !part.is_empty());
        Ok((self.folder(parts, create)?, name))
    }

    /// Opens a regular file for reading.
    pub(crate) fn open(&self, key: &Path) -> Result<File, FileError> {
        let (folder, name) = self.parent(key, false)?;
        // Without NONBLOCK, opening a named pipe would wait for its writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = File::from(rustix::fs::openat(&folder, name, flags, Mode::empty())?);
        match file.metadata()?.file_type() {
            kind if kind.is_file() => Ok(file),
            kind if kind.is_dir() => Err(FileError::NotFound),
            _ => Err(EscapeError.into()),
        }
    }

    /// Removes a regular file; a link is refused rather than removed.
    pub(crate) fn remove(&self, key: &Path) -> Result<(), FileError> {
        let (folder, name) = self.parent(key, false)?;
        match kind_of(&folder, name)? {
            Some(FileType::RegularFile) => {}
            Some(FileType::Directory) | None => return Err(FileError::NotFound),
            Some(_) => return Err(EscapeError.into()),
        }
        rustix::fs::unlinkat(&folder, name, AtFlags::empty())?;
        Ok(rustix::fs::fsync(&folder)?)
    }

    /// Moves a file within the root.
    pub(crate) fn rename(&self, from: &Path, to: &Path, replace: bool) -> Result<(), FileError> {
        let (source, source_name) = self.parent(from, false)?;
        match kind_of(&source, source_name)? {
            Some(FileType::RegularFile) => {}
            Some(FileType::Directory) | None => return Err(FileError::NotFound),
            Some(_) => return Err(EscapeError.into()),
        }
        let (target, target_name) = self.parent(to, true)?;
        not_a_link(&target, target_name)?;
        if replace {
            rustix::fs::renameat(&source, source_name, &target, target_name)?;
        } else {
            rustix::fs::linkat(&source, source_name, &target, target_name, AtFlags::empty())?;
            rustix::fs::unlinkat(&source, source_name, AtFlags::empty())?;
        }
        rustix::fs::fsync(&target)?;
        Ok(rustix::fs::fsync(&source)?)
    }
}

fn step(folder: &OwnedFd, part: &str) -> Result<OwnedFd, FileError> {
    match rustix::fs::openat(folder, part, FOLDER, Mode::empty()) {
        Ok(opened) => Ok(opened),
        // Linux says NOTDIR of a link that must not be followed, others say LOOP.
        Err(Errno::NOTDIR | Errno::LOOP) => match kind_of(folder, part)? {
            Some(FileType::Symlink) => Err(EscapeError.into()),
            _ => Err(FileError::NotFound),
        },
        Err(errno) => Err(errno.into()),
    }
}

pub(crate) fn stat(folder: &OwnedFd, name: &str) -> Result<Option<Stat>, FileError> {
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn kind_of(folder: &OwnedFd, name: &str) -> Result<Option<FileType>, FileError> {
    Ok(stat(folder, name)?.map(|stat| FileType::from_raw_mode(stat.st_mode)))
}

fn not_a_link(folder: &OwnedFd, name: &str) -> Result<(), FileError> {
    match kind_of(folder, name)? {
        Some(FileType::Symlink) => Err(EscapeError.into()),
        _ => Ok(()),
    }
}

/// A file being written beside the place where it will stand. Dropped before it is published, it is gone.
#[derive(Debug)]
pub(crate) struct Staged {
    folder: OwnedFd,
    name: String,
    target: String,
    pub(crate) file: File,
    /// It is not removed with this value.
    kept: bool,
}

impl Staged {
    pub(crate) fn create(beneath: &Beneath, key: &Path) -> Result<Self, FileError> {
        let (folder, target) = beneath.parent(key, true)?;
        not_a_link(&folder, target)?;
        loop {
            let name = format!("{STAGING}{:016x}", random());
            let flags =
                OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match rustix::fs::openat(&folder, &name, flags, Mode::from_raw_mode(0o666)) {
                Ok(file) => {
                    return Ok(Self {
                        folder,
                        name,
                        target: target.to_owned(),
                        file: file.into(),
                        kept: false,
                    });
                }
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Leaves the file for whoever takes it up again, until it is swept; its name.
    pub(crate) fn keep(mut self) -> String {
        self.kept = true;
        self.name.clone()
    }

    /// A file that was kept, with the name that [`Self::keep`] gave.
    pub(crate) fn again(beneath: &Beneath, key: &Path, name: &str) -> Result<Self, FileError> {
        let plain = name
            .strip_prefix(STAGING)
            .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if !plain {
            return Err(FileError::NotFound);
        }
        let (folder, target) = beneath.parent(key, false)?;
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = File::from(rustix::fs::openat(&folder, name, flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(EscapeError.into());
        }
        Ok(Self {
            folder,
            name: name.to_owned(),
            target: target.to_owned(),
            file,
            kept: true,
        })
    }

    /// Removes it.
    pub(crate) fn give_up(mut self) {
        self.kept = false;
    }

    /// Makes the file durable and puts it in its place; with `replace` over whatever stands there, else only where
    /// nothing stands.
    pub(crate) fn publish(&mut self, replace: bool) -> Result<std::fs::Metadata, FileError> {
        self.file.sync_all()?;
        let metadata = self.file.metadata()?;
        not_a_link(&self.folder, &self.target)?;
        if replace {
            rustix::fs::renameat(&self.folder, &self.name, &self.folder, &self.target)?;
            self.kept = true;
        } else {
            // A link is made only where no name stands: the one atomic put-if-absent that every file system has.
            rustix::fs::linkat(
                &self.folder,
                &self.name,
                &self.folder,
                &self.target,
                AtFlags::empty(),
            )?;
        }
        rustix::fs::fsync(&self.folder)?;
        Ok(metadata)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.kept {
            let _ = rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty());
        }
    }
}

/// A name that nobody else will choose; it is no secret.
pub(crate) fn random() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u64(COUNT.fetch_add(1, Ordering::Relaxed));
    hasher.write_u32(std::process::id());
    hasher.finish()
}

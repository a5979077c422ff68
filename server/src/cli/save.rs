//! An answer that goes into a file.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::Value;

/// Which file, and what of the answer stands in it.
pub(super) struct Save {
    pub path: PathBuf,
    pub text: fn(&Value) -> String,
}

/// The file while the answer is waited for: beside its final place, readable by nobody else. It is removed unless it is
/// ended.
pub(super) struct Saving<'a> {
    save: &'a Save,
    temporary: PathBuf,
    file: File,
    is_done: bool,
}

impl Save {
    pub(super) fn begin(&self) -> anyhow::Result<Saving<'_>> {
        let Some(name) = self.path.file_name() else {
            bail!("{} is not a file's name", self.path.display());
        };
        if self.path.is_dir() {
            bail!("{} is a folder", self.path.display());
        }
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}", std::process::id()));
        let temporary = self.path.parent().unwrap_or(Path::new("")).join(temporary);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options
            .open(&temporary)
            .with_context(|| format!("{} cannot be written", self.path.display()))?;
        Ok(Saving {
            save: self,
            temporary,
            file,
            is_done: false,
        })
    }
}

impl Saving<'_> {
    /// Writes the answer and puts the file in its place, over what was there. Answers the place.
    pub(super) fn end(mut self, answer: &Value) -> anyhow::Result<String> {
        let path = self.save.path.display().to_string();
        let text = (self.save.text)(answer);
        self.file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.sync_all())
            .and_then(|()| fs::rename(&self.temporary, &self.save.path))
            .with_context(|| format!("{path} cannot be written"))?;
        self.is_done = true;
        Ok(path)
    }
}

impl Drop for Saving<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            // What cannot be removed is empty, or was said to be unwritable already.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_file_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let files = || fs::read_dir(folder.path()).unwrap().count();
        let save = Save {
            path: folder.path().join("a.share"),
            text: |answer| answer["text"].as_str().unwrap_or("").to_owned(),
        };
        drop(save.begin().unwrap());
        assert_eq!(files(), 0, "the call failed: nothing stays");
        fs::write(&save.path, "old").unwrap();
        let saving = save.begin().unwrap();
        assert_eq!(fs::read_to_string(&save.path).unwrap(), "old");
        saving.end(&json!({ "text": "new" })).unwrap();
        assert_eq!(fs::read_to_string(&save.path).unwrap(), "new");
        assert_eq!(files(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&save.path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let nowhere = Save {
            path: folder.path().join("none/a.share"),
            text: |_| String::new(),
        };
        assert!(nowhere.begin().is_err(), "before anything is asked for");
    }
}

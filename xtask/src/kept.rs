//! Folders that take long to make and depend on a few files alone (packages of npm and of Python, the browser bundle): the last of
//! each is kept beside the build folder, and a fresh checkout copies it instead of making it again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::bundle::remove;
use crate::process::run;
use crate::repo::Repo;

/// One folder's place among those that are kept.
pub(crate) struct Kept {
    /// Holds one folder, called as its inputs are.
    shelf: PathBuf,
    wanted: String,
}

impl Kept {
    /// `name`: of the step; `wanted`: what a stamp's inputs come to, with all that the folder depends on outside the checkout.
    pub(crate) fn new(repo: &Repo, name: &str, wanted: &str) -> Result<Self> {
        Ok(Self {
            shelf: repo.tools()?.join("kept").join(name),
            wanted: wanted.to_owned(),
        })
    }

    /// Puts what was kept for these inputs into `folder`, in place of what is there; `false` where nothing was: it has to be made
    /// then.
    pub(crate) fn take(&self, folder: &Path) -> Result<bool> {
        let kept = self.shelf.join(&self.wanted);
        if !kept.is_dir() {
            return Ok(false);
        }
        let lock = self.lock_file()?;
        lock.lock_shared()?;
        if !kept.is_dir() {
            return Ok(false);
        }
        remove(folder)?;
        if let Some(parent) = folder.parent() {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("create {}", parent.display()))?;
        }
        run(&mut copy(&kept, folder))?;
        Ok(true)
    }

    /// Keeps a copy of `folder`, and none of those that were kept for other inputs.
    pub(crate) fn put(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(&self.shelf)
            .with_context(|| format!("create {}", self.shelf.display()))?;
        let lock = self.lock_file()?;
        lock.lock()?;
        for entry in std::fs::read_dir(&self.shelf)? {
            let path = entry?.path();
            if path.is_dir() {
                remove(&path)?;
            }
        }
        // A copy that was interrupted must not look whole.
        let fresh = self.shelf.join("new");
        run(&mut copy(folder, &fresh))?;
        let kept = self.shelf.join(&self.wanted);
        std::fs::rename(&fresh, &kept).with_context(|| format!("keep {}", kept.display()))
    }

    /// Checkouts share the shelf, and nobody reads what another is writing.
    fn lock_file(&self) -> Result<File> {
        let file = self.shelf.join("lock");
        File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&file)
            .with_context(|| format!("open {}", file.display()))
    }
}

/// With links, modes and times as they are.
fn copy(from: &Path, to: &Path) -> Command {
    let mut copy = Command::new("cp");
    copy.args(["--archive", "--reflink=auto", "--no-target-directory"]);
    copy.arg(from).arg(to);
    copy
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Folder;

    #[test]
    fn what_was_kept_is_taken_for_the_same_inputs_and_for_no_others() -> Result<()> {
        let place = Folder::temporary("kept-test")?;
        let kept = |wanted: &str| Kept {
            shelf: place.path().join("shelf"),
            wanted: wanted.to_owned(),
        };
        let made = place.path().join("made");
        std::fs::create_dir_all(made.join("bin"))?;
        std::fs::write(made.join("module.js"), "one")?;
        std::os::unix::fs::symlink("../module.js", made.join("bin/module"))?;
        let taken = place.path().join("target/taken");
        assert!(!kept("one").take(&taken)?, "nothing is kept yet");

        kept("one").put(&made)?;
        std::fs::create_dir_all(&taken)?;
        std::fs::write(taken.join("left over"), "")?;
        assert!(!kept("two").take(&taken)?);
        assert!(taken.join("left over").exists(), "untouched");
        assert!(kept("one").take(&taken)?);
        assert!(!taken.join("left over").exists(), "in its place");
        assert!(taken.join("bin/module").is_symlink());
        assert_eq!(std::fs::read_to_string(taken.join("bin/module"))?, "one");

        std::fs::write(taken.join("module.js"), "changed")?;
        std::fs::write(made.join("module.js"), "two")?;
        kept("two").put(&made)?;
        assert!(!kept("one").take(&taken)?, "one of each is kept");
        assert!(kept("two").take(&taken)?);
        assert_eq!(std::fs::read_to_string(taken.join("bin/module"))?, "two");
        kept("two").put(&made)?;
        assert!(kept("two").take(&taken)?, "kept once more");
        Ok(())
    }
}

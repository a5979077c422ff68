//! "Nothing changed": a hash over files, kept in `target/stamps` when a step has succeeded.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::repo::Repo;

/// What a step depends on. 64 bits against accidents, not against enemies.
#[derive(Default)]
pub(crate) struct Inputs(DefaultHasher);

impl Inputs {
    pub(crate) fn text(mut self, text: &str) -> Self {
        text.hash(&mut self.0);
        self
    }

    /// A file, or every file below a folder, by relative name and content. A path that is not there counts as that.
    pub(crate) fn path(mut self, root: &Path, relative: &str) -> Result<Self> {
        let mut files = BTreeSet::new();
        collect(&root.join(relative), &mut files)?;
        relative.hash(&mut self.0);
        files.len().hash(&mut self.0);
        for file in files {
            file.strip_prefix(root).unwrap_or(&file).hash(&mut self.0);
            std::fs::read(&file)
                .with_context(|| format!("read {}", file.display()))?
                .hash(&mut self.0);
        }
        Ok(self)
    }

    pub(crate) fn finish(self) -> String {
        format!("{:016x}", self.0.finish())
    }
}

/// All files at or below `path`; symbolic links are not followed.
pub(crate) fn collect(path: &Path, files: &mut BTreeSet<PathBuf>) -> Result<()> {
    let Ok(metadata) = path.symlink_metadata() else {
        return Ok(());
    };
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).with_context(|| format!("list {}", path.display()))? {
            collect(&entry?.path(), files)?;
        }
    } else if metadata.is_file() {
        files.insert(path.to_owned());
    }
    Ok(())
}

/// One step's stamp.
pub(crate) struct Stamp {
    file: PathBuf,
    wanted: String,
}

impl Stamp {
    pub(crate) fn new(repo: &Repo, name: &str, inputs: Inputs) -> Self {
        Self {
            file: repo.target.join("stamps").join(name),
            wanted: inputs.finish(),
        }
    }

    /// The hash over what the step depends on.
    pub(crate) fn wanted(&self) -> &str {
        &self.wanted
    }

    pub(crate) fn is_current(&self) -> bool {
        std::fs::read_to_string(&self.file).is_ok_and(|kept| kept == self.wanted)
    }

    /// Before the work: an interrupted step must not look done.
    pub(crate) fn clear(&self) -> Result<()> {
        match std::fs::remove_file(&self.file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("remove {}", self.file.display()))
            }
            _ => Ok(()),
        }
    }

    /// After the work.
    pub(crate) fn set(&self) -> Result<()> {
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("create {}", folder.display()))?;
        }
        std::fs::write(&self.file, &self.wanted)
            .with_context(|| format!("write {}", self.file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Folder;

    fn hash(root: &Path) -> Result<String> {
        Ok(Inputs::default()
            .text("recipe 1")
            .path(root, "src")?
            .path(root, "lock")?
            .finish())
    }

    #[test]
    fn any_change_below_a_path_changes_the_hash_and_undoing_it_restores_it() -> Result<()> {
        let folder = Folder::temporary("stamp-test")?;
        let root = folder.path();
        std::fs::create_dir_all(root.join("src/deep"))?;
        std::fs::write(root.join("src/deep/a.rs"), "one")?;
        std::fs::write(root.join("lock"), "1")?;
        let first = hash(root)?;
        assert_eq!(first, hash(root)?);

        std::fs::write(root.join("src/deep/a.rs"), "two")?;
        assert_ne!(first, hash(root)?, "content");
        std::fs::write(root.join("src/deep/a.rs"), "one")?;
        assert_eq!(first, hash(root)?);

        std::fs::rename(root.join("src/deep/a.rs"), root.join("src/deep/b.rs"))?;
        assert_ne!(first, hash(root)?, "name");
        std::fs::rename(root.join("src/deep/b.rs"), root.join("src/deep/a.rs"))?;

        std::fs::remove_file(root.join("lock"))?;
        assert_ne!(first, hash(root)?, "missing");
        Ok(())
    }

    #[test]
    fn a_stamp_holds_for_its_inputs_only_and_not_while_the_work_is_going_on() -> Result<()> {
        let folder = Folder::temporary("stamp-test")?;
        let repo = Repo {
            root: folder.path().to_owned(),
            target: folder.path().join("target"),
        };
        let stamp = |text: &str| Stamp::new(&repo, "npm", Inputs::default().text(text));
        assert!(!stamp("a").is_current());
        stamp("a").clear()?;
        stamp("a").set()?;
        assert!(stamp("a").is_current());
        assert!(!stamp("b").is_current());
        stamp("a").clear()?;
        assert!(!stamp("a").is_current());
        Ok(())
    }
}

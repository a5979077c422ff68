//! Cargo tells by the age of a source whether what it compiled of it still holds, and in a fresh checkout every file is new. Files
//! that are what they were when this checkout's place was last compiled are given the age that they had then, so that a run in a
//! fresh checkout compiles what changed and no more.
//!
//! An age is given back only while cargo has compiled nothing since it was taken down, whoever called it: an artefact of other
//! contents would pass for one of these otherwise. What else cargo goes by (features, flags, the lock file, the checkout's place) it
//! compares itself.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::process::ask;
use crate::repo::Repo;
use crate::stamp::collect;

/// What cargo compiles on its way here is not counted, and its sources' ages are left as they are.
const OURSELVES: &str = "xtask";

/// All that crates are compiled of, and what the lints go by. A file that is missing here is new in every checkout, and what is made
/// of it is compiled again.
const SOURCES: [&str; 8] = [
    "app",
    "crates",
    // Tests hold what the pages say against what is there.
    "docs",
    "fuzz/mutations.rs",
    "migrations",
    "server",
    "Cargo.toml",
    "clippy.toml",
];

/// Where ages are kept, and what is kept for which build folder.
pub(crate) struct Ages {
    root: PathBuf,
    record: PathBuf,
    /// Where cargo keeps what it compiles.
    build: PathBuf,
}

/// A file's content or a folder's names, and its age.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    content: String,
    /// Since 1970.
    age: Duration,
}

impl Ages {
    pub(crate) fn new(repo: &Repo) -> Result<Self> {
        let metadata = ask(repo
            .cargo()
            .args(["metadata", "--format-version=1", "--no-deps"]))
        .context("`cargo metadata` failed")?;
        let metadata: Value =
            serde_json::from_str(&metadata).context("cargo metadata is not JSON")?;
        let build = metadata["build_directory"]
            .as_str()
            .context("cargo metadata names no build folder")?;
        Ok(Self {
            root: repo.root.clone(),
            record: repo.tools()?.join("ages.json"),
            build: PathBuf::from(build),
        })
    }

    /// Gives the files back the ages that were taken down for them; says for how many.
    pub(crate) fn give(&self) -> Result<String> {
        let Some(kept) = self.kept()? else {
            return Ok("none: nothing was compiled at this place last".to_owned());
        };
        let mut given = 0_usize;
        let files = self.files()?;
        for (name, seen) in &files {
            if let Some(then) = kept.get(name)
                && then.content == seen.content
                && then.age < seen.age
            {
                let time = UNIX_EPOCH + then.age;
                File::open(self.root.join(name))
                    .and_then(|file| file.set_modified(time))
                    .with_context(|| format!("set the age of {name}"))?;
                given += 1;
            }
        }
        Ok(format!("{given} of {} files", files.len()))
    }

    /// Takes down the ages of all files, after they were compiled.
    pub(crate) fn take_down(&self) -> Result<()> {
        let Some(compiled) = compiled(&self.build)? else {
            return Ok(());
        };
        let files: BTreeMap<String, Value> = self
            .files()?
            .into_iter()
            .map(|(name, seen)| {
                let age = json!([seen.content, seen.age.as_secs(), seen.age.subsec_nanos()]);
                (name, age)
            })
            .collect();
        let record = json!({ "root": self.root, "compiled": compiled, "files": files });
        // Moved into place: half a record would be none.
        let fresh = self.record.with_extension("new");
        std::fs::write(&fresh, record.to_string())
            .and_then(|()| std::fs::rename(&fresh, &self.record))
            .with_context(|| format!("write {}", self.record.display()))
    }

    /// What was taken down, if it is of this place and nothing was compiled since.
    fn kept(&self) -> Result<Option<BTreeMap<String, Seen>>> {
        let Ok(text) = std::fs::read_to_string(&self.record) else {
            return Ok(None);
        };
        let Ok(record) = serde_json::from_str::<Value>(&text) else {
            return Ok(None);
        };
        if record["root"] != json!(self.root)
            || compiled(&self.build)?.is_none_or(|now| record["compiled"] != json!(now))
        {
            return Ok(None);
        }
        let files = record["files"].as_object().into_iter().flatten();
        Ok(Some(
            files
                .filter_map(|(name, seen)| Some((name.clone(), Seen::parse(seen)?)))
                .collect(),
        ))
    }

    /// Every source by its name below the root. One that changes while it is looked at is left out.
    fn files(&self) -> Result<BTreeMap<String, Seen>> {
        let mut paths = BTreeSet::new();
        for source in SOURCES {
            let path = self.root.join(source);
            // A folder's age counts where a build script watches the folder.
            below(&path, &mut paths)?;
            collect(&path, &mut paths)?;
        }
        let mut seen = BTreeMap::new();
        for path in paths {
            let Some(name) = path.strip_prefix(&self.root).ok().and_then(Path::to_str) else {
                continue;
            };
            let before = age(&path)?;
            let content = content(&path)?;
            if age(&path)? == before {
                let age = before;
                seen.insert(name.to_owned(), Seen { content, age });
            }
        }
        Ok(seen)
    }
}

impl Seen {
    fn parse(value: &Value) -> Option<Self> {
        Some(Self {
            content: value[0].as_str()?.to_owned(),
            age: Duration::new(value[1].as_u64()?, u32::try_from(value[2].as_u64()?).ok()?),
        })
    }
}

/// A hash over what a file holds, or over the names in a folder.
fn content(path: &Path) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    if path.is_dir() {
        names(path)?.hash(&mut hasher);
    } else {
        let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        bytes.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Another answer means that cargo has compiled something: a hash over its fingerprints (`.fingerprint` in the folder of each
/// profile, which is in a target's unless it is the host) and the times of their making. `None` where there are none.
fn compiled(build: &Path) -> Result<Option<String>> {
    let mut files = BTreeSet::new();
    for profile in folders(build)? {
        for place in folders(&profile)?.into_iter().chain([profile]) {
            for unit in folders(&place.join(".fingerprint"))? {
                let name = unit.file_name().unwrap_or_default().to_string_lossy();
                if name
                    .rsplit_once('-')
                    .is_none_or(|(name, _)| name != OURSELVES)
                {
                    collect(&unit, &mut files)?;
                }
            }
        }
    }
    if files.is_empty() {
        return Ok(None);
    }
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.hash(&mut hasher);
        age(&file)?.hash(&mut hasher);
    }
    Ok(Some(format!("{:016x}", hasher.finish())))
}

/// A folder and all folders below it; nothing for a file.
fn below(path: &Path, found: &mut BTreeSet<PathBuf>) -> Result<()> {
    if path.is_dir() {
        found.insert(path.to_owned());
        for folder in folders(path)? {
            below(&folder, found)?;
        }
    }
    Ok(())
}

/// The folders in a folder; none where it is not there.
fn folders(place: &Path) -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = names(place)?
        .into_iter()
        .map(|name| place.join(name))
        .collect();
    found.retain(|path| path.symlink_metadata().is_ok_and(|path| path.is_dir()));
    Ok(found)
}

/// What is in a folder, in the order of the names; nothing where it is not there.
fn names(place: &Path) -> Result<BTreeSet<OsString>> {
    let entries = match std::fs::read_dir(place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error).with_context(|| format!("list {}", place.display())),
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        names.insert(entry?.file_name());
    }
    Ok(names)
}

/// When it was last changed, since 1970.
fn age(file: &Path) -> Result<Duration> {
    let modified = file
        .metadata()
        .and_then(|metadata| metadata.modified())
        .with_context(|| format!("look at {}", file.display()))?;
    Ok(modified.duration_since(UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Folder;

    struct Place {
        folder: Folder,
        ages: Ages,
    }

    fn place() -> Result<Place> {
        let folder = Folder::temporary("ages-test")?;
        let at = |name: &str| folder.path().join(name);
        let ages = Ages {
            root: at("checkout"),
            record: at("ages.json"),
            build: at("build"),
        };
        for unit in ["debug/.fingerprint/app-1", "wasm/dev/.fingerprint/app-2"] {
            std::fs::create_dir_all(at("build").join(unit))?;
            std::fs::write(at("build").join(unit).join("invoked"), "")?;
        }
        Ok(Place { folder, ages })
    }

    impl Place {
        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        /// The checkout with these texts in `app/src`, so many seconds after 1970.
        fn check_out(&self, texts: &[(&str, &str)], time: u64) -> Result<()> {
            let sources = self.path("checkout/app/src");
            if sources.exists() {
                std::fs::remove_dir_all(&sources)?;
            }
            std::fs::create_dir_all(&sources)?;
            let time = UNIX_EPOCH + Duration::from_secs(time);
            for (name, text) in texts {
                std::fs::write(sources.join(name), text)?;
                File::open(sources.join(name))?.set_modified(time)?;
            }
            for folder in [sources.clone(), self.path("checkout/app")] {
                File::open(folder)?.set_modified(time)?;
            }
            Ok(())
        }

        fn seconds(&self, name: &str) -> Result<u64> {
            Ok(age(&self.path("checkout/app/src").join(name))?.as_secs())
        }
    }

    #[test]
    fn what_is_as_it_was_compiled_is_as_old_as_it_was_then() -> Result<()> {
        let place = place()?;
        place.check_out(&[("lib.rs", "mod a;"), ("a.rs", "one")], 1_000)?;
        assert!(place.ages.give()?.starts_with("none"), "nothing is kept");
        place.ages.take_down()?;

        place.check_out(&[("lib.rs", "mod a;"), ("a.rs", "two")], 2_000)?;
        assert_eq!(place.ages.give()?, "3 of 4 files", "with two folders");
        assert_eq!(place.seconds("lib.rs")?, 1_000);
        assert_eq!(place.seconds("a.rs")?, 2_000, "its text is another");

        place.check_out(&[("lib.rs", "mod a;"), ("b.rs", "one")], 3_000)?;
        place.ages.give()?;
        assert_eq!(place.seconds("b.rs")?, 3_000, "its name is another");
        assert_eq!(place.seconds("")?, 3_000, "a folder has other names");

        place.check_out(&[("lib.rs", "mod a;"), ("a.rs", "one")], 500)?;
        place.ages.give()?;
        assert_eq!(place.seconds("lib.rs")?, 500, "nothing is made younger");
        Ok(())
    }

    #[test]
    fn nothing_is_given_once_something_was_compiled_or_elsewhere() -> Result<()> {
        let mut place = place()?;
        let texts = [("lib.rs", "one")];
        place.check_out(&texts, 1_000)?;
        place.ages.take_down()?;
        place.check_out(&texts, 2_000)?;

        // Of xtask itself, which is compiled before it can look.
        let ours = place.path("build/debug/.fingerprint/xtask-3");
        std::fs::create_dir_all(&ours)?;
        std::fs::write(ours.join("invoked"), "")?;
        let elsewhere = place.path("elsewhere");
        let root = std::mem::replace(&mut place.ages.root, elsewhere);
        assert!(place.ages.give()?.starts_with("none"));
        place.ages.root = root;
        assert_eq!(place.ages.give()?, "3 of 3 files");

        place.ages.take_down()?;
        place.check_out(&texts, 3_000)?;
        let unit = place.path("build/wasm/dev/.fingerprint/app-2/invoked");
        File::open(&unit)?.set_modified(UNIX_EPOCH)?;
        assert!(place.ages.give()?.starts_with("none"), "compiled again");
        assert_eq!(place.seconds("lib.rs")?, 3_000);

        place.ages.take_down()?;
        place.check_out(&texts, 4_000)?;
        std::fs::remove_file(unit)?;
        assert!(place.ages.give()?.starts_with("none"), "cleaned");

        std::fs::write(place.path("ages.json"), "{\"root\"")?;
        assert!(place.ages.give()?.starts_with("none"), "broken off");
        std::fs::remove_dir_all(place.path("build"))?;
        place.ages.take_down()?;
        assert!(place.ages.give()?.starts_with("none"), "nothing compiled");
        Ok(())
    }
}

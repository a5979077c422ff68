//! What a narrowed replica's own log says that it holds. Each file is `of` a file of the source, or one of a set of files that have the
//! rows of some of the source's together; of which source files no row is left, so that there is nothing to write, is noted at empty
//! files: sixteen of them where there is much to note, else one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use delta::{AddFile, Snapshot};
use serde_json::{Value, json};

use crate::diff::Digest;

/// The file of the source that a file is of. In a set one file says it for all, with a blank between them.
const OF: &str = "entrepot.of";
/// The set that a file belongs to.
const SET: &str = "entrepot.set";
/// The files of the source of which nothing is left.
const NONE: &str = "entrepot.none";

/// More of them than this are noted at several files, so that a line of the log stays short enough to be read.
const MANY: usize = 2_000;

/// A file of the source that leaves no row, noted at an empty file.
pub(crate) struct Note {
    pub(crate) file: Arc<AddFile>,
    told: String,
}

/// Files that have the rows of files of the source together.
#[derive(Default)]
pub(crate) struct Together {
    pub(crate) members: Vec<Arc<AddFile>>,
    /// The files of the source. None where the log does not say it: then the members are good for nothing.
    pub(crate) of: Vec<String>,
}

/// The replica's files, told apart.
#[derive(Default)]
pub(crate) struct View {
    /// By the file of the source that they are of.
    pub(crate) files: HashMap<String, Arc<AddFile>>,
    /// Files of the source of which no row is left.
    pub(crate) none: BTreeSet<String>,
    /// By their paths, the files at which that is noted.
    pub(crate) notes: BTreeMap<String, Note>,
    /// By their names.
    pub(crate) sets: BTreeMap<String, Together>,
    /// Files that say nothing of themselves.
    pub(crate) odd: Vec<Arc<AddFile>>,
}

fn tag<'a>(file: &'a AddFile, name: &str) -> Option<&'a str> {
    file.raw.get("tags")?.get(name)?.as_str()
}

impl View {
    pub(crate) fn of(held: &Snapshot) -> Self {
        let mut view = Self::default();
        for file in held.files.values() {
            let file = Arc::clone(file);
            if let Some(id) = tag(&file, SET) {
                let set = view.sets.entry(id.to_owned()).or_default();
                let of = tag(&file, OF).unwrap_or_default().split_whitespace();
                set.of.extend(of.map(str::to_owned));
                set.members.push(file);
            } else if let Some(of) = tag(&file, OF).map(str::to_owned) {
                // Of two that are of the same, one is too many.
                if let Some(other) = view.files.insert(of, file) {
                    view.odd.push(other);
                }
            } else if let Some(told) = tag(&file, NONE).map(str::to_owned) {
                view.none.extend(told.split_whitespace().map(str::to_owned));
                view.notes.insert(file.path.clone(), Note { file, told });
            } else {
                view.odd.push(file);
            }
        }
        view
    }
}

impl Note {
    pub(crate) fn says(&self, told: &str) -> bool {
        self.told == told
    }
}

/// What the replica says it has of the source, to be compared with [`digest`] of what it is to have.
pub(crate) fn represented(replica: &Snapshot) -> Digest {
    let view = View::of(replica);
    let together = view.sets.values().flat_map(|set| &set.of);
    let mut digest = digest(view.files.keys().chain(&view.none).chain(together));
    for _ in &view.odd {
        // Never equal to what was meant.
        digest.include("", None, 0);
    }
    digest
}

/// One number for files of the source.
pub(crate) fn digest<'a>(all: impl Iterator<Item = &'a String>) -> Digest {
    let mut digest = Digest::default();
    for of in all {
        digest.include(of, None, 0);
    }
    digest
}

/// What is to be noted where: by a name of the place.
pub(crate) fn notes(none: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut notes: BTreeMap<String, String> = BTreeMap::new();
    for of in none {
        let place = match none.len() > MANY {
            true => of.get(..1).unwrap_or_default(),
            false => "",
        };
        let told = notes.entry(place.to_owned()).or_default();
        if !told.is_empty() {
            told.push(' ');
        }
        told.push_str(of);
    }
    notes
}

/// What a log is told of a file.
pub(crate) struct Told<'a> {
    pub(crate) path: &'a str,
    pub(crate) size: u64,
    pub(crate) partition_values: BTreeMap<String, Option<String>>,
    /// Milliseconds since 1970.
    pub(crate) modified: i64,
    pub(crate) stats: &'a str,
}

impl Told<'_> {
    /// A file of a file of the source.
    pub(crate) fn of(self, of: &str) -> Option<AddFile> {
        self.tagged(OF, of)
    }

    /// A file at which it is noted of which nothing is left.
    pub(crate) fn note(self, none: &str) -> Option<AddFile> {
        self.tagged(NONE, none)
    }

    fn tagged(self, name: &str, value: &str) -> Option<AddFile> {
        let tags: BTreeMap<&str, &str> = [(name, value)].into_iter().collect();
        let raw = json!({
            "path": self.path,
            "partitionValues": self.partition_values,
            "size": self.size,
            "modificationTime": self.modified,
            "dataChange": true,
            "stats": self.stats,
            "tags": tags,
        });
        Some(AddFile {
            key: delta::contain(self.path).ok()?,
            path: self.path.to_owned(),
            size: self.size,
            partition_values: self.partition_values,
            modification_time: self.modified,
            data_change: true,
            stats: Some(self.stats.to_owned()),
            deletion_vector: None,
            deletion_vector_key: None,
            raw,
        })
    }
}

/// A file at which something else is noted now.
pub(crate) fn noted(file: &AddFile, none: &str) -> AddFile {
    retagged(file, &[(NONE, none)])
}

/// A file as a member of a set; with `of` the one that says what the set is of.
pub(crate) fn member(file: &AddFile, set: &str, of: Option<&str>) -> AddFile {
    match of {
        Some(of) => retagged(file, &[(SET, set), (OF, of)]),
        None => retagged(file, &[(SET, set)]),
    }
}

/// Whether two say the same of what they are of.
pub(crate) fn says_same(a: &AddFile, b: &AddFile) -> bool {
    [OF, SET].iter().all(|name| tag(a, name) == tag(b, name))
}

fn retagged(file: &AddFile, tags: &[(&str, &str)]) -> AddFile {
    let mut raw = file.raw.clone();
    let tags = tags.iter();
    let tags = tags.map(|&(name, value)| (name.to_owned(), Value::from(value)));
    raw["tags"] = Value::Object(tags.collect());
    AddFile {
        raw,
        ..file.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_no_row_is_noted_at_one_file_or_at_sixteen() {
        let some: BTreeSet<String> = ["b1", "a2"].map(str::to_owned).into();
        assert_eq!(notes(&some)[""], "a2 b1");
        assert!(notes(&BTreeSet::new()).is_empty());
        let many: BTreeSet<String> = (0..=MANY).map(|at| format!("{:04x}", at * 29)).collect();
        let notes = notes(&many);
        assert_eq!(notes.len(), 15);
        let told: usize = notes.values().map(|told| told.split(' ').count()).sum();
        assert_eq!(told, MANY + 1);
    }
}

//! What a replica's own files stand for. Most of its files are the source's, under the source's names. Where a change was applied row
//! by row, or a compaction was not copied, a *group* of its files holds the rows of a group of the source's: the same rows, in
//! other files.
//!
//! The replica's log says so itself, in tags of its `add` actions: each file of a group has the group's name, and one of them the
//! list of the source's files. So it is written by the same commit as the files, is in every checkpoint, and is lost with them only.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use delta::{AddFile, FileKey, Snapshot};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::diff::Digest;

/// Tags of ours begin like this. What a source says under such a name, being a replica itself, is nothing of ours.
const OURS: &str = "entrepot.";
const GROUP: &str = "entrepot.group";
const STANDS: &str = "entrepot.stands";
/// In tags of a `remove`: when the source removed the file, in milliseconds.
pub(crate) const GONE: &str = "entrepot.gone";

/// A file of the source that a group stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stand {
    #[serde(rename = "p")]
    pub(crate) path: String,
    /// The deletion vector's unique id.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub(crate) dv: Option<String>,
    #[serde(rename = "s")]
    pub(crate) size: u64,
    /// Milliseconds since 1970.
    #[serde(rename = "m")]
    pub(crate) modified: i64,
    /// Without those that its deletion vector deletes.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(crate) rows: Option<u64>,
}

impl Stand {
    pub(crate) fn of(file: &AddFile) -> Self {
        let FileKey { path, dv } = file.file_key();
        Self {
            path,
            dv,
            size: file.size,
            modified: file.modification_time,
            rows: file.live_rows(),
        }
    }

    pub(crate) fn key(&self) -> FileKey {
        FileKey {
            path: self.path.clone(),
            dv: self.dv.clone(),
        }
    }

    /// Whether this is still the file.
    pub(crate) fn is(&self, file: &AddFile) -> bool {
        self.size == file.size && self.modified == file.modification_time
    }
}

/// Files of the replica with the rows of files of the source.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) members: Vec<Arc<AddFile>>,
    /// Empty where the log does not say it: then the members are good for nothing.
    pub(crate) stands: Vec<Stand>,
}

/// The replica's files, told apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    pub(crate) groups: Vec<Group>,
    /// The members of all groups.
    grouped: HashSet<FileKey>,
    /// By what it stands for, the group.
    by_stand: HashMap<FileKey, usize>,
}

impl View {
    pub(crate) fn of(held: &Snapshot) -> Self {
        let mut groups: BTreeMap<String, Group> = BTreeMap::new();
        let mut view = Self::default();
        for (key, file) in &held.files {
            let Some(id) = tag(file, GROUP) else {
                continue;
            };
            view.grouped.insert(key.clone());
            let group = groups.entry(id.to_owned()).or_insert_with(|| Group {
                id: id.to_owned(),
                members: Vec::new(),
                stands: Vec::new(),
            });
            group.members.push(Arc::clone(file));
            group.stands.extend(stands_of(file));
        }
        view.groups = groups.into_values().collect();
        view.index();
        view
    }

    /// Of the source as it was, some files of which are in groups: a replica that says of its files what they are of, and not by
    /// their names. The members of these are the source's files.
    pub(crate) fn of_source(groups: Vec<Group>) -> Self {
        let members = groups.iter().flat_map(|group| &group.members);
        let mut view = Self {
            grouped: members.map(|file| file.file_key()).collect(),
            groups,
            by_stand: HashMap::new(),
        };
        view.index();
        view
    }

    fn index(&mut self) {
        for (at, group) in self.groups.iter().enumerate() {
            let keys = group.stands.iter().map(|stand| (stand.key(), at));
            self.by_stand.extend(keys);
        }
    }

    /// The replica's file under the same name as the source's, if it is that file.
    pub(crate) fn direct<'a>(&self, held: &'a Snapshot, key: &FileKey) -> Option<&'a Arc<AddFile>> {
        held.files.get(key).filter(|_| !self.grouped.contains(key))
    }

    /// The group that stands for a file of the source.
    pub(crate) fn group_of(&self, key: &FileKey) -> Option<usize> {
        self.by_stand.get(key).copied()
    }

    /// How many files of the source the replica has, in whatever files.
    pub(crate) fn represented(&self, held: &Snapshot) -> usize {
        held.files.len() - self.grouped.len() + self.by_stand.len()
    }
}

/// What the replica says it has of the source: to be compared with [`crate::diff::keys_digest`] of the source.
pub(crate) fn represented(replica: &Snapshot) -> Digest {
    let mut digest = Digest::default();
    for (key, file) in &replica.files {
        if tag(file, GROUP).is_none() {
            digest.include(&key.path, key.dv.as_deref(), file.size);
        }
        for stand in stands_of(file) {
            digest.include(&stand.path, stand.dv.as_deref(), stand.size);
        }
    }
    digest
}

fn tag<'a>(file: &'a AddFile, name: &str) -> Option<&'a str> {
    file.raw.get("tags")?.get(name)?.as_str()
}

fn stands_of(file: &AddFile) -> Vec<Stand> {
    let told = tag(file, STANDS).and_then(|text| serde_json::from_str(text).ok());
    told.unwrap_or_default()
}

/// Whether a file stands for one of the source's with rows that a vector hides there, and not here.
pub(crate) fn stands_for_hidden(file: &AddFile) -> bool {
    file.deletion_vector.is_none() && stands_of(file).iter().any(|stand| stand.dv.is_some())
}

pub(crate) fn is_ours_in_tags(file: &AddFile) -> bool {
    let tags = file.raw.get("tags").and_then(Value::as_object);
    tags.is_some_and(|tags| tags.keys().any(|name| name.starts_with(OURS)))
}

/// The tags of a file, without ours; none if there are none.
pub(crate) fn foreign_tags(file: &AddFile) -> Option<Map<String, Value>> {
    let mut tags = file.raw.get("tags").and_then(Value::as_object).cloned()?;
    tags.retain(|name, _| !name.starts_with(OURS));
    Some(tags).filter(|tags| !tags.is_empty())
}

/// A file as a member of a group; with `stands` the one that tells what the group stands for.
pub(crate) fn tagged(file: &AddFile, id: &str, stands: Option<&[Stand]>) -> AddFile {
    let mut tags = foreign_tags(file).unwrap_or_default();
    tags.insert(GROUP.to_owned(), id.into());
    if let Some(stands) = stands {
        let told = serde_json::to_string(stands).unwrap_or_default();
        tags.insert(STANDS.to_owned(), told.into());
    }
    let mut raw = file.raw.as_object().cloned().unwrap_or_default();
    raw.insert("tags".to_owned(), Value::Object(tags));
    AddFile {
        raw: Value::Object(raw),
        ..file.clone()
    }
}

/// Whether two say the same of the groups that a file is in.
pub(crate) fn same_tags(a: &AddFile, b: &AddFile) -> bool {
    [GROUP, STANDS]
        .iter()
        .all(|name| tag(a, name) == tag(b, name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(path: &str, raw: Value) -> AddFile {
        AddFile {
            path: path.to_owned(),
            key: path.into(),
            size: 5,
            partition_values: BTreeMap::new(),
            modification_time: 7,
            data_change: true,
            stats: Some(r#"{"numRecords":3}"#.to_owned()),
            deletion_vector: None,
            deletion_vector_key: None,
            raw,
        }
    }

    #[test]
    fn a_member_keeps_what_others_said_of_it() {
        let plain = file(
            "a",
            json!({"path": "a", "tags": {"ZCUBE_ID": "z", "entrepot.group": "old"}}),
        );
        let stands = [Stand::of(&file("b", Value::Null))];
        let member = tagged(&plain, "g", Some(&stands));
        assert_eq!(tag(&member, GROUP), Some("g"));
        assert_eq!(stands_of(&member), stands);
        assert_eq!(stands[0].rows, Some(3));
        assert_eq!(member.raw["tags"]["ZCUBE_ID"], "z");
        assert!(!same_tags(&plain, &member) && same_tags(&member, &member.clone()));
        let other = tagged(&member, "h", None);
        assert!(stands_of(&other).is_empty());
        assert_eq!(foreign_tags(&other).unwrap().len(), 1);
    }
}

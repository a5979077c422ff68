//! What the source of the state machine is at a version: its files, their rows, and what its log says of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::world::START;
use super::vectors;

/// A row with all its columns; the last one was added later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) p: Option<String>,
    pub(super) x: Option<i64>,
    pub(super) note: Option<String>,
}

/// Partition values, and how they are written in a path and in an object's key.
pub(super) const PARTITIONS: [(Option<&str>, &str, &str); 4] = [
    (
        None,
        "p=__HIVE_DEFAULT_PARTITION__",
        "p=__HIVE_DEFAULT_PARTITION__",
    ),
    (Some("a b"), "p=a%20b", "p=a b"),
    (Some("7"), "p=7", "p=7"),
    (Some("50%"), "p=50%2525", "p=50%25"),
];

/// A file of the table.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) key: String,
    pub(super) partition: usize,
    pub(super) rows: Vec<Row>,
    pub(super) size: usize,
    pub(super) at: i64,
    /// Rows that its deletion vector deletes, and that vector.
    pub(super) gone: BTreeSet<u16>,
    pub(super) vector: Option<vectors::Vector>,
    /// How often something new was said of it.
    pub(super) said: u32,
}

impl File {
    pub(super) fn live(&self) -> Vec<Row> {
        let rows = self.rows.iter().zip(0_u16..);
        rows.filter(|(_, at)| !self.gone.contains(at))
            .map(|(row, _)| row.clone())
            .collect()
    }

    /// What the log calls it.
    pub(super) fn name(&self) -> (&str, Option<&str>) {
        let vector = self.vector.as_ref();
        (
            self.path.as_str(),
            vector.map(|vector| vector.place.as_str()),
        )
    }

    fn partition_values(&self) -> Value {
        json!({ "p": PARTITIONS[self.partition].0 })
    }

    pub(super) fn add(&self, data_change: bool) -> Value {
        let stats = match &self.vector {
            None => json!({ "numRecords": self.rows.len() }),
            Some(_) => json!({ "numRecords": self.rows.len(), "tightBounds": false }),
        };
        let mut add = json!({
            "path": self.path, "partitionValues": self.partition_values(), "size": self.size,
            "modificationTime": self.at, "dataChange": data_change, "stats": stats.to_string(),
        });
        if let Some(vector) = &self.vector {
            add["deletionVector"] = vector.descriptor.clone();
        }
        if self.said > 0 {
            add["tags"] = json!({ "said": self.said.to_string() });
        }
        json!({ "add": add })
    }

    pub(super) fn remove(&self, data_change: bool) -> Value {
        let mut remove = json!({
            "path": self.path, "deletionTimestamp": START, "dataChange": data_change,
            "extendedFileMetadata": true, "partitionValues": self.partition_values(), "size": self.size,
        });
        if let Some(vector) = &self.vector {
            remove["deletionVector"] = vector.descriptor.clone();
        }
        json!({ "remove": remove })
    }

    /// Its objects and how many bytes they have.
    fn objects(&self) -> Vec<(String, u64)> {
        let mut objects = vec![(self.key.clone(), self.size as u64)];
        if let Some(object) = self
            .vector
            .as_ref()
            .and_then(|vector| vector.object.clone())
        {
            objects.push(object);
        }
        objects
    }
}

/// The table at a version.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) files: Vec<File>,
    pub(super) is_wide: bool,
    pub(super) property: u32,
}

impl State {
    /// All rows, sorted.
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.files.iter().flat_map(File::live).collect();
        if !self.is_wide {
            rows.iter_mut().for_each(|row| row.note = None);
        }
        rows.sort();
        rows
    }

    pub(super) fn objects(&self) -> BTreeMap<String, u64> {
        self.files.iter().flat_map(File::objects).collect()
    }

    /// The bytes that a copy of files would move to bring this about where `held` is: every object that is not there.
    pub(super) fn bytes_from(&self, held: Option<&Self>) -> u64 {
        let held = held.map(Self::objects).unwrap_or_default();
        let objects = self.objects().into_iter();
        objects
            .filter(|(key, _)| !held.contains_key(key))
            .map(|(_, size)| size)
            .sum()
    }
}

/// A table by its id, and its version.
pub(super) type Version = (String, u64);

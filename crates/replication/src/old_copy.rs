//! Comparing a copy that was made some other way, as a Delta table or as a folder of Parquet files, with a replica: the rows of each
//! partition summed on both sides, whatever their order and their files. It says how alike they are and changes nothing.

use std::collections::BTreeMap;

use delta::{AddFile, LogError, RowSum, RowsError, Shape, Table};
use futures::TryStreamExt as _;
use object_store::ObjectStore as _;
use serde_json::Value;

use crate::prove::{Sums, WHOLE, partition_of, sums};
use crate::say::say;
use crate::verify::VerifyError;

/// Files of a folder; of more the list would take the memory of everybody else.
const MOST: usize = 200_000;
/// How many partitions that differ are named.
const NAMED: usize = 5;

/// How alike two copies are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Likeness {
    /// The version of the old copy, if it is a Delta table.
    pub version: Option<u64>,
    pub rows: u64,
    pub replica_rows: u64,
    /// Partitions that differ.
    pub differing: Vec<String>,
    /// Why a file could not be read: the first reason.
    pub unreadable: Option<String>,
}

impl Likeness {
    pub fn is_same(&self) -> bool {
        self.differing.is_empty() && self.unreadable.is_none()
    }

    /// For people.
    pub fn sentence(&self) -> String {
        let of = match self.version {
            Some(version) => format!("version {version} of the old copy"),
            None => "the files of the old copy".to_owned(),
        };
        if let Some(why) = &self.unreadable {
            return format!("It cannot be said, for {of} cannot all be read: {why}.");
        }
        if self.is_same() {
            return format!("All {} rows of {of} are those of the replica.", self.rows);
        }
        let first: Vec<&str> = self
            .differing
            .iter()
            .take(NAMED)
            .map(String::as_str)
            .collect();
        let more = match self.differing.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "The rows of {}{more} differ: {of} has {} rows, the replica {}. A copy of an older version differs by what came since.",
            first.join(", "),
            self.rows,
            self.replica_rows
        )
    }
}

/// Reads every row of both.
///
/// # Errors
/// What keeps it from reading either; a damaged file of the old copy is no error.
pub async fn liken(copy: &Table, replica: &Table, version: u64) -> Result<Likeness, VerifyError> {
    let ours = sums(replica, version).await?;
    let latest = copy.latest_version().await.map_err(VerifyError::Log)?;
    let theirs = match latest {
        Some(latest) => sums(copy, latest).await?,
        None => {
            let state = replica.snapshot(Some(version)).await;
            let state = state.map_err(VerifyError::Log)?;
            let shape = state.metadata.shape().map_err(VerifyError::Log)?;
            let columns = state.files.values().next();
            let columns: Vec<String> = columns
                .map(|file| file.partition_values.keys().cloned().collect())
                .unwrap_or_default();
            drop(state);
            sums_of_files(copy, &shape, &columns, &ours).await?
        }
    };
    Ok(Likeness {
        version: latest,
        rows: theirs.rows(),
        replica_rows: ours.rows(),
        differing: theirs.differing(&ours),
        unreadable: theirs.unreadable.values().next().cloned(),
    })
}

/// The rows of all Parquet files of a folder, by partition, as far as their paths say it.
async fn sums_of_files(
    copy: &Table,
    shape: &Shape,
    columns: &[String],
    like: &Sums,
) -> Result<Sums, VerifyError> {
    let failed = |error: &object_store::Error| VerifyError::Store(say(error));
    let mut listed = copy.objects().list(None);
    let mut files = Vec::new();
    while let Some(object) = listed.try_next().await.map_err(|error| failed(&error))? {
        let name = object.location.as_ref();
        // What begins so belongs to whoever wrote the folder, and is no data.
        let is_hidden = name
            .split('/')
            .any(|part| part.starts_with(['_', '.']) && !part.contains('='));
        if is_hidden || !name.ends_with(".parquet") {
            continue;
        }
        if files.len() == MOST {
            return Err(VerifyError::Wrong(format!(
                "the old copy has more than {MOST} files"
            )));
        }
        files.push(AddFile {
            path: name.to_owned(),
            size: object.size,
            partition_values: values_of(name, columns),
            modification_time: object.last_modified.timestamp_millis(),
            key: object.location,
            data_change: true,
            stats: None,
            deletion_vector: None,
            deletion_vector_key: None,
            raw: Value::Null,
        });
    }
    if files.is_empty() {
        return Err(VerifyError::Wrong(
            "the old copy's folder has neither a Delta log nor a Parquet file".to_owned(),
        ));
    }
    // As the replica is summed: with too many partitions they are one.
    let is_whole = like.partitions.contains_key(WHOLE);
    let mut all: BTreeMap<String, RowSum> = BTreeMap::new();
    let mut unreadable = BTreeMap::new();
    for file in &files {
        let name = match is_whole {
            true => WHOLE.to_owned(),
            false => partition_of(file),
        };
        match copy.sum_rows(file, shape).await {
            Ok(sum) => all.entry(name).or_default().include(sum),
            Err(RowsError::Log(error @ LogError::Storage(_))) => {
                return Err(VerifyError::Log(error));
            }
            Err(error) => {
                unreadable.entry(name).or_insert_with(|| error.to_string());
            }
        }
    }
    let partitions = all
        .into_iter()
        .filter(|(_, sum)| sum.rows > 0)
        .map(|(name, sum)| (name, (sum.rows, format!("{:032x}", sum.sum))));
    Ok(Sums {
        version: 0,
        partitions: partitions.collect(),
        unreadable,
    })
}

/// Values of partition columns as folders are named for them: `day=2026-06-01`.
fn values_of(name: &str, columns: &[String]) -> BTreeMap<String, Option<String>> {
    let mut values = BTreeMap::new();
    for part in name.split('/') {
        let Some((column, value)) = part.split_once('=') else {
            continue;
        };
        if columns.iter().any(|known| known == column) {
            let value = match value {
                "__HIVE_DEFAULT_PARTITION__" | "" => None,
                value => Some(decoded(value)),
            };
            values.insert(column.to_owned(), value);
        }
    }
    // Of a column that no folder names, nothing is known.
    for column in columns {
        values.entry(column.clone()).or_insert(None);
    }
    values
}

/// Percent signs as Hive and Spark write them in names of folders.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let code = (*first == b'%')
            .then(|| others.get(..2))
            .flatten()
            .and_then(|code| hex::decode(code).ok());
        match code {
            Some(code) => {
                bytes.extend(code);
                rest = &others[2..];
            }
            None => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_tell_the_values_of_partitions() {
        let columns = ["day".to_owned(), "p".to_owned(), "q".to_owned()];
        let found = values_of(
            "day=2026-06-01/p=a%2Fb%/x=1/q=__HIVE_DEFAULT_PARTITION__/f.parquet",
            &columns,
        );
        assert_eq!(found["day"].as_deref(), Some("2026-06-01"));
        assert_eq!(found["p"].as_deref(), Some("a/b%"));
        assert_eq!((found.len(), &found["q"]), (3, &None));
    }

    #[test]
    fn what_was_found_is_a_sentence() {
        let mut found = Likeness {
            version: Some(7),
            rows: 10,
            replica_rows: 10,
            differing: Vec::new(),
            unreadable: None,
        };
        assert!(found.is_same());
        assert!(found.sentence().contains("All 10 rows of version 7"));
        found.differing = vec!["the table".to_owned()];
        found.replica_rows = 12;
        assert!(!found.is_same());
        let said = found.sentence();
        assert!(said.contains("has 10 rows, the replica 12"), "{said}");
    }
}

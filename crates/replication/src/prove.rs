//! Proving that a replica holds what its source holds, beyond what its log says. Level 2 looks at every object: its size, the rows
//! of its footer, how many of them its deletion vector deletes. Level 3 reads every row, and sums the rows of each partition so
//! that neither their order nor the files they lie in count. Each side is read where it lies, and only the sums meet.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use delta::{AddFile, LogError, RowSum, RowsError, Snapshot, Table};
use futures::stream::{self, StreamExt as _};
use futures::{FutureExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use crate::plan::is_passing;
use crate::verify::VerifyError;

/// Files that are looked at, and files whose rows are read, at the same time.
const LOOKS: usize = 16;
const READS: usize = 4;

/// More partitions than this are summed together.
const PARTITIONS: usize = 5_000;

/// How many partitions that differ are named.
const NAMED: usize = 5;

/// The rows of a table at a version, by partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    pub version: u64,
    /// Partition as text: how many rows, and their sum in hexadecimal.
    pub partitions: BTreeMap<String, (u64, String)>,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    pub files: u64,
    /// Without those that deletion vectors delete.
    pub rows: u64,
}

impl Sums {
    /// Where the other side differs, by partition.
    pub fn differing(&self, other: &Self) -> Vec<String> {
        let all: BTreeSet<&String> = self
            .partitions
            .keys()
            .chain(other.partitions.keys())
            .collect();
        let of = |sums: &Self, name: &String| sums.partitions.get(name).cloned();
        all.into_iter()
            .filter(|name| of(self, name) != of(other, name))
            .cloned()
            .collect()
    }

    pub fn rows(&self) -> u64 {
        self.partitions.values().map(|(rows, _)| rows).sum()
    }
}

/// Compares the sums of a source with those of its replica, at the same version of the source.
///
/// # Errors
/// [`VerifyError::Wrong`] names the partitions.
pub fn compare(source: &Sums, replica: &Sums) -> Result<u64, VerifyError> {
    let differing = source.differing(replica);
    if differing.is_empty() {
        return Ok(replica.rows());
    }
    let named: Vec<&str> = differing.iter().take(NAMED).map(String::as_str).collect();
    let more = differing.len().saturating_sub(NAMED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    Err(VerifyError::Wrong(format!(
        "the rows of {}{more} are not those of the source",
        named.join(", ")
    )))
}

/// Which partition a file belongs to, as text for people.
pub fn partition_of(file: &AddFile) -> String {
    if file.partition_values.is_empty() {
        return "the table".to_owned();
    }
    let values = file.partition_values.iter();
    let values = values.map(|(column, value)| match value {
        Some(value) => format!("{column}={value}"),
        None => format!("{column} is null"),
    });
    delta::shown(&values.collect::<Vec<_>>().join("/"))
}

/// Level 2: every object of the version, without reading a row.
///
/// # Errors
/// [`VerifyError::Wrong`] for the first that is not as the log says.
pub async fn look(table: &Table, version: u64) -> Result<Looked, VerifyError> {
    let state = snapshot(table, version).await?;
    let looks = state.files.values().map(|file| {
        async move {
            let (rows, deleted) = table.count_rows(file).await.map_err(of_rows)?;
            match file.num_records() {
                Some(said) if said != rows => Err(VerifyError::Wrong(format!(
                    "the data file `{}` has {rows} rows, but the log says {said}",
                    delta::shown(&file.path)
                ))),
                _ => Ok(rows.saturating_sub(deleted)),
            }
        }
        .boxed()
    });
    let looks: Vec<_> = looks.collect();
    let mut looks = stream::iter(looks).buffer_unordered(LOOKS);
    let mut looked = Looked::default();
    while let Some(rows) = looks.try_next().await? {
        looked.files += 1;
        looked.rows = looked.rows.saturating_add(rows);
    }
    Ok(looked)
}

/// Level 3, one side of it: every row of the version.
///
/// # Errors
/// [`VerifyError::Wrong`] for a file that cannot be read.
pub async fn sums(table: &Table, version: u64) -> Result<Sums, VerifyError> {
    let state = snapshot(table, version).await?;
    let columns = state.metadata.physical_columns();
    let columns = columns.map_err(VerifyError::Log)?;
    let columns = &columns;
    let names: HashSet<String> = state.files.values().map(|f| partition_of(f)).collect();
    let is_split = names.len() <= PARTITIONS;
    let reads = state.files.values().map(|file| {
        async move {
            let sum = table.sum_rows(file, columns).await.map_err(of_rows)?;
            let name = if is_split {
                partition_of(file)
            } else {
                "the table".to_owned()
            };
            Ok::<_, VerifyError>((name, sum))
        }
        .boxed()
    });
    let reads: Vec<_> = reads.collect();
    let mut reads = stream::iter(reads).buffer_unordered(READS);
    let mut all: BTreeMap<String, RowSum> = BTreeMap::new();
    while let Some((name, sum)) = reads.try_next().await? {
        all.entry(name).or_default().include(sum);
    }
    // A partition without a row is none.
    let partitions = all
        .into_iter()
        .filter(|(_, sum)| sum.rows > 0)
        .map(|(name, sum)| (name, (sum.rows, format!("{:032x}", sum.sum))));
    Ok(Sums {
        version,
        partitions: partitions.collect(),
    })
}

async fn snapshot(table: &Table, version: u64) -> Result<Snapshot, VerifyError> {
    let state = table.snapshot(Some(version)).await;
    state.map_err(VerifyError::Log)
}

fn of_rows(error: RowsError) -> VerifyError {
    match error {
        RowsError::Log(error @ LogError::Storage(_)) if is_passing(&error) => {
            VerifyError::Log(error)
        }
        error => VerifyError::Wrong(error.to_string()),
    }
}

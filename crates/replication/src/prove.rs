//! Proving that a replica holds what its source holds, beyond what its log says. Level 2 looks at every object: its size, the rows
//! of its footer, how many of them its deletion vector deletes. Level 3 reads every row, and sums the rows of each partition so
//! that neither their order nor the files they lie in count. Each side is read where it lies, and only the sums meet.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use delta::{AddFile, LogError, RowSum, RowsError, Snapshot, Table};
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _};
use futures::{FutureExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use crate::verify::VerifyError;

/// Files that are looked at, and files whose rows are read, at the same time.
const LOOKS: usize = 16;
const READS: usize = 4;

/// More partitions than this are summed together.
const PARTITIONS: usize = 5_000;

/// How many partitions that differ are named.
const NAMED: usize = 5;

/// What a table without partitions, or with too many of them, is called as one.
pub(crate) const WHOLE: &str = "the table";

/// The rows of a table at a version, by partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    pub version: u64,
    /// Partition as text: how many rows, and their sum in hexadecimal.
    pub partitions: BTreeMap<String, (u64, String)>,
    /// Why a file of the partition could not be read, by partition.
    #[serde(default)]
    pub unreadable: BTreeMap<String, String>,
}

/// What was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    pub files: u64,
    /// Without those that deletion vectors delete, of the files that are in order.
    pub rows: u64,
    /// What is not as the log says, by partition: the first of each.
    pub wrong: BTreeMap<String, String>,
}

impl Sums {
    /// Where the other side differs, by partition.
    pub fn differing(&self, other: &Self) -> Vec<String> {
        let sides = [self, other];
        let all: BTreeSet<&String> = sides
            .iter()
            .flat_map(|side| side.partitions.keys().chain(side.unreadable.keys()))
            .collect();
        let differs = |name: &String| {
            let broken = sides.iter().any(|side| side.unreadable.contains_key(name));
            broken || self.partitions.get(name) != other.partitions.get(name)
        };
        all.into_iter()
            .filter(|name| differs(name))
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
    let why = match replica.unreadable.values().next() {
        Some(why) => format!(": {why}"),
        None => String::new(),
    };
    Err(VerifyError::Wrong(format!(
        "the rows of {} are not those of the source{why}",
        named(&differing)
    )))
}

/// The first few of them.
fn named(partitions: &[String]) -> String {
    let first: Vec<&str> = partitions.iter().take(NAMED).map(String::as_str).collect();
    match partitions.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// Which partition a file belongs to, as text for people.
pub fn partition_of(file: &AddFile) -> String {
    if file.partition_values.is_empty() {
        return WHOLE.to_owned();
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
/// What keeps it from looking; what it finds is no error.
pub async fn look(table: &Table, version: u64) -> Result<Looked, VerifyError> {
    let state = snapshot(table, version).await?;
    let looks = state.files.values().map(|file| {
        async move {
            let found = match table.count_rows(file).await {
                Ok((rows, deleted)) => match file.num_records() {
                    Some(said) if said != rows => Err(format!(
                        "the data file `{}` has {rows} rows, but the log says {said}",
                        delta::shown(&file.path)
                    )),
                    _ => Ok(rows.saturating_sub(deleted)),
                },
                Err(error) => Err(unreadable(error)?),
            };
            Ok::<_, VerifyError>((file, found))
        }
        .boxed()
    });
    let looks: Vec<_> = looks.collect();
    let mut looks = stream::iter(looks).buffer_unordered(LOOKS);
    let mut looked = Looked::default();
    while let Some((file, found)) = looks.try_next().await? {
        looked.files += 1;
        match found {
            Ok(rows) => looked.rows = looked.rows.saturating_add(rows),
            Err(why) => {
                looked.wrong.entry(partition_of(file)).or_insert(why);
            }
        }
    }
    Ok(looked)
}

/// Level 3, one side of it: every row of the version.
///
/// # Errors
/// What keeps it from reading; a file that is damaged is no error, and stands in the sums.
pub async fn sums(table: &Table, version: u64) -> Result<Sums, VerifyError> {
    let state = snapshot(table, version).await?;
    let shape = state.metadata.shape();
    let shape = &shape.map_err(VerifyError::Log)?;
    let files: Vec<Arc<AddFile>> = state.files.values().cloned().collect();
    sums_of(version, &files, is_split(&state), |file| {
        async move { table.sum_rows(file, shape).await }.boxed()
    })
    .await
}

/// Whether the partitions of a table are few enough to be summed each by itself.
pub(crate) fn is_split(state: &Snapshot) -> bool {
    let names: HashSet<String> = state.files.values().map(|f| partition_of(f)).collect();
    names.len() <= PARTITIONS
}

/// What the rows of files come to, each summed by `sum`.
pub(crate) async fn sums_of<'a>(
    version: u64,
    files: &'a [Arc<AddFile>],
    is_split: bool,
    sum: impl Fn(&'a AddFile) -> BoxFuture<'a, Result<RowSum, RowsError>>,
) -> Result<Sums, VerifyError> {
    let reads = files.iter().map(|file| {
        let summed = sum(file.as_ref());
        async move {
            let found = match summed.await {
                Ok(sum) => Ok(sum),
                Err(error) => Err(unreadable(error)?),
            };
            let name = if is_split {
                partition_of(file)
            } else {
                WHOLE.to_owned()
            };
            Ok::<_, VerifyError>((name, found))
        }
        .boxed()
    });
    let reads: Vec<_> = reads.collect();
    let mut reads = stream::iter(reads).buffer_unordered(READS);
    let mut all: BTreeMap<String, RowSum> = BTreeMap::new();
    let mut broken = BTreeMap::new();
    while let Some((name, found)) = reads.try_next().await? {
        match found {
            Ok(sum) => all.entry(name).or_default().include(sum),
            Err(why) => {
                broken.entry(name).or_insert(why);
            }
        }
    }
    // A partition without a row is none.
    let partitions = all
        .into_iter()
        .filter(|(_, sum)| sum.rows > 0)
        .map(|(name, sum)| (name, (sum.rows, format!("{:032x}", sum.sum))));
    Ok(Sums {
        version,
        partitions: partitions.collect(),
        unreadable: broken,
    })
}

async fn snapshot(table: &Table, version: u64) -> Result<Snapshot, VerifyError> {
    let state = table.snapshot(Some(version)).await;
    state.map_err(VerifyError::Log)
}

/// Why a file is damaged; what may pass is an error.
fn unreadable(error: RowsError) -> Result<String, VerifyError> {
    match error {
        RowsError::Log(error @ LogError::Storage(_)) => Err(VerifyError::Log(error)),
        error => Ok(error.to_string()),
    }
}

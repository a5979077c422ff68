//! What a producer sees of a table before it is registered, and the search for tables under a prefix.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use model::Timestamp;
use model::dto::MAPPED_BY_ID;
use object_store::ObjectStore;
use object_store::path::Path;
use serde_json::Value;

use crate::budgets::{count, within};
use crate::listing::LOG;
use crate::schema::Column;
use crate::support::Support;
use crate::{LogError, Snapshot, Table};

/// A table as it stands.
#[derive(Clone, Debug)]
pub struct Inspection {
    pub version: u64,
    /// Of the last commit.
    pub timestamp: Timestamp,
    pub id: String,
    pub name: Option<String>,
    pub description: Option<String>,
    pub columns: Vec<Column>,
    pub partition_columns: Vec<String>,
    /// The schema as the log has it.
    pub schema_text: String,
    /// `None` when the statistics of some file do not say.
    pub rows: Option<u64>,
    pub files: u64,
    pub bytes: u64,
    /// Bytes of those files that were written within 30 days before the last commit.
    pub recent_bytes: u64,
    pub min_reader: u32,
    pub min_writer: u32,
    /// Reader and writer features, and [`MAPPED_BY_ID`] where it is so.
    pub features: BTreeSet<String>,
    pub support: Support,
    pub configuration: BTreeMap<String, String>,
    /// The oldest version that can still be read.
    pub earliest_version: u64,
    /// Whether `delta.enableChangeDataFeed` is on.
    pub change_data_feed: bool,
    /// The table's id; where its newest commit says of what table it is a clone, that one's.
    pub lineage: String,
}

/// Reads the table's newest version.
///
/// # Errors
/// [`LogError`]: its text tells the producer what to do.
pub async fn inspect(table: &Table) -> Result<Inspection, LogError> {
    let snapshot = table.snapshot(None).await?;
    let metadata = &snapshot.metadata;
    let mode = metadata.configuration.get("delta.columnMapping.mode");
    let by_id = mode.is_some_and(|mode| mode.eq_ignore_ascii_case("id"));
    Ok(Inspection {
        version: snapshot.version,
        timestamp: snapshot.timestamp,
        id: metadata.id.clone(),
        name: metadata.name.clone(),
        description: metadata.description.clone(),
        columns: metadata.schema()?,
        partition_columns: metadata.partition_columns.clone(),
        schema_text: metadata.schema_string.clone(),
        rows: snapshot.rows(),
        files: count(snapshot.files.len()),
        bytes: snapshot.bytes(),
        recent_bytes: recent_bytes(&snapshot),
        min_reader: snapshot.protocol.min_reader,
        min_writer: snapshot.protocol.min_writer,
        features: snapshot
            .protocol
            .reader_features
            .union(&snapshot.protocol.writer_features)
            .cloned()
            .chain(by_id.then(|| MAPPED_BY_ID.to_owned()))
            .collect(),
        support: snapshot.support(),
        configuration: metadata.configuration.clone(),
        earliest_version: table.earliest_version().await?.unwrap_or(snapshot.version),
        change_data_feed: metadata.records_changes(),
        lineage: cloned_from(snapshot.commit_info.as_ref()).unwrap_or_else(|| metadata.id.clone()),
    })
}

/// A name that no table has is nothing to keep.
const MAX_ID: usize = 200;

/// The id of the table of which a commit says that it brought the clone up to date: our replicas do, and what clones by `CLONE` where
/// it gives the source's id.
fn cloned_from(info: Option<&Value>) -> Option<String> {
    let info = info?;
    let ours = info.pointer("/entrepot/sourceTable");
    let is_clone = info
        .get("operation")
        .and_then(Value::as_str)
        .is_some_and(|operation| operation.eq_ignore_ascii_case("CLONE"));
    let parameters = info.get("operationParameters").filter(|_| is_clone);
    let theirs = parameters.and_then(|parameters| {
        ["sourceTableId", "sourceId"]
            .iter()
            .find_map(|name| parameters.get(*name))
    });
    let id = ours.or(theirs)?.as_str()?.trim_matches('"');
    (!id.is_empty() && id.len() <= MAX_ID).then(|| id.to_owned())
}

/// By the files' own modification times, as the log gives them: a guess at what a month brings.
fn recent_bytes(snapshot: &Snapshot) -> u64 {
    let since = snapshot.timestamp.plus(-30 * model::time::DAY).millis();
    snapshot
        .files
        .values()
        .filter(|file| file.modification_time >= since)
        .fold(0, |sum, file| sum.saturating_add(file.size))
}

/// How far [`scan`] goes: folders that are listed, and levels below the prefix.
const MAX_FOLDERS: u64 = 20_000;
const MAX_LEVELS: usize = 12;

/// The folders under `prefix` that hold a `_delta_log`, sorted; `prefix` itself may be one. Folders inside a table and
/// those whose names begin with `_` or `.` are not looked into.
///
/// # Errors
/// [`LogError::Budget`] when there are too many folders, [`LogError::Storage`].
pub async fn scan(objects: &Arc<dyn ObjectStore>, prefix: &Path) -> Result<Vec<Path>, LogError> {
    let mut found = Vec::new();
    let mut open = VecDeque::from([(prefix.clone(), 0)]);
    let mut seen = 0;
    while let Some((folder, level)) = open.pop_front() {
        seen += 1;
        within("folders under the prefix", MAX_FOLDERS, seen)?;
        let listed = objects.list_with_delimiter(Some(&folder)).await?;
        if listed
            .common_prefixes
            .iter()
            .any(|inner| inner.filename() == Some(LOG))
        {
            found.push(folder);
        } else if level < MAX_LEVELS {
            let inner = listed.common_prefixes.into_iter();
            let inner = inner.filter(|path| {
                path.filename()
                    .is_some_and(|name| !name.starts_with(['_', '.']))
            });
            open.extend(inner.map(|path| (path, level + 1)));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn tables_under_a_prefix() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        for key in [
            "lake/b/_delta_log/00000000000000000000.json",
            "lake/a/x/_delta_log/00000000000000000000.json",
            "lake/a/x/inner/_delta_log/00000000000000000000.json",
            "lake/_hidden/_delta_log/00000000000000000000.json",
            "lake/.trash/t/_delta_log/00000000000000000000.json",
            "lake/plain/file.parquet",
            "lake2/c/_delta_log/00000000000000000000.json",
        ] {
            store.put(&Path::from(key), "{}".into()).await.unwrap();
        }
        let found = |prefix: &'static str| {
            let store = store.clone();
            async move {
                let paths = scan(&store, &Path::from(prefix)).await.unwrap();
                paths
                    .iter()
                    .map(|path| path.to_string())
                    .collect::<Vec<_>>()
            }
        };
        assert_eq!(found("lake").await, ["lake/a/x", "lake/b"]);
        assert_eq!(found("lake/b").await, ["lake/b"]);
        assert_eq!(found("").await, ["lake/a/x", "lake/b", "lake2/c"]);
        assert_eq!(found("nowhere").await, [""; 0]);
    }
}

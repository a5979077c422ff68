//! How a commit of ours is recognised: by its operation, by our own object in `commitInfo`, and by the `txn` of its
//! replica table. Since each of our commits is written right after one of ours was seen, and only if the next version is
//! free, the latest commit being ours means that all are.

use delta::Table;
use model::{ReplicaTableId, SyncRunId, Timestamp};
use object_store::path::Path;
use object_store::{Error as StoreError, GetOptions, GetRange, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Our first two lines, `commitInfo` and `txn`, are far shorter; no plan is made of which they are not. A first clone's commit may
/// have many megabytes.
pub(crate) const HEAD_BYTES: u64 = 64 << 10;

/// `commitInfo.operation` of every commit of ours.
pub const OPERATION: &str = "ENTREPOT SYNC";

/// The `txn.appId` of a replica table: at most one commit per source version.
pub fn app_id(replica_table: ReplicaTableId) -> String {
    format!("entrepot/{replica_table}")
}

/// What one of our commits says about itself, under `commitInfo.entrepot`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mark {
    pub(crate) replica_table: ReplicaTableId,
    pub(crate) run: SyncRunId,
    pub(crate) source_version: u64,
    /// `metaData.id` of the source: another one means the table was made anew.
    pub(crate) source_table: String,
    /// Of the source's commit file, so that a table made anew up to the same version is noticed.
    pub(crate) source_fingerprint: String,
    /// So many runs after this one copy files, because rows could not be changed.
    #[serde(default, skip_serializing_if = "crate::plan::is_zero")]
    pub(crate) files_for: u64,
    /// When rows that only a vector hides were last written away, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) purged_at: Option<i64>,
    /// Of the profile that the replica is narrowed by and of its key, by which both are recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) narrowed: Option<String>,
    /// What the whole source came to, for [`crate::tail`] to read. What another release says there is nothing to fail on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) totals: Option<Value>,
    /// When the commit was made, which is what its tombstones say. This and what follows stands beside the mark, not in it.
    #[serde(skip)]
    pub(crate) committed_at: Option<Timestamp>,
    /// When the replica's version was made, for its readers, in milliseconds: with in-commit timestamps always after the version before
    /// it, and so perhaps later than the clock said.
    #[serde(skip)]
    pub(crate) version_millis: Option<i64>,
    /// When the source's version was made, in milliseconds.
    #[serde(skip)]
    pub(crate) source_millis: Option<i64>,
}

/// The mark of a commit, from its first lines. None: the commit is not ours, or not this replica table's.
///
/// # Errors
/// The store's, also when there is no such commit.
pub(crate) async fn mark_of(
    target: &Table,
    version: u64,
    replica_table: ReplicaTableId,
) -> Result<Option<Mark>, StoreError> {
    let key = Path::from(format!("_delta_log/{version:020}.json"));
    let range = GetOptions::new().with_range(Some(GetRange::Bounded(0..HEAD_BYTES)));
    let head = match target.objects().get_opts(&key, range).await {
        Ok(head) => head.bytes().await?,
        Err(error @ StoreError::NotFound { .. }) => return Err(error),
        // Of an empty object there is no range to be had.
        Err(error) => match target.objects().head(&key).await {
            Ok(meta) if meta.size == 0 => return Ok(None),
            _ => return Err(error),
        },
    };
    Ok(parse(&head, replica_table))
}

fn parse(head: &[u8], replica_table: ReplicaTableId) -> Option<Mark> {
    let mut lines = head.split_inclusive(|byte| *byte == b'\n');
    let mut line = || serde_json::from_slice::<Value>(lines.next()?).ok();
    let (info, txn) = (line()?, line()?);
    let (info, txn) = (info.get("commitInfo")?, txn.get("txn")?);
    let mut mark: Mark = serde_json::from_value(info.get("entrepot")?.clone()).ok()?;
    let time = |name: &str| info.get(name).and_then(Value::as_i64);
    let made = time("timestamp");
    mark.committed_at = made.map(Timestamp::from_millis);
    mark.version_millis = time("inCommitTimestamp").or(made);
    mark.source_millis = time("sourceTimestamp");
    let is_ours = info.get("operation")?.as_str()? == OPERATION
        && mark.replica_table == replica_table
        && txn.get("appId")?.as_str()? == app_id(replica_table)
        && txn.get("version")?.as_u64()? == mark.source_version;
    is_ours.then_some(mark)
}

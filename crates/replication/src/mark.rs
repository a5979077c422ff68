//! How a commit of ours is recognised: by its operation, by our own object in `commitInfo`, and by the `txn` of its
//! replica table. Since each of our commits is written right after one of ours was seen, and only if the next version is
//! free, the latest commit being ours means that all are.

use delta::{Action, Commit};
use model::{ReplicaTableId, SyncRunId};
use serde::{Deserialize, Serialize};

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
}

/// None: the commit is not ours, or not this replica table's.
pub(crate) fn mark_of(commit: &Commit, replica_table: ReplicaTableId) -> Option<Mark> {
    let app = app_id(replica_table);
    let info = commit.actions.iter().find_map(|action| match action {
        Action::CommitInfo(info) => Some(info),
        _ => None,
    })?;
    if info.get("operation")?.as_str()? != OPERATION {
        return None;
    }
    let mark: Mark = serde_json::from_value(info.get("entrepot")?.clone()).ok()?;
    let has_txn = commit.actions.iter().any(|action| match action {
        Action::Txn(txn) => {
            txn.app_id == app && u64::try_from(txn.version) == Ok(mark.source_version)
        }
        _ => false,
    });
    (has_txn && mark.replica_table == replica_table).then_some(mark)
}

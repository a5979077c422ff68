//! Replicas, sync jobs and sync runs.

use serde::{Deserialize, Serialize};

use crate::{
    Commits, Fetches, Location, Name, ProductName, ReplicaId, ReplicaState, ReplicaTableId,
    RunKind, RunState, SyncRunId, Timestamp,
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    pub id: ReplicaId,
    pub product: ProductName,
    /// The cut that it is a replica of, and the edition of that; None for the whole product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edition: Option<i64>,
    pub storage: Name,
    pub location: Location,
    pub state: ReplicaState,
    /// While draining: when it will be deleted.
    pub drain_until: Option<Timestamp>,
    /// Since when it is later than its schedule promises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_since: Option<Timestamp>,
    pub reason: Option<String>,
    pub tables: Vec<ReplicaTable>,
    pub job: Option<SyncJob>,
    /// What the caller may do with it now.
    pub may: ReplicaActions,
}

/// Which operations would be let pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaActions {
    pub sync: bool,
    pub verify: bool,
    pub vacuum: bool,
    pub schedule: bool,
    /// Out of quarantine, by one's word.
    #[serde(default)]
    pub release: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaTable {
    pub id: ReplicaTableId,
    pub schema: Name,
    pub name: Name,
    /// Relative to the storage; absent for those who only read the replica.
    pub path: Option<String>,
    pub state: ReplicaState,
    pub source_version: Option<u64>,
    /// When the source committed what the replica holds.
    pub source_committed_at: Option<Timestamp>,
    pub replica_version: Option<u64>,
    pub bytes: Option<u64>,
    pub synced_at: Option<Timestamp>,
    pub verified_at: Option<Timestamp>,
    pub vacuumed_at: Option<Timestamp>,
    /// Since when it is not served because a check found that it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined_at: Option<Timestamp>,
    pub reason: Option<String>,
    /// What is to be done on it, or is being done.
    pub work: Vec<TableWork>,
}

/// A sync, a vacuum or a check that waits for a worker, or that one is at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableWork {
    /// `sync`, `vacuum` or `verify`.
    pub kind: String,
    /// How often in a row it has failed.
    pub failures: i64,
    /// Why, the last time.
    pub error: Option<String>,
    /// Not tried again until a person says so.
    pub parked: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncJob {
    pub name: Option<Name>,
    /// `2d`, `6h`, `30m`; None where another of the four says when, or when it runs by hand only.
    pub every: Option<String>,
    /// Time of day, `03:00`, for an `every` of whole days.
    pub at: Option<String>,
    pub cron: Option<String>,
    /// It runs when the source has a new version, and not more often than this: `1h`.
    #[serde(default)]
    pub on_new_version: Option<String>,
    /// What the source commits is there within this: `6h`. It runs as seldom as that allows.
    #[serde(default)]
    pub fresh_within: Option<String>,
    pub timezone: String,
    /// Every object is checked so often, level 2: a period like `1w`, or a cron line.
    #[serde(default)]
    pub verify_objects: Option<String>,
    /// Every row is checked so often, level 3.
    #[serde(default)]
    pub verify_rows: Option<String>,
    #[serde(default)]
    pub next_objects_at: Option<Timestamp>,
    #[serde(default)]
    pub next_rows_at: Option<Timestamp>,
    /// How long the replica keeps what the source removed.
    pub retention_hours: i64,
    /// How long a replica that nobody may read any more is kept before it is deleted.
    pub keep_hours: i64,
    /// Within so many hours of the source's commit what it deleted is gone from the replica: the retention is at most half of them, and
    /// a sync comes at least each quarter.
    #[serde(default)]
    pub forget_hours: Option<i64>,
    pub paused: bool,
    /// What its runs fetch of files that the source has rewritten.
    pub fetches: Fetches,
    /// Whether a commit of the replica brings all that its source has committed since the last run, or one version each.
    pub commits: Commits,
    /// When it runs next, or when its source is looked at next.
    pub next_due_at: Option<Timestamp>,
    pub revision: i64,
}

/// What is absent stays as it is, and an empty text takes something away. Of `every`, `cron`, `on_new_version` and `fresh_within` one
/// says when: a new one takes the place of what stood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncJobChange {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub every: Option<String>,
    #[serde(default)]
    pub at: Option<String>,
    #[serde(default)]
    pub cron: Option<String>,
    #[serde(default)]
    pub on_new_version: Option<String>,
    #[serde(default)]
    pub fresh_within: Option<String>,
    #[serde(default)]
    pub verify_objects: Option<String>,
    #[serde(default)]
    pub verify_rows: Option<String>,
    #[serde(default)]
    pub timezone: Option<String>,
    #[serde(default)]
    pub retention_hours: Option<i64>,
    #[serde(default)]
    pub keep_hours: Option<i64>,
    /// 0 takes the deadline away.
    #[serde(default)]
    pub forget_hours: Option<i64>,
    #[serde(default)]
    pub paused: Option<bool>,
    #[serde(default)]
    pub fetches: Option<Fetches>,
    #[serde(default)]
    pub commits: Option<Commits>,
    #[serde(default)]
    pub revision: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRun {
    pub id: SyncRunId,
    pub kind: RunKind,
    pub product: ProductName,
    /// The cut that the replica is of; None for the whole product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Name>,
    pub schema: Name,
    pub table: Name,
    pub to: Name,
    pub to_location: Location,
    pub state: RunState,
    pub attempt: i64,
    pub from_version: Option<u64>,
    pub to_version: Option<u64>,
    pub replica_version: Option<u64>,
    pub files_planned: u64,
    pub bytes_planned: u64,
    pub files_copied: u64,
    pub bytes_copied: u64,
    /// What a full copy would have moved.
    pub bytes_full: u64,
    /// What came from the source store, log reads and retries included: what is billed.
    pub bytes_received: u64,
    /// What of it is no part of what was copied: logs, repeated requests, and bodies that were broken off.
    #[serde(default)]
    pub bytes_unused: u64,
    pub files_deleted: u64,
    pub bytes_deleted: u64,
    /// What a first sync took over from a copy that lay in the storage already: none of it crossed.
    #[serde(default)]
    pub adopted_files: u64,
    #[serde(default)]
    pub adopted_bytes: u64,
    /// What went wrong; those who only read the replica learn no more than that something did.
    pub error: Option<String>,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// Time the workers were busy with it, over all attempts; microseconds.
    pub busy_micros: i64,
    #[serde(default)]
    pub how: Option<RunHow>,
    /// Each state that it came into, in order. Lists leave it out, and runs from before it was kept have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<RunStep>,
}

/// How a run brings what its source has rewritten, as its plan says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHow {
    /// Sets of rewritten files whose rows are changed by the change feed, and what of that is fetched.
    pub sets_fed: u64,
    pub bytes_fed: u64,
    /// Sets that were only compacted, for which nothing is fetched.
    pub sets_skipped: u64,
    /// Sets of which the new files are copied.
    pub sets_copied: u64,
    /// Files that are written anew at the replica, without rows that only a deletion vector hides.
    pub files_purged: u64,
    /// The same in words, with the reason.
    pub because: String,
}

/// A run came into a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStep {
    pub state: RunState,
    pub at: Timestamp,
}

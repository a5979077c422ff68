//! What a plan comes down to, as the journal keeps it.

use model::{SyncRunId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::adopt::Adopted;
use crate::narrow::PlanNarrowed;
use crate::tail::Basis;

/// Why everything is compared and not only what is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FullReason {
    /// The first sync.
    First,
    /// The source was made anew: another table id, or a version below the last one.
    Recreated,
    /// The replica was found to differ from the source, and what it holds is looked at again.
    Mended,
}

/// What a plan comes down to, without the list of files: small enough for a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanSummary {
    pub run: SyncRunId,
    /// Counts the plans of the run from 1.
    pub ordinal: u32,
    pub planned_at: Timestamp,
    /// The pinned version: commits that arrive meanwhile wait for the next run.
    pub source_version: u64,
    pub source_timestamp: Timestamp,
    pub source_table: String,
    pub source_fingerprint: String,
    /// The source version the replica stands at; None before the first sync.
    pub from_version: Option<u64>,
    /// The version to write on the replica.
    pub target_version: u64,
    pub full: Option<FullReason>,
    /// Objects that have to cross, and their bytes.
    pub files_copy: u64,
    pub bytes_copy: u64,
    /// Files to add whose objects the replica still holds.
    pub files_reused: u64,
    pub files_removed: u64,
    pub bytes_removed: u64,
    /// Files of which the source says something new, without a byte to copy.
    pub files_updated: u64,
    /// The table as the replica will stand: what a full copy would have cost.
    pub files_full: u64,
    pub bytes_full: u64,
    /// None where a file has no statistics.
    pub rows_full: Option<u64>,
    /// What verifying compares.
    pub keys_digest: String,
    pub protocol_digest: String,
    pub metadata_digest: String,
    /// None in plans from before domains were cloned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domains_digest: Option<String>,
    /// Sets of rewritten files that are not copied: their rows are changed by the feed, or stand already.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sets_by_rows: u64,
    /// Of these, such as the feed is applied to, and the bytes that are fetched for them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sets_fed: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes_fed: u64,
    /// Sets of rewritten files that are copied.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sets_copied: u64,
    /// Why nothing but copying was thought of, or of some set the first reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Which, and how; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub choice: String,
    /// What the ways that were thought of would have moved; None in plans from before that was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ways: Option<WaysMoved>,
    /// So many more runs copy files, because rows could not be changed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub files_for: u64,
    /// Files that are written anew, at the replica, for nothing but the rows that a vector hides in them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub files_purged: u64,
    /// When that was last looked for, with this plan or before; milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purged_at: Option<i64>,
    /// What is moved of a narrowed replica's source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrowed: Option<PlanNarrowed>,
    /// What of an adopted folder serves; it is not among what has to cross.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Adopted>,
    /// Of the files that the commit adds, in a plan from the logs' tails; None where one has no statistics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_added: Option<u64>,
    /// What lets the next run be planned from the logs' tails; None: it cannot be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Of a replica that keeps its source's versions: what is to be said of those that the commit brings, in sentences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commits: Option<String>,
    /// Versions of the source behind this one, which runs of their own are to bring.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
    /// Files of the source's change feed that the commit keeps.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cdc_files: u64,
}

/// Bytes of files that each way would have moved in place of what the run did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaysMoved {
    /// Each object that the replica does not hold, and nothing else.
    pub files: u64,
    /// With the change feed in place of rewritten files wherever it can be. `None`: it was not thought of, or can be nowhere.
    pub feed: Option<u64>,
    /// With compactions left alone wherever they can be; likewise.
    pub skip: Option<u64>,
}

pub(crate) fn is_zero(number: &u64) -> bool {
    *number == 0
}

//! What is left of something that the source has forgotten: objects that wait for their time, orphans, rows that only a deletion
//! vector hides, and statistics of removed files in the replica's log, which name the least and the greatest of their values.
//!
//! [`residue`] counts, [`forget_history`] ends the log's part of it: the log then begins with the version that the replica has.

use delta::Table;
use futures::StreamExt as _;
use model::{ReplicaTableId, Timestamp};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectMeta, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};

use crate::marker::MARKER;
use crate::proof::Proof;
use crate::vacuum::{
    Doomed, Fence, Keep, Known, VacuumError, VacuumReport, Why, broken, is_own, known,
};

/// Objects deleted between two looks at the fence.
const BATCH: usize = 100;

const LOG: &str = "_delta_log/";

/// What a replica table holds beside the rows that its source has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residue {
    /// The replica's version; None before the first commit.
    pub version: Option<u64>,
    /// Objects that belong to that version, data files and deletion vectors.
    pub live: u64,
    /// Objects that were removed up to the version that was asked for, and are still there.
    pub removed: u64,
    /// Objects that no log knows.
    pub orphans: u64,
    /// When the next of these two may go.
    pub next: Option<Timestamp>,
    /// Live files with rows that only a deletion vector hides, and how many rows.
    pub hiding_files: u64,
    pub hidden_rows: u64,
    /// Live files without rows that their source's files still have, hidden by a vector.
    #[serde(default)]
    pub purged_files: u64,
    /// Objects of the log that are older than the replica's version, and such as belong to no version.
    pub history: u64,
    /// Objects of our own beside the marker.
    pub staged: u64,
    /// Removed files that the version's own log still names with the values of their partition, in the path or beside it. They leave it
    /// by themselves, with a checkpoint after the time that the table keeps its tombstones.
    pub naming: u64,
}

impl Residue {
    /// Whether nothing is left but what the replica's version says.
    pub const fn is_clean(&self) -> bool {
        self.removed == 0
            && self.orphans == 0
            && self.hiding_files == 0
            && self.history == 0
            && self.staged == 0
    }

    /// Whether something is left that goes by itself when its time comes.
    pub const fn waits(&self) -> bool {
        self.removed > 0 || self.orphans > 0
    }
}

/// Counts what is left of what the replica's versions up to `upto` removed.
pub async fn residue(
    target: &Table,
    replica_table: ReplicaTableId,
    upto: u64,
    keep: &Keep,
) -> Result<Residue, VacuumError> {
    let known = known(target, replica_table).await?;
    let mut residue = Residue {
        version: known.version,
        hiding_files: known.hiding.0,
        hidden_rows: known.hiding.1,
        purged_files: known.purged,
        naming: known.naming,
        ..Residue::default()
    };
    let mut listing = target.objects().list(None);
    while let Some(object) = listing.next().await {
        let object = object.map_err(|error| broken(&error))?;
        residue.count(&known, &object, upto, keep);
    }
    Ok(residue)
}

impl Residue {
    fn count(&mut self, known: &Known, object: &ObjectMeta, upto: u64, keep: &Keep) {
        let key: &str = object.location.as_ref();
        if key.starts_with(LOG) {
            let is_current = key == "_delta_log/_last_checkpoint"
                || version_of(key).is_some_and(|version| Some(version) >= known.version);
            self.history += u64::from(!is_current);
        } else if is_own(key) {
            self.staged += u64::from(key != MARKER);
        } else if known.live.contains(key) {
            self.live += 1;
        } else {
            let why = known.why(object);
            match why {
                Why::Tombstoned(at) => {
                    let removal = keep.removal(at.millis());
                    if removal.is_some_and(|removal| removal.version > upto) {
                        // Removed later than what is asked for.
                        return;
                    }
                    self.removed += 1;
                }
                _ => self.orphans += 1,
            }
            let due = keep.due(why, known.gone(object));
            self.next = Some(self.next.map_or(due, |next| next.min(due)));
        }
    }
}

/// The version that an object of the log belongs to, by its name.
fn version_of(key: &str) -> Option<u64> {
    let name = key.strip_prefix(LOG)?;
    let (digits, rest) = name.split_at_checked(20)?;
    let is_version = digits.bytes().all(|byte| byte.is_ascii_digit()) && rest.starts_with('.');
    is_version.then(|| digits.parse().ok()).flatten()
}

/// Ends the history of a replica table: writes a checkpoint of its version and deletes all that the log has of earlier ones, and
/// with it what they say of values that are no longer there. Earlier versions cannot be read after that.
pub async fn forget_history(
    target: &Table,
    replica_table: ReplicaTableId,
    fence: &dyn Fence,
    proof: &Proof<'_>,
) -> Result<VacuumReport, VacuumError> {
    let objects = target.objects();
    let mut report = VacuumReport::default();
    let Some(version) = known(target, replica_table).await?.version else {
        return Ok(report);
    };
    let mut old = Vec::new();
    let mut listing = objects.list(Some(&Path::from("_delta_log")));
    while let Some(object) = listing.next().await {
        let object = object.map_err(|error| broken(&error))?;
        if version_of(object.location.as_ref()).is_some_and(|found| found < version) {
            let at = Timestamp::from_datetime(object.last_modified);
            old.push(Doomed::new(&object, Why::History(at), None));
        }
    }
    drop(listing);
    if old.is_empty() {
        return Ok(report);
    }
    let snapshot = target
        .snapshot(Some(version))
        .await
        .map_err(VacuumError::Log)?;
    target
        .write_checkpoint(&snapshot)
        .await
        .map_err(VacuumError::Log)?;
    // Without it the version could not be put together any more.
    let checkpoint = Path::from(format!("{LOG}{version:020}.checkpoint.parquet"));
    objects
        .head(&checkpoint)
        .await
        .map_err(|error| broken(&error))?;
    for batch in old.chunks(BATCH) {
        if !fence.holds().await {
            return Err(VacuumError::Fenced);
        }
        if target.latest_version().await.map_err(VacuumError::Log)? != Some(version) {
            return Err(VacuumError::Moved);
        }
        proof.mean(batch).await?;
        let mut deleted_at = Vec::with_capacity(batch.len());
        for doomed in batch {
            let key = Path::parse(&doomed.key).map_err(|error| broken(&error.into()))?;
            match objects.delete(&key).await {
                Ok(()) => {
                    report.deleted += 1;
                    report.bytes += doomed.size;
                }
                Err(StoreError::NotFound { .. }) => report.not_found += 1,
                Err(error) => return Err(broken(&error)),
            }
            deleted_at.push((doomed.key.clone(), proof.now()));
        }
        proof.gone(objects, deleted_at).await?;
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_version_is_told_by_its_name() {
        for (key, version) in [
            ("_delta_log/00000000000000000007.json", Some(7)),
            (
                "_delta_log/00000000000000000010.checkpoint.parquet",
                Some(10),
            ),
            ("_delta_log/_last_checkpoint", None),
            ("_delta_log/0000000000000000001x.json", None),
            ("_delta_log/7.json", None),
            ("a/00000000000000000007.json", None),
        ] {
            assert_eq!(version_of(key), version, "{key}");
        }
    }
}

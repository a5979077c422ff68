//! Vacuuming a replica: what the source has deleted is deleted here too, physically, when the retention is over.
//!
//! Goes: files that the source removed longer ago than the retention and that are not live again; objects no log knows (left by
//! runs that were broken off) whose store says they are older than the retention. Stays: everything live, everything younger,
//! `_delta_log/` and `_entrepot/`. The files of a change feed belong to no version of the table; their time runs from the commit that
//! names them, as that of what it removed. Names come from the store's own listing, never from a log, so nothing outside the
//! folder can be meant.
//!
//! The retention counts from the source's commit, as far as it is known which one that was ([`Removal`], and of several that one run
//! brings what the tombstone itself says), so that a replica that is synced seldom forgets no later than others; but who began to
//! read the replica before it has so long as a signed URL lives.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use delta::{LogError, Table};
use futures::StreamExt as _;
use model::time::HOUR;
use model::{ReplicaTableId, Timestamp};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectMeta, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::each::change_data;
use crate::journal::RunRecord;
use crate::mark::mark_of;
use crate::marker::{Marker, MarkerError};
use crate::proof::{Proof, Unproved};
use crate::say::say;
use crate::stands::{GONE, stands_for_hidden};

/// Deletes between two looks at the fence and the replica's version.
const BATCH: usize = 100;

/// A signed URL lives no longer; who got one before a file was removed from the replica may still read it until then.
const READERS: i64 = HOUR;

/// Why an object goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Removed from the replica at this time.
    Tombstoned(Timestamp),
    /// No log knows it; the store's time of it.
    Orphan(Timestamp),
    /// A part of the log that an erasure ends: the store's time of it.
    History(Timestamp),
    /// The replica table has come to its end: the store's time of the object.
    Ended(Timestamp),
}

impl Why {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tombstoned(_) => "removed",
            Self::Orphan(_) => "orphan",
            Self::History(_) => "history",
            Self::Ended(_) => "ended",
        }
    }

    /// Since when it is as it is.
    pub const fn since(self) -> Timestamp {
        match self {
            Self::Tombstoned(at) | Self::Orphan(at) | Self::History(at) | Self::Ended(at) => at,
        }
    }
}

/// A commit of the replica, which removes files, and the commit of the source that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// When the replica's commit was made: what its tombstones say.
    pub at: Timestamp,
    /// The replica's.
    pub version: u64,
    pub source_version: u64,
    pub source_at: Timestamp,
}

impl Removal {
    /// Of a run that committed.
    pub fn of(record: &RunRecord) -> Option<Self> {
        let plan = record.plan.as_ref()?;
        Some(Self {
            at: record.commit_at?,
            version: plan.target_version,
            source_version: plan.source_version,
            source_at: plan.source_timestamp,
        })
    }
}

/// How long a vacuum keeps what.
#[derive(Clone, Debug, Default)]
pub struct Keep {
    pub retention_hours: u32,
    /// What is known of the replica's commits. Of others the retention counts from the replica's own time.
    pub removals: Vec<Removal>,
    /// What these versions of the replica and earlier ones removed goes at once, and so do orphans that nobody may be
    /// writing any more.
    pub forget: Option<u64>,
}

impl Keep {
    /// The commit that made a tombstone, by its time. Of several that were made at the same instant the first.
    pub(crate) fn removal(&self, deleted: i64) -> Option<&Removal> {
        let all = self.removals.iter();
        all.filter(|removal| removal.at.millis() == deleted)
            .min_by_key(|removal| removal.version)
    }

    /// When an object that is not live is to go. `gone`: when the source removed it, as its tombstone says.
    pub(crate) fn due(&self, why: Why, gone: Option<Timestamp>) -> Timestamp {
        let retention = i64::from(self.retention_hours).saturating_mul(HOUR);
        let since = why.since();
        match (why, self.forget) {
            (Why::Tombstoned(at), forget) => {
                let removal = self.removal(at.millis());
                let is_forgotten = forget
                    .is_some_and(|upto| removal.is_none_or(|removal| removal.version <= upto));
                if is_forgotten {
                    return at;
                }
                let of_source = removal.map_or(at, |removal| {
                    let gone = gone.unwrap_or(removal.source_at);
                    gone.min(removal.source_at).min(at)
                });
                let of_readers = at.plus(retention.min(READERS));
                of_source.plus(retention).max(of_readers)
            }
            (Why::Orphan(_), Some(_)) => since.plus(retention.min(READERS)),
            _ => since.plus(retention),
        }
    }
}

/// An object to delete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doomed {
    pub key: String,
    pub size: u64,
    pub why: Why,
    /// As the store tells it.
    #[serde(default)]
    pub etag: Option<String>,
    /// The commit that removed it, where it is known.
    #[serde(default)]
    pub removal: Option<Removal>,
}

impl Doomed {
    pub(crate) fn new(object: &ObjectMeta, why: Why, keep: Option<&Keep>) -> Self {
        let removal = match why {
            Why::Tombstoned(at) => keep.and_then(|keep| keep.removal(at.millis())).copied(),
            _ => None,
        };
        Self {
            key: object.location.to_string(),
            size: object.size,
            why,
            etag: object.e_tag.clone(),
            removal,
        }
    }
}

/// The dry run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VacuumPlan {
    pub replica_table: ReplicaTableId,
    /// The replica's version the plan was made for; None before the first commit.
    pub version: Option<u64>,
    pub delete: Vec<Doomed>,
    /// Bytes of what is to be deleted.
    pub bytes: u64,
    /// Data objects that stay.
    pub kept: u64,
}

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VacuumReport {
    pub deleted: u64,
    pub bytes: u64,
    pub kept: u64,
    /// Objects that were gone already.
    pub not_found: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum VacuumError {
    #[error("another process vacuums this replica now")]
    Fenced,
    #[error(transparent)]
    Marker(#[from] MarkerError),
    #[error("The folder has no marker of ours. Nothing is deleted.")]
    NoMarker,
    #[error("The replica has diverged: somebody else wrote version {version}. Nothing is deleted.")]
    Diverged { version: u64 },
    #[error("The replica moved on while it was vacuumed. Plan again.")]
    Moved,
    #[error("Replica: {0}")]
    Log(LogError),
    #[error("Replica: {0}")]
    Store(String),
    #[error("What is deleted could not be written down: {0}")]
    Ledger(String),
}

impl VacuumError {
    /// The version of the replica's log that points out of the replica, if that is what is wrong.
    pub const fn escape_version(&self) -> Option<u64> {
        match self {
            Self::Log(error) => error.escape_version(),
            _ => None,
        }
    }
}

/// Whether the caller may still delete: the lease and its attempt are looked at. Asked before every hundred deletes.
#[async_trait]
pub trait Fence: Send + Sync {
    async fn holds(&self) -> bool;
}

pub(crate) fn broken(error: &StoreError) -> VacuumError {
    VacuumError::Store(say(error))
}

/// Whether a key is the replica's own affair and not data of the table.
pub(crate) fn is_own(key: &str) -> bool {
    let first = key.split('/').next().unwrap_or_default();
    ["_delta_log", "_entrepot"]
        .iter()
        .any(|own| first.eq_ignore_ascii_case(own))
}

/// Milliseconds.
#[derive(Clone, Copy)]
struct Tombstone {
    at: i64,
    /// When the source removed the file.
    gone: Option<i64>,
}

/// What the replica's log knows of objects.
pub(crate) struct Known {
    /// None before the first commit.
    pub(crate) version: Option<u64>,
    pub(crate) live: HashSet<String>,
    removed: HashMap<String, Tombstone>,
    /// Live files with rows that only a deletion vector hides, and how many rows these are.
    pub(crate) hiding: (u64, u64),
    /// Live files that stand for files of the source in which a vector hides rows, and do not have these.
    pub(crate) purged: u64,
    /// Tombstones that name the values of a partition.
    pub(crate) naming: u64,
}

impl Known {
    /// Why an object of the table that is not live is there.
    pub(crate) fn why(&self, object: &ObjectMeta) -> Why {
        let key: &str = object.location.as_ref();
        match self.removed.get(key) {
            Some(tombstone) => Why::Tombstoned(Timestamp::from_millis(tombstone.at)),
            None => Why::Orphan(Timestamp::from_datetime(object.last_modified)),
        }
    }

    /// When the source removed it, where the tombstone says.
    pub(crate) fn gone(&self, object: &ObjectMeta) -> Option<Timestamp> {
        let tombstone = self.removed.get(object.location.as_ref())?;
        tombstone.gone.map(Timestamp::from_millis)
    }
}

/// Reads the replica's log. Only of a folder with our marker, and of a log that nobody else has written to.
pub(crate) async fn known(
    target: &Table,
    replica_table: ReplicaTableId,
) -> Result<Known, VacuumError> {
    let objects = target.objects();
    if Marker::read(objects.as_ref(), replica_table)
        .await?
        .is_none()
    {
        return Err(VacuumError::NoMarker);
    }
    let version = target.latest_version().await.map_err(VacuumError::Log)?;
    let mut known = Known {
        version,
        live: HashSet::new(),
        removed: HashMap::new(),
        hiding: (0, 0),
        purged: 0,
        naming: 0,
    };
    if let Some(version) = version {
        let mark = mark_of(target, version, replica_table).await;
        if mark.map_err(|error| broken(&error))?.is_none() {
            return Err(VacuumError::Diverged { version });
        }
        let snapshot = target
            .snapshot(Some(version))
            .await
            .map_err(VacuumError::Log)?;
        for file in snapshot.files.values() {
            known.live.insert(file.key.to_string());
            let vector = file.deletion_vector_key.as_ref();
            known.live.extend(vector.map(Path::to_string));
            known.purged += u64::from(stands_for_hidden(file));
            if let Some(vector) = &file.deletion_vector {
                let rows = vector.get("cardinality").and_then(|rows| rows.as_u64());
                known.hiding.0 += 1;
                known.hiding.1 += rows.unwrap_or_default();
            }
        }
        for file in &snapshot.tombstones {
            // We always write the time; without one the file would be kept for ever.
            let at = file.deletion_timestamp.unwrap_or(i64::MAX);
            let values = file.raw.get("partitionValues").and_then(Value::as_object);
            let names = file.path.contains('=')
                || values.is_some_and(|values| values.values().any(|value| !value.is_null()));
            known.naming += u64::from(names);
            let vector = file.deletion_vector_key.as_ref();
            let tags = file.raw.get("tags");
            let gone = tags.and_then(|tags| tags.get(GONE)?.as_str()?.parse().ok());
            let tombstone = Tombstone { at, gone };
            for key in [Some(&file.key), vector].into_iter().flatten() {
                let known = known.removed.entry(key.to_string()).or_insert(tombstone);
                if known.at < at {
                    *known = tombstone;
                }
            }
        }
        let told = change_data(target, version).await?;
        for (key, at) in told {
            let tombstone = Tombstone { at, gone: None };
            known.removed.entry(key).or_insert(tombstone);
        }
    }
    Ok(known)
}

/// Says what would be deleted, and deletes nothing. The retention counts from the replica's own time.
pub async fn plan_vacuum(
    target: &Table,
    replica_table: ReplicaTableId,
    retention_hours: u32,
    now: Timestamp,
) -> Result<VacuumPlan, VacuumError> {
    let keep = Keep {
        retention_hours,
        ..Keep::default()
    };
    plan_vacuum_keeping(target, replica_table, &keep, now).await
}

/// The same, with all that is known of when what was removed at the source.
pub async fn plan_vacuum_keeping(
    target: &Table,
    replica_table: ReplicaTableId,
    keep: &Keep,
    now: Timestamp,
) -> Result<VacuumPlan, VacuumError> {
    let known = known(target, replica_table).await?;
    let mut plan = VacuumPlan {
        replica_table,
        version: known.version,
        delete: Vec::new(),
        bytes: 0,
        kept: 0,
    };
    let mut listing = target.objects().list(None);
    while let Some(object) = listing.next().await {
        let object = object.map_err(|error| broken(&error))?;
        let key: &str = object.location.as_ref();
        if is_own(key) {
            continue;
        }
        let why = known.why(&object);
        if known.live.contains(key) || keep.due(why, known.gone(&object)) > now {
            plan.kept += 1;
        } else {
            plan.bytes += object.size;
            plan.delete.push(Doomed::new(&object, why, Some(keep)));
        }
    }
    Ok(plan)
}

/// Deletes what the plan says, as long as the fence holds and the replica stands where it stood.
pub async fn vacuum_planned(
    target: &Table,
    plan: &VacuumPlan,
    fence: &dyn Fence,
) -> Result<VacuumReport, VacuumError> {
    vacuum_proved(target, plan, fence, &Proof::none(&Unproved)).await
}

/// The same, and writes down what is deleted, before and after.
pub async fn vacuum_proved(
    target: &Table,
    plan: &VacuumPlan,
    fence: &dyn Fence,
    proof: &Proof<'_>,
) -> Result<VacuumReport, VacuumError> {
    let objects = target.objects();
    if Marker::read(objects.as_ref(), plan.replica_table)
        .await?
        .is_none()
    {
        return Err(VacuumError::NoMarker);
    }
    let mut report = VacuumReport {
        kept: plan.kept,
        ..VacuumReport::default()
    };
    for batch in plan.delete.chunks(BATCH) {
        if !fence.holds().await {
            return Err(VacuumError::Fenced);
        }
        // A commit may have taken up a file again.
        if target.latest_version().await.map_err(VacuumError::Log)? != plan.version {
            return Err(VacuumError::Moved);
        }
        proof.mean(batch).await?;
        let mut deleted_at = Vec::with_capacity(batch.len());
        for doomed in batch {
            let key = Path::parse(&doomed.key).map_err(|error| broken(&error.into()))?;
            model::crash_point!("vacuum.delete.before");
            let deleted = objects.delete(&key).await;
            model::crash_point!("vacuum.delete.after");
            match deleted {
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

/// Plans and deletes. `retention_hours` counts from our own tombstones, and from the store's time for orphans.
pub async fn vacuum(
    target: &Table,
    replica_table: ReplicaTableId,
    retention_hours: u32,
    now: Timestamp,
    fence: &dyn Fence,
) -> Result<VacuumReport, VacuumError> {
    let plan = plan_vacuum(target, replica_table, retention_hours, now).await?;
    vacuum_planned(target, &plan, fence).await
}

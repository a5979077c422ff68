//! Vacuuming a replica: what the source has deleted is deleted here too, physically, when the retention is over.
//!
//! Goes: files tombstoned by us longer than the retention and not live again; objects no log knows (left by runs that
//! were broken off) whose store says they are older than the retention. Stays: everything live, everything younger,
//! `_delta_log/` and `_entrepot/`. Names come from the store's own listing, never from a log, so nothing outside the
//! folder can be meant.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use delta::{LogError, Table};
use futures::StreamExt as _;
use model::time::HOUR;
use model::{ReplicaTableId, Timestamp};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};

use crate::mark::mark_of;
use crate::marker::{Marker, MarkerError};
use crate::say::say;

/// Deletes between two looks at the fence and the replica's version.
const BATCH: usize = 100;

/// Why an object goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Removed from the replica at this time.
    Tombstoned(Timestamp),
    /// No log knows it; the store's time of it.
    Orphan(Timestamp),
}

/// An object to delete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doomed {
    pub key: String,
    pub size: u64,
    pub why: Why,
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

fn broken(error: &StoreError) -> VacuumError {
    VacuumError::Store(say(error))
}

/// Says what would be deleted, and deletes nothing.
pub async fn plan_vacuum(
    target: &Table,
    replica_table: ReplicaTableId,
    retention_hours: u32,
    now: Timestamp,
) -> Result<VacuumPlan, VacuumError> {
    let objects = target.objects();
    if Marker::read(objects.as_ref(), replica_table)
        .await?
        .is_none()
    {
        return Err(VacuumError::NoMarker);
    }
    let version = target.latest_version().await.map_err(VacuumError::Log)?;
    let mut live = HashSet::new();
    let mut removed: HashMap<String, i64> = HashMap::new();
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
            live.insert(file.key.to_string());
            live.extend(file.deletion_vector_key.as_ref().map(Path::to_string));
        }
        for file in &snapshot.tombstones {
            // We always write the time; without one the file would be kept for ever.
            let at = file.deletion_timestamp.unwrap_or(i64::MAX);
            let vector = file.deletion_vector_key.as_ref();
            for key in [Some(&file.key), vector].into_iter().flatten() {
                let known = removed.entry(key.to_string()).or_insert(at);
                *known = at.max(*known);
            }
        }
    }
    let limit = now.plus(-i64::from(retention_hours).saturating_mul(HOUR));
    let mut plan = VacuumPlan {
        replica_table,
        version,
        delete: Vec::new(),
        bytes: 0,
        kept: 0,
    };
    let mut listing = objects.list(None);
    while let Some(object) = listing.next().await {
        let object = object.map_err(|error| broken(&error))?;
        let key = object.location.to_string();
        let first = key.split('/').next().unwrap_or_default();
        if ["_delta_log", "_entrepot"]
            .iter()
            .any(|own| first.eq_ignore_ascii_case(own))
        {
            continue;
        }
        let why = match removed.get(&key) {
            Some(&at) => Why::Tombstoned(Timestamp::from_millis(at)),
            None => Why::Orphan(Timestamp::from_datetime(object.last_modified)),
        };
        let (Why::Tombstoned(since) | Why::Orphan(since)) = why;
        if live.contains(&key) || since > limit {
            plan.kept += 1;
        } else {
            plan.bytes += object.size;
            plan.delete.push(Doomed {
                key,
                size: object.size,
                why,
            });
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
        }
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

//! Erasing a replica table when its time is over: the data, then the log, last of all the marker, so that a process
//! that dies in between leaves a folder that still says whose it is.

use delta::Table;
use futures::StreamExt as _;
use model::{ReplicaTableId, Timestamp};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt as _};

use crate::marker::{MARKER, Marker};
use crate::proof::{Proof, Unproved};
use crate::say::say;
use crate::vacuum::{Doomed, Fence, VacuumError, VacuumReport, Why};

/// Objects deleted between two looks at the fence.
const BATCH: usize = 100;

/// Deletes everything in the replica table's folder. A folder without marker and objects is erased already; one with
/// somebody else's marker, or with objects and no marker, is refused.
pub async fn erase(
    target: &Table,
    replica_table: ReplicaTableId,
    fence: &dyn Fence,
) -> Result<VacuumReport, VacuumError> {
    erase_proved(target, replica_table, fence, &Proof::none(&Unproved)).await
}

/// The same, and writes down what is deleted, before and after.
pub async fn erase_proved(
    target: &Table,
    replica_table: ReplicaTableId,
    fence: &dyn Fence,
    proof: &Proof<'_>,
) -> Result<VacuumReport, VacuumError> {
    let objects = target.objects();
    let broken = |error: StoreError| VacuumError::Store(say(&error));
    if Marker::read(objects.as_ref(), replica_table)
        .await?
        .is_none()
    {
        return match objects.list(None).next().await {
            None => Ok(VacuumReport::default()),
            Some(_) => Err(VacuumError::NoMarker),
        };
    }
    let mut report = VacuumReport::default();
    let marker = Path::from(MARKER);
    let is_log = |key: &Path| key.as_ref().starts_with("_delta_log/");
    for log in [false, true] {
        let mut listing = objects.list(None);
        let mut is_over = false;
        while !is_over {
            let mut batch = Vec::new();
            while batch.len() < BATCH {
                let Some(object) = listing.next().await else {
                    is_over = true;
                    break;
                };
                let object = object.map_err(broken)?;
                if object.location == marker || is_log(&object.location) != log {
                    continue;
                }
                let at = Timestamp::from_datetime(object.last_modified);
                batch.push((Doomed::new(&object, Why::Ended(at), None), object.location));
            }
            if batch.is_empty() {
                continue;
            }
            if !fence.holds().await {
                return Err(VacuumError::Fenced);
            }
            let (doomed, keys): (Vec<Doomed>, Vec<Path>) = batch.into_iter().unzip();
            proof.mean(&doomed).await?;
            let mut deleted_at = Vec::with_capacity(keys.len());
            for (doomed, key) in doomed.iter().zip(&keys) {
                model::crash_point!("erase.delete.before");
                let deleted = objects.delete(key).await;
                model::crash_point!("erase.delete.after");
                match deleted {
                    Ok(()) => {
                        report.deleted += 1;
                        report.bytes += doomed.size;
                    }
                    Err(StoreError::NotFound { .. }) => report.not_found += 1,
                    Err(error) => return Err(broken(error)),
                }
                deleted_at.push((doomed.key.clone(), proof.now()));
            }
            proof.gone(objects, deleted_at).await?;
        }
    }
    if !fence.holds().await {
        return Err(VacuumError::Fenced);
    }
    model::crash_point!("erase.marker.before");
    match objects.delete(&marker).await {
        Ok(()) => report.deleted += 1,
        Err(StoreError::NotFound { .. }) => report.not_found += 1,
        Err(error) => return Err(broken(error)),
    }
    model::crash_point!("erase.marker.after");
    Ok(report)
}

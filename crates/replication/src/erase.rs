//! Erasing a replica table when its time is over: the data, then the log, last of all the marker, so that a process
//! that dies in between leaves a folder that still says whose it is.

use delta::Table;
use futures::StreamExt as _;
use model::ReplicaTableId;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt as _};

use crate::marker::{MARKER, Marker};
use crate::say::say;
use crate::vacuum::{Fence, VacuumError, VacuumReport};

/// Objects deleted between two looks at the fence.
const BATCH: u64 = 100;

/// Deletes everything in the replica table's folder. A folder without marker and objects is erased already; one with
/// somebody else's marker, or with objects and no marker, is refused.
pub async fn erase(
    target: &Table,
    replica_table: ReplicaTableId,
    fence: &dyn Fence,
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
        let mut asked = 0;
        let mut listing = objects.list(None);
        while let Some(object) = listing.next().await {
            let object = object.map_err(broken)?;
            if object.location == marker || is_log(&object.location) != log {
                continue;
            }
            if asked % BATCH == 0 && !fence.holds().await {
                return Err(VacuumError::Fenced);
            }
            asked += 1;
            model::crash_point!("erase.delete.before");
            let deleted = objects.delete(&object.location).await;
            model::crash_point!("erase.delete.after");
            match deleted {
                Ok(()) => {
                    report.deleted += 1;
                    report.bytes += object.size;
                }
                Err(StoreError::NotFound { .. }) => report.not_found += 1,
                Err(error) => return Err(broken(error)),
            }
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

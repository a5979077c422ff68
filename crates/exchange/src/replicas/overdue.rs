//! Vacuums that are due by themselves. A finished sync wakes the vacuum of its table; where none comes for long, because the job
//! is paused, by hand or slow, what the source deleted is still to be gone when the retention is over.

use model::time::{DAY, HOUR};
use model::{Cloud, Location, ReplicaTableId};

use super::schedule::usual;
use crate::error::Error;
use crate::jobs::{self, Wake, WorkKind};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// How many one look wakes; the rest is found by the next.
const MOST: i64 = 1_000;

struct Overdue {
    id: ReplicaTableId,
    cloud: Cloud,
    region: String,
}
from_row!(Overdue { id, cloud, region });

impl Exchange {
    /// Wakes the vacuum of every replica table that is kept and was not vacuumed for a day, or for its retention where that is
    /// shorter, or for a quarter of its deadline for forgetting. What waits already, also for a person, is left to its turn.
    pub async fn vacuums_tick(&self, principal: &Principal) -> Result<(), Error> {
        can(principal, Operation::WorkRun, &Scope::NONE)?;
        let now = self.now();
        let overdue: Vec<Overdue> = sql!(
            "select replica_table.id, cloud, region from replica_table join replica on replica.id = replica_table.replica_id
                 join storage on storage.id = replica.storage_id left join sync_job on sync_job.replica_id = replica.id
             where replica.state in ('pending', 'ready', 'diverged', 'draining')
                 and replica_table.state in ('pending', 'ready', 'diverged', 'draining') and replica_version is not null
                 and (coalesce(vacuumed_at, synced_at, replica_table.created_at)
                         <= $1 - (case when coalesce(retention_hours, $2) * $3 < $4 then coalesce(retention_hours, $2) * $3 else $4 end)
                     or coalesce(vacuumed_at, synced_at, replica_table.created_at) <= $1 - forget_hours * $3 / 4)
             order by coalesce(vacuumed_at, synced_at, replica_table.created_at), replica_table.id limit $5"
        )
        .bind(now)
        .bind(usual::RETENTION_HOURS)
        .bind(HOUR)
        .bind(DAY)
        .bind(MOST)
        .all(self.db())
        .await?;
        for table in overdue {
            let location = Location::new(table.cloud, &table.region).map_err(Error::internal)?;
            let wake = Wake::new(WorkKind::Vacuum, table.id).at(Some(location));
            jobs::ensure(self.db(), &wake, now).await?;
        }
        Ok(())
    }
}

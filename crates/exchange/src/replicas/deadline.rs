//! Deadlines for forgetting. Where a job says within how many hours of the source's commit what it deleted has to be gone from the
//! replica, the retention is at most half of them, and a sync and a vacuum come at least each quarter, whatever the schedule says:
//! what is left is for the work itself. A replica of which for half of the time it was not known to lack nothing is late.

use std::ops::RangeInclusive;

use model::time::HOUR;
use model::{Cloud, Location, ReplicaId, ReplicaTableId};

use super::hold::hold;
use crate::error::Error;
use crate::jobs::{self, Wake, WorkKind};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// What a deadline may be: a quarter of it is the time for a sync.
pub(crate) const FORGET_HOURS: RangeInclusive<i64> = 8..=24 * 3650;

/// How many one look wakes; the rest is found by the next.
const MOST: i64 = 1_000;

struct Due {
    id: ReplicaTableId,
    cloud: Cloud,
    region: String,
}
from_row!(Due { id, cloud, region });

impl Exchange {
    /// Wakes a sync of every replica table that has a deadline and was not known for a quarter of it to lack nothing of its source, unless
    /// one was tried lately or the job is paused; and tells of replicas of which that was not known for half of it, also of paused ones.
    pub async fn deadlines_tick(&self, principal: &Principal) -> Result<(), Error> {
        can(principal, Operation::WorkRun, &Scope::NONE)?;
        let (now, database_now) = (self.now(), self.db().now().await?);
        let due: Vec<Due> = sql!(
            "select replica_table.id, cloud, region from replica_table join replica on replica.id = replica_table.replica_id
                 join storage on storage.id = replica.storage_id join sync_job on sync_job.replica_id = replica.id
             where forget_hours is not null and not paused and replica.state in ('pending', 'ready', 'diverged')
                 and replica_table.state in ('pending', 'ready', 'diverged')
                 and coalesce(level_at, replica_table.created_at) <= $1 - forget_hours * $2 / 4
                 and not exists (select 1 from sync_run where sync_run.replica_table_id = replica_table.id and kind = 'sync'
                     and started_at > $1 - forget_hours * $2 / 8)
             order by replica_table.id limit $3"
        )
        .bind(now)
        .bind(HOUR)
        .bind(MOST)
        .all(self.db())
        .await?;
        for table in due {
            let location = Location::new(table.cloud, &table.region).map_err(Error::internal)?;
            let wake = Wake::new(WorkKind::Sync, table.id).at(Some(location));
            jobs::look(self.db(), &wake, now, database_now).await?;
        }
        let late = sql!(
            "select distinct replica.id from replica join sync_job on sync_job.replica_id = replica.id
                 join replica_table on replica_table.replica_id = replica.id
             where forget_hours is not null and late_since is null and replica.state in ('pending', 'ready', 'diverged')
                 and replica_table.state in ('pending', 'ready', 'diverged')
                 and coalesce(level_at, replica_table.created_at) < $1 - forget_hours * $2 / 2
             order by replica.id limit $3"
        )
        .bind(now)
        .bind(HOUR)
        .bind(MOST)
        .rows(self.db())
        .await?;
        for row in late {
            let id: ReplicaId = row.get("id")?;
            let mut tx = self.db().begin().await?;
            hold(&mut tx, id).await?;
            let replica = self.replica_record(&mut tx, id).await?;
            let job = self.job_of(&mut tx, id).await?;
            let (Some(replica), Some(job)) = (replica, job) else {
                continue;
            };
            let Some(hours) = job.forget_hours else {
                continue;
            };
            let promise = hours * HOUR / 2;
            self.promise_aged(&mut tx, now, &replica, &job, promise)
                .await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

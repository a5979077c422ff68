//! A replica's beginning: made by an approval, or joined, or brought back.

use model::{Location, ProductId, ProductName, ReplicaId, ReplicaState, StorageId, SyncJobId};

use super::schedule::{Schedule, usual};
use crate::change::Change;
use crate::cuts::CutRef;
use crate::error::Error;
use crate::jobs::{Wake, WorkKind};
use crate::{Exchange, from_row, sql};

struct TargetRow {
    id: StorageId,
}
from_row!(TargetRow { id });

impl Exchange {
    /// The storage that takes replicas at a location: the first by name.
    pub(crate) async fn replica_storage_at(
        &self,
        location: &Location,
    ) -> Result<Option<StorageId>, Error> {
        let row: Option<TargetRow> = sql!(
            "select id from storage where cloud = $1 and region = $2 and replicas order by name limit 1"
        )
        .bind(location.cloud)
        .bind(location.region())
        .first(self.db())
        .await?;
        Ok(row.map(|row| row.id))
    }

    /// Makes the replica of a product, or of an edition of one of its cuts, in a storage, or joins the one that is there; brings back
    /// one that drains. Part of the approval's change.
    pub(crate) async fn replica_ensure(
        &self,
        change: &mut Change,
        (product, product_name): (ProductId, &ProductName),
        storage: StorageId,
        cut: Option<&CutRef>,
    ) -> Result<ReplicaId, Error> {
        let at = change.at();
        // Taken before it is looked at: one that is being deleted at this moment is not brought back, a new one is made.
        let found = sql!(
            "update replica set revision = revision where product_id = $1 and storage_id = $2 and state <> 'deleted'
                 and ((cut_id = $3 and edition = $4) or (cut_id is null and $3 is null))
             returning id, state"
        )
        .bind(product)
        .bind(storage)
        .bind(cut.map(|cut| cut.id))
        .bind(cut.map(|cut| cut.edition))
        .row(change.tx())
        .await?;
        let id = match found {
            Some(row) => {
                let id: ReplicaId = row.get("id")?;
                let state: ReplicaState = row.get("state")?;
                if state == ReplicaState::Draining {
                    // What was synced is still there and still vacuumed: the next sync only catches up. What is being
                    // erased is cloned from the beginning once that is done.
                    sql!("update replica set state = 'pending', drain_until = null, late_since = null, reason = null, revision = revision + 1,
                              updated_at = $1 where id = $2")
                    .bind(at)
                    .bind(id)
                    .execute(change.tx())
                    .await?;
                    // What was due while nobody read it was promised to nobody.
                    sql!("update sync_job set last_due_at = null, scheduled_at = $2 where replica_id = $1")
                        .bind(id)
                        .bind(at)
                        .execute(change.tx())
                        .await?;
                }
                id
            }
            None => {
                let id = ReplicaId::new(at);
                sql!("insert into replica (id, product_id, storage_id, state, revision, created_at, updated_at, cut_id, edition)
                      values ($1, $2, $3, 'pending', 1, $4, $4, $5, $6)")
                .bind(id)
                .bind(product)
                .bind(storage)
                .bind(at)
                .bind(cut.map(|cut| cut.id))
                .bind(cut.map(|cut| cut.edition))
                .execute(change.tx())
                .await?;
                id
            }
        };
        self.replica_tables_ensure(change, id, (product, product_name), cut)
            .await?;
        let location = self.storage_location(change, storage).await?;
        if let Some(cut) = cut {
            self.job_inherited(change, id, storage, cut).await?;
        }
        let next_due = Schedule::usual().map_err(Error::internal)?.next_due(at);
        sql!("insert into sync_job (id, replica_id, every_seconds, at_time, timezone, retention_hours, keep_hours, paused,
                  next_due_at, revision, created_at, updated_at)
              values ($1, $2, $3, $4, $5, $6, $7, false, $8, 1, $9, $9) on conflict (replica_id) do nothing")
        .bind(SyncJobId::new(at))
        .bind(id)
        .bind(usual::EVERY_SECONDS)
        .bind(usual::AT)
        .bind(usual::ZONE)
        .bind(usual::RETENTION_HOURS)
        .bind(usual::KEEP_HOURS)
        .bind(next_due)
        .bind(at)
        .execute(change.tx())
        .await?;
        let tables = self.replica_tables(change.tx(), id).await?;
        for table in tables.iter().filter(|table| table.follows()) {
            change.wake(Wake::new(WorkKind::Sync, table.id).at(Some(location.clone())));
        }
        Ok(id)
    }

    /// The job of an edition's replica is that of the edition before, with its name. Nothing where there is none, or it has one.
    async fn job_inherited(
        &self,
        change: &mut Change,
        replica: ReplicaId,
        storage: StorageId,
        cut: &CutRef,
    ) -> Result<(), Error> {
        let at = change.at();
        if self.job_of(change.tx(), replica).await?.is_some() {
            return Ok(());
        }
        let before = sql!(
            "select replica.id from replica join sync_job on sync_job.replica_id = replica.id
             where cut_id = $1 and storage_id = $2 and edition < $3 order by edition desc limit 1"
        )
        .bind(cut.id)
        .bind(storage)
        .bind(cut.edition)
        .row(change.tx())
        .await?;
        let Some(before) = before else { return Ok(()) };
        let before: ReplicaId = before.get("id")?;
        let Some(job) = self.job_of(change.tx(), before).await? else {
            return Ok(());
        };
        sql!("update sync_job set name = null, revision = revision + 1, updated_at = $1 where id = $2 and name is not null")
            .bind(at)
            .bind(job.id)
            .execute(change.tx())
            .await?;
        let next_due = job
            .schedule()
            .ok()
            .and_then(|schedule| schedule.next_due(at));
        sql!("insert into sync_job (id, name, replica_id, every_seconds, at_time, cron, new_version_seconds, fresh_seconds, timezone,
                  verify_objects, verify_objects_due_at, verify_rows, verify_rows_due_at, retention_hours, keep_hours, forget_hours,
                  paused, fetches, commits, next_due_at, scheduled_at, revision, created_at, updated_at)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, 1, $21, $21)")
        .bind(SyncJobId::new(at))
        .bind(job.name)
        .bind(replica)
        .bind(job.every_seconds)
        .bind(job.at_time.as_deref())
        .bind(job.cron.as_deref())
        .bind(job.new_version_seconds)
        .bind(job.fresh_seconds)
        .bind(&job.timezone)
        .bind(job.verify_objects.as_deref())
        .bind(job.verify_objects_due_at)
        .bind(job.verify_rows.as_deref())
        .bind(job.verify_rows_due_at)
        .bind(job.retention_hours)
        .bind(job.keep_hours)
        .bind(job.forget_hours)
        .bind(job.paused)
        .bind(job.fetches)
        .bind(job.commits)
        .bind(next_due.filter(|_| !job.paused))
        .bind(at)
        .execute(change.tx())
        .await?;
        Ok(())
    }

    async fn storage_location(
        &self,
        change: &mut Change,
        storage: StorageId,
    ) -> Result<Location, Error> {
        let row = sql!("select cloud, region from storage where id = $1")
            .bind(storage)
            .row(change.tx())
            .await?;
        let row = row.ok_or(Error::NotFound("storage"))?;
        let region: String = row.get("region")?;
        Location::new(row.get("cloud")?, &region).map_err(Error::internal)
    }
}

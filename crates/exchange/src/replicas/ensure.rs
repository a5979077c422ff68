//! A replica's beginning: made by an approval, or joined, or brought back.

use model::{Location, ProductId, ProductName, ReplicaId, ReplicaState, StorageId, SyncJobId};

use super::schedule::{Schedule, usual};
use crate::change::Change;
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

    /// Makes the replica of a product in a storage, or joins the one that is there; brings back one that drains. Part of
    /// the approval's change.
    pub(crate) async fn replica_ensure(
        &self,
        change: &mut Change,
        product: ProductId,
        product_name: &ProductName,
        storage: StorageId,
    ) -> Result<ReplicaId, Error> {
        let at = change.at();
        // Taken before it is looked at: one that is being deleted at this moment is not brought back, a new one is made.
        let found = sql!(
            "update replica set revision = revision where product_id = $1 and storage_id = $2 and state <> 'deleted'
             returning id, state"
        )
        .bind(product)
        .bind(storage)
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
                sql!("insert into replica (id, product_id, storage_id, state, revision, created_at, updated_at)
                      values ($1, $2, $3, 'pending', 1, $4, $4)")
                .bind(id)
                .bind(product)
                .bind(storage)
                .bind(at)
                .execute(change.tx())
                .await?;
                id
            }
        };
        self.replica_tables_ensure(change, id, product, product_name)
            .await?;
        let location = self.storage_location(change, storage).await?;
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

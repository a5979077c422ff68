//! A replica's life: made or joined by an approval, drained with the last grant, deleted when its time is over.

use model::time::HOUR;
use model::{
    Location, Mode, ProductId, ProductName, ReplicaId, ReplicaState, StorageId, SyncJobId,
    Timestamp,
};
use serde_json::json;

use super::records::{ReplicaRecord, ReplicaTableRecord};
use super::schedule::{Schedule, usual};
use crate::audit::Object;
use crate::change::Change;
use crate::error::Error;
use crate::jobs::{Wake, WorkKind};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// What the reconciler should do with a replica now.
#[derive(Clone, Debug)]
pub enum ReplicaStep {
    /// Nothing; look again when it changes.
    Settled,
    /// Nothing before this instant.
    Wait(Timestamp),
    /// Its time is over: delete these folders, each only if it carries its table's marker, then say so with
    /// [`Exchange::replica_deleted`].
    Delete {
        storage: StorageId,
        tables: Vec<ReplicaTableRecord>,
    },
}

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
        let found = sql!("select id, state from replica where product_id = $1 and storage_id = $2 and state <> 'deleted'")
            .bind(product)
            .bind(storage)
            .row(change.tx())
            .await?;
        let id = match found {
            Some(row) => {
                let id: ReplicaId = row.get("id")?;
                let state: ReplicaState = row.get("state")?;
                if state == ReplicaState::Draining {
                    // What was synced is still there and still vacuumed: the next sync only catches up.
                    sql!("update replica set state = 'pending', drain_until = null, reason = null, revision = revision + 1,
                              updated_at = $1 where id = $2")
                    .bind(at)
                    .bind(id)
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
              values ($1, $2, $3, $4, $5, 168, 336, false, $6, 1, $7, $7) on conflict (replica_id) do nothing")
        .bind(SyncJobId::new(at))
        .bind(id)
        .bind(usual::EVERY_SECONDS)
        .bind(usual::AT)
        .bind(usual::ZONE)
        .bind(next_due)
        .bind(at)
        .execute(change.tx())
        .await?;
        for table in self.replica_tables(change.tx(), id).await? {
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

    /// Drains the replicas of a product that no live replica grant needs any more. Part of the change that ends a grant.
    pub(crate) async fn replicas_drain_unused(
        &self,
        change: &mut Change,
        product: ProductId,
    ) -> Result<(), Error> {
        let at = change.at();
        let rows = sql!(
            "select replica.id, keep_hours from replica join storage on storage.id = replica.storage_id
             left join sync_job on sync_job.replica_id = replica.id
             where replica.product_id = $1 and replica.state in ('pending', 'ready', 'diverged') and not exists (
                 select 1 from access_grant join recipient on recipient.id = access_grant.recipient_id
                 where access_grant.product_id = $1 and access_grant.mode = $2 and access_grant.desired = 'active'
                     and recipient.cloud = storage.cloud and recipient.region = storage.region)"
        )
        .bind(product)
        .bind(Mode::Replica)
        .rows(change.tx())
        .await?;
        for row in rows {
            let id: ReplicaId = row.get("id")?;
            let keep: Option<i64> = row.get("keep_hours")?;
            let until = at.plus(keep.unwrap_or(336) * HOUR);
            sql!("update replica set state = 'draining', drain_until = $1, reason = 'its last grant has ended',
                      revision = revision + 1, updated_at = $2 where id = $3")
            .bind(until)
            .bind(at)
            .bind(id)
            .execute(change.tx())
            .await?;
            change.note(
                Operation::ReplicaReconcile,
                Object::new("replica", id),
                json!({ "draining_until": until }),
            );
            change.wake(Wake::new(WorkKind::Replica, id));
        }
        Ok(())
    }

    /// What the reconciler should do with a replica now.
    pub async fn replica_step(
        &self,
        principal: &Principal,
        id: ReplicaId,
    ) -> Result<ReplicaStep, Error> {
        can(principal, Operation::ReplicaReconcile, &Scope::NONE)?;
        let Some(replica) = self.replica_record(self.db(), id).await? else {
            return Ok(ReplicaStep::Settled);
        };
        let ReplicaRecord {
            state: ReplicaState::Draining,
            drain_until: Some(until),
            storage_id,
            ..
        } = replica
        else {
            return Ok(ReplicaStep::Settled);
        };
        if until > self.now() {
            return Ok(ReplicaStep::Wait(until));
        }
        let tables = self.replica_tables(self.db(), id).await?;
        Ok(ReplicaStep::Delete {
            storage: storage_id,
            tables,
        })
    }

    /// The folders are gone: the replica is, too.
    pub async fn replica_deleted(
        &self,
        principal: &Principal,
        id: ReplicaId,
        objects: u64,
        bytes: u64,
    ) -> Result<(), Error> {
        can(principal, Operation::ReplicaReconcile, &Scope::NONE)?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        let changed = sql!(
            "update replica set state = 'deleted', reason = null, revision = revision + 1, updated_at = $1
             where id = $2 and state = 'draining' and drain_until <= $1"
        )
        .bind(at)
        .bind(id)
        .execute(change.tx())
        .await?;
        if changed == 0 {
            // Brought back by a new grant between looking and deleting: the next sync finds what is missing.
            return Ok(());
        }
        sql!("update replica_table set state = 'deleted', updated_at = $1 where replica_id = $2")
            .bind(at)
            .bind(id)
            .execute(change.tx())
            .await?;
        sql!("delete from sync_job where replica_id = $1")
            .bind(id)
            .execute(change.tx())
            .await?;
        change.note(
            Operation::ReplicaReconcile,
            Object::new("replica", id),
            json!({ "deleted_objects": objects, "deleted_bytes": bytes }),
        );
        change.commit().await
    }
}

//! A replica's end: drained with the last grant, erased when its time is over, deleted; or brought back on the way.
//!
//! Erasing takes its time, and a new grant may come meanwhile. So a table whose folder is being emptied is `erasing`: no sync
//! works on it, and what was known of it is forgotten with the folder, whoever wants it by then.

use model::time::{HOUR, SECOND};
use model::{
    Mode, ProductId, ReplicaId, ReplicaState, ReplicaTableId, RunState, StorageId, SyncRunId,
    Timestamp,
};
use serde_json::json;

use super::hold::hold;
use super::records::ReplicaTableRecord;
use super::schedule::usual;
use super::steps::note_step;
use super::tables::{settle, unsettle};
use super::task::SyncTask;
use crate::audit::Object;
use crate::change::Change;
use crate::cuts::same_cut;
use crate::error::Error;
use crate::jobs::{Wake, WorkKind};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

/// So long a run that was ended from outside has to notice it, before its folder is emptied. It looks every few seconds.
const TO_NOTICE: i64 = 30 * SECOND;

/// How many one look wakes; the rest is found by the next.
const MOST: i64 = 1_000;

/// What the reconciler should do with a replica now.
#[derive(Clone, Debug)]
pub enum ReplicaStep {
    /// Nothing; look again when it changes.
    Settled,
    /// Nothing before this instant.
    Wait(Timestamp),
    /// Their time is over: delete these folders, each only if it carries its table's marker, then say so with
    /// [`Exchange::replica_deleted`].
    Delete {
        product: ProductId,
        storage: StorageId,
        tables: Vec<ReplicaTableRecord>,
    },
}

impl Exchange {
    /// Drains the replicas of a product that no live replica grant needs any more. Part of the change that ends a grant.
    pub(crate) async fn replicas_drain_unused(
        &self,
        change: &mut Change,
        product: ProductId,
    ) -> Result<(), Error> {
        let at = change.at();
        // Taken before grants are looked at: an approval that runs at the same time holds the replica's row, so that its
        // grant is there to be seen once we come by.
        sql!("update replica set revision = revision where product_id = $1 and state in ('pending', 'ready', 'diverged')")
            .bind(product)
            .execute(change.tx())
            .await?;
        let rows = sql!(
            "select replica.id, keep_hours from replica join storage on storage.id = replica.storage_id
             left join sync_job on sync_job.replica_id = replica.id
             where replica.product_id = $1 and replica.state in ('pending', 'ready', 'diverged') and not exists (
                 select 1 from access_grant join recipient on recipient.id = access_grant.recipient_id
                 where access_grant.product_id = $1 and ",
            same_cut!("access_grant", "replica"),
            " and access_grant.mode = $2 and access_grant.desired = 'active'
                     and recipient.cloud = storage.cloud and recipient.region = storage.region)"
        )
        .bind(product)
        .bind(Mode::Replica)
        .rows(change.tx())
        .await?;
        for row in rows {
            let id: ReplicaId = row.get("id")?;
            let keep: Option<i64> = row.get("keep_hours")?;
            let until = at.plus(keep.unwrap_or(usual::KEEP_HOURS) * HOUR);
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

    /// Wakes the end of replicas and tables whose time has come since it was looked last, also where it waits for a person
    /// because another folder could not be emptied.
    pub async fn replicas_end_tick(&self, principal: &Principal) -> Result<(), Error> {
        can(principal, Operation::WorkRun, &Scope::NONE)?;
        let now = self.now();
        let over = sql!(
            "select distinct replica.id from replica join replica_table on replica_table.replica_id = replica.id
             where (replica_table.state = 'draining' and replica_table.drain_until <= $1)
                 or (replica.state = 'draining' and replica.drain_until <= $1 and replica_table.state not in ('erasing', 'deleted'))
             order by replica.id limit $2"
        )
        .bind(now)
        .bind(MOST)
        .rows(self.db())
        .await?;
        for row in over {
            let wake = Wake::new(WorkKind::Replica, row.get::<ReplicaId>("id")?);
            self.wake(principal, &wake).await?;
        }
        Ok(())
    }

    /// What the reconciler should do with a replica now. What it is to delete is closed to syncs from here on.
    pub async fn replica_step(
        &self,
        principal: &Principal,
        id: ReplicaId,
    ) -> Result<ReplicaStep, Error> {
        can(principal, Operation::ReplicaReconcile, &Scope::NONE)?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        hold(change.tx(), id).await?;
        let Some(replica) = self.replica_record(change.tx(), id).await? else {
            return Ok(ReplicaStep::Settled);
        };
        let until = replica
            .drain_until
            .filter(|_| replica.state == ReplicaState::Draining);
        let is_over = until.is_some_and(|until| until <= at);
        let mut tables = self.replica_tables(change.tx(), id).await?;
        // Tables that were taken out of the product end by themselves.
        let next = tables
            .iter()
            .filter_map(|table| table.drain_until)
            .chain(until)
            .min();
        tables.retain(|table| match table.state {
            ReplicaState::Erasing => true,
            ReplicaState::Deleted => false,
            _ => is_over || table.drain_until.is_some_and(|until| until <= at),
        });
        if tables.is_empty() && !is_over {
            return Ok(next.map_or(ReplicaStep::Settled, ReplicaStep::Wait));
        }
        let (mut closed, mut stopped) = (Vec::new(), 0);
        for table in &tables {
            if table.state == ReplicaState::Erasing {
                continue;
            }
            sql!("update replica_table set state = 'erasing', updated_at = $1 where id = $2")
                .bind(at)
                .bind(table.id)
                .execute(change.tx())
                .await?;
            // At most one is open.
            let open = sql!(
                "select id from sync_run where replica_table_id = $1
                     and state in ('planned', 'copying', 'committing', 'verifying')"
            )
            .bind(table.id)
            .row(change.tx())
            .await?;
            stopped += sql!(
                "update sync_run set state = $1, error = 'the replica has come to its end', finished_at = $2, updated_at = $2
                 where replica_table_id = $3 and state in ('planned', 'copying', 'committing', 'verifying')"
            )
            .bind(RunState::Failed)
            .bind(at)
            .bind(table.id)
            .execute(change.tx())
            .await?;
            if let Some(open) = open {
                let run: SyncRunId = open.get("id")?;
                note_step(change.tx(), run, RunState::Failed, at).await?;
            }
            closed.push(table.id);
        }
        if !closed.is_empty() {
            change.note(
                Operation::ReplicaReconcile,
                Object::new("replica", id),
                json!({ "erasing": closed }),
            );
            change.commit().await?;
        }
        if stopped > 0 {
            return Ok(ReplicaStep::Wait(at.plus(TO_NOTICE)));
        }
        Ok(ReplicaStep::Delete {
            product: replica.product_id,
            storage: replica.storage_id,
            tables,
        })
    }

    /// These folders are gone, and if the replica's time is over and they were the last, it is, too. Tables that are wanted again meanwhile, by a new
    /// grant or because the product has them again, are cloned from the beginning.
    pub async fn replica_deleted(
        &self,
        principal: &Principal,
        id: ReplicaId,
        tables: &[ReplicaTableRecord],
        objects: u64,
        bytes: u64,
    ) -> Result<(), Error> {
        can(principal, Operation::ReplicaReconcile, &Scope::NONE)?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        hold(change.tx(), id).await?;
        let Some(replica) = self.replica_record(change.tx(), id).await? else {
            return Ok(());
        };
        let has_ended = replica.state == ReplicaState::Draining
            && replica.drain_until.is_some_and(|until| until <= at);
        let (mut erased, mut wanted) = (Vec::new(), Vec::new());
        // Tables whose folders are still full: being emptied, or not even begun with.
        let (mut erasing, mut untouched) = (0, 0);
        for table in self.replica_tables(change.tx(), id).await? {
            let is_empty = tables.iter().any(|erased| erased.id == table.id);
            if is_empty && table.state == ReplicaState::Erasing {
                let state = if has_ended || table.is_removed {
                    ReplicaState::Deleted
                } else {
                    ReplicaState::Pending
                };
                forget(&mut change, table.id, ReplicaState::Erasing, state).await?;
                erased.push(table.id);
                wanted.extend((state == ReplicaState::Pending).then_some(table.id));
                continue;
            }
            match table.state {
                ReplicaState::Deleted => {}
                ReplicaState::Erasing => erasing += 1,
                _ => untouched += 1,
            }
        }
        // Its time may have come while only some of its tables were emptied.
        let is_over = has_ended && erasing + untouched == 0;
        if erased.is_empty() && !is_over {
            return Ok(());
        }
        if is_over {
            sql!("update replica set state = 'deleted', reason = null, revision = revision + 1, updated_at = $1 where id = $2")
                .bind(at)
                .bind(id)
                .execute(change.tx())
                .await?;
            sql!("delete from sync_job where replica_id = $1")
                .bind(id)
                .execute(change.tx())
                .await?;
        } else if replica.state != ReplicaState::Draining {
            let location = replica.location()?;
            for table in &wanted {
                change.wake(Wake::new(WorkKind::Sync, table).at(Some(location.clone())));
            }
            if wanted.is_empty() {
                settle(&mut change, id).await?;
            } else {
                unsettle(&mut change, id).await?;
            }
        } else if has_ended && untouched > 0 {
            change.wake(Wake::new(WorkKind::Replica, id));
        }
        change.note(
            Operation::ReplicaReconcile,
            Object::new("replica", id),
            json!({ "erased": erased, "cloned_anew": wanted, "deleted_objects": objects, "deleted_bytes": bytes }),
        );
        change.commit().await
    }

    /// A folder that is to go could not be emptied: why stands on the replica table until it is.
    pub async fn replica_table_erase_failed(
        &self,
        principal: &Principal,
        id: ReplicaTableId,
        reason: &str,
    ) -> Result<(), Error> {
        can(principal, Operation::ReplicaReconcile, &Scope::NONE)?;
        sql!("update replica_table set reason = $1, updated_at = $2 where id = $3 and state = 'erasing'")
            .bind(reason)
            .bind(self.now())
            .bind(id)
            .execute(self.db())
            .await?;
        Ok(())
    }

    /// The folder of a diverged replica table was seen to hold nothing any more: whoever emptied it wants it cloned anew.
    /// Answers the table as it is now to be synced, None if it is no longer diverged.
    pub async fn replica_table_reset(
        &self,
        principal: &Principal,
        task: &SyncTask,
    ) -> Result<Option<SyncTask>, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let mut change = self.change(principal).await?;
        let (id, pending) = (task.replica_table_id, ReplicaState::Pending);
        if !forget(&mut change, id, ReplicaState::Diverged, pending).await? {
            return Ok(None);
        }
        change.note(
            Operation::SyncRunWrite,
            Object::new("replica_table", id),
            json!({ "emptied": true, "replica_version": task.replica_version }),
        );
        change.commit().await?;
        self.sync_task(principal, id).await
    }
}

/// What was known of a replica table is no longer so: its folder holds nothing. False: it is not in the state `from`.
async fn forget(
    change: &mut Change,
    id: ReplicaTableId,
    from: ReplicaState,
    to: ReplicaState,
) -> Result<bool, Error> {
    let changed = sql!(
        "update replica_table set state = $1, source_version = null, source_committed_at = null, replica_version = null,
             byte_count = null, synced_at = null, verified_at = null, vacuumed_at = null, drain_until = null, reason = null, failed_syncs = 0,
             quarantined_at = null, suspects = null,
             updated_at = $2
         where id = $3 and state = $4"
    )
    .bind(to)
    .bind(change.at())
    .bind(id)
    .bind(from)
    .execute(change.tx())
    .await?;
    Ok(changed == 1)
}

//! What is told of a replica: that its syncs fail and are mended, and that it is later than its schedule promises and in time
//! again. Each state is kept where the change that makes it writes it, so that it is told once.
//!
//! **The promise.** What a source held when a sync was due is in the replica before the next one is due. A schedule that goes by what
//! the source does promises instead that nothing committed is missing for longer than it says. A job that is paused, or by hand only,
//! promises nothing.

use model::{NoticeEvent, ReplicaId, Timestamp};

use super::SyncTask;
use super::jobs::JobRecord;
use super::records::ReplicaRecord;
use crate::Exchange;
use crate::change::Change;
use crate::db::Tx;
use crate::error::Error;
use crate::notices::{Audience, Facts, NoticeNew};
use crate::sql;

/// So many syncs of a table fail in a row before it is told: a store that is away for a minute is nobody's work.
const TOLD_AFTER: i64 = 3;

impl Exchange {
    /// A sync of a table has failed. The first table of a replica that goes on failing is told; `for_good`: nobody tries again
    /// by himself.
    pub(super) async fn sync_fails(
        &self,
        tx: &mut Tx,
        at: Timestamp,
        task: &SyncTask,
        for_good: bool,
    ) -> Result<(), Error> {
        let enough = if for_good { 0 } else { TOLD_AFTER - 1 };
        let is_enough = sql!(
            "update replica_table set failed_syncs = $1 where id = $2 and failed_syncs >= $3 and failed_syncs < $1
                 and state in ('pending', 'ready', 'diverged')"
        )
        .bind(TOLD_AFTER)
        .bind(task.replica_table_id)
        .bind(enough)
        .execute(&mut *tx)
        .await?;
        if is_enough == 0 {
            sql!("update replica_table set failed_syncs = failed_syncs + 1 where id = $1 and failed_syncs < $2")
                .bind(task.replica_table_id)
                .bind(TOLD_AFTER)
                .execute(tx)
                .await?;
        } else if !others_fail(tx, task).await? {
            self.tell_of_syncs(tx, at, NoticeEvent::SyncFailing, task)
                .await?;
        }
        Ok(())
    }

    /// A sync of a table is done. The last table of a replica whose failing was told is told.
    pub(super) async fn sync_works(
        &self,
        tx: &mut Tx,
        at: Timestamp,
        task: &SyncTask,
    ) -> Result<(), Error> {
        let is_mended =
            sql!("update replica_table set failed_syncs = 0 where id = $1 and failed_syncs = $2")
                .bind(task.replica_table_id)
                .bind(TOLD_AFTER)
                .execute(&mut *tx)
                .await?;
        if is_mended == 0 {
            sql!("update replica_table set failed_syncs = 0 where id = $1 and failed_syncs > 0")
                .bind(task.replica_table_id)
                .execute(tx)
                .await?;
        } else if !others_fail(tx, task).await? {
            self.tell_of_syncs(tx, at, NoticeEvent::SyncMended, task)
                .await?;
        }
        Ok(())
    }

    async fn tell_of_syncs(
        &self,
        tx: &mut Tx,
        at: Timestamp,
        event: NoticeEvent,
        task: &SyncTask,
    ) -> Result<(), Error> {
        let notice = NoticeNew {
            key: format!("{event}/{}/{}", task.replica_id, at.micros()),
            event,
            facts: Facts {
                product: Some(task.product.clone()),
                cut: task.cut.clone(),
                location: Some(task.to_location()?),
                replica: Some(task.replica_id),
                ..Facts::default()
            },
            audience: Audience::Producers(task.product_id),
        };
        self.tell(tx, at, notice).await
    }

    /// The promise of a replica whose job is due: whether what was due before has been done. Part of the change that moves the due
    /// date; `job` is as it was.
    pub(super) async fn promise_due(
        &self,
        change: &mut Change,
        replica: &ReplicaRecord,
        job: &JobRecord,
    ) -> Result<(), Error> {
        let at = change.at();
        let (Some(due), Ok(schedule)) = (job.next_due_at, job.schedule()) else {
            return Ok(());
        };
        // Nobody may have looked for long: then the one that is due now is the one that was missed.
        let is_long_due = schedule.next_after(due, due).is_some_and(|next| next <= at);
        let promised = if is_long_due {
            Some(due)
        } else {
            job.last_due_at
        };
        let Some(promised) = promised else {
            return Ok(());
        };
        let is_late = sql!(
            "update replica set late_since = $1 where id = $2 and late_since is null and state in ('pending', 'ready', 'diverged')
                 and exists (select 1 from replica_table where replica_table.replica_id = $2
                     and replica_table.state in ('pending', 'ready', 'diverged') and replica_table.created_at < $1
                     and not exists (select 1 from sync_run where replica_table_id = replica_table.id and kind = 'sync'
                         and sync_run.state = 'done' and started_at >= $1))"
        )
        .bind(promised)
        .bind(replica.id)
        .execute(change.tx())
        .await?;
        if is_late == 0 {
            return Ok(());
        }
        self.tell_of_late(change.tx(), at, replica, promised).await
    }

    /// The same of a job that promises that nothing committed is missing for longer than `promise`: whether there is a table of which
    /// that is not known.
    pub(super) async fn promise_aged(
        &self,
        tx: &mut Tx,
        at: Timestamp,
        replica: &ReplicaRecord,
        job: &JobRecord,
        promise: i64,
    ) -> Result<(), Error> {
        let row = sql!(
            "select cast(min(coalesce(level_at, created_at)) as bigint) as level from replica_table
             where replica_id = $1 and state in ('pending', 'ready', 'diverged')"
        )
        .bind(replica.id)
        .row(&mut *tx)
        .await?;
        let level: Option<Timestamp> = row.map(|row| row.get("level")).transpose()?.flatten();
        // What was before the schedule it did not promise.
        let Some(since) = level.map(|level| level.max(job.scheduled_at.unwrap_or(level))) else {
            return Ok(());
        };
        let promised = since.plus(promise);
        if promised >= at {
            return Ok(());
        }
        let is_late = sql!(
            "update replica set late_since = $1 where id = $2 and late_since is null and state in ('pending', 'ready', 'diverged')"
        )
        .bind(promised)
        .bind(replica.id)
        .execute(&mut *tx)
        .await?;
        if is_late == 0 {
            return Ok(());
        }
        self.tell_of_late(tx, at, replica, promised).await
    }

    async fn tell_of_late(
        &self,
        tx: &mut Tx,
        at: Timestamp,
        replica: &ReplicaRecord,
        promised: Timestamp,
    ) -> Result<(), Error> {
        let event = NoticeEvent::FreshnessBroken;
        let notice = NoticeNew {
            key: format!("{event}/{}/{}", replica.id, at.micros()),
            event,
            facts: Facts {
                product: Some(replica.product.clone()),
                cut: replica.cut.clone(),
                location: Some(replica.location()?),
                replica: Some(replica.id),
                since: Some(promised),
                ..Facts::default()
            },
            audience: Audience::Readers(replica.product_id, replica.location()?, replica.cut_id),
        };
        self.tell(tx, at, notice).await
    }

    /// A sync of a table is done, or it was seen to lack nothing: with it a replica that was late may be in time again, for all its
    /// tables.
    pub(super) async fn promise_kept(
        &self,
        tx: &mut Tx,
        at: Timestamp,
        task: &SyncTask,
    ) -> Result<(), Error> {
        let job = self.job_of(&mut *tx, task.replica_id).await?;
        let schedule = job.and_then(|job| job.schedule().ok());
        let is_in_time = match schedule.and_then(|schedule| schedule.promise()) {
            Some(promise) => is_fresh_again(tx, task.replica_id, at.plus(-promise)).await?,
            None => catches_up(tx, task.replica_id).await?,
        };
        if !is_in_time {
            return Ok(());
        }
        let event = NoticeEvent::FreshnessMended;
        let location = task.to_location()?;
        let notice = NoticeNew {
            key: format!("{event}/{}/{}", task.replica_id, at.micros()),
            event,
            facts: Facts {
                product: Some(task.product.clone()),
                cut: task.cut.clone(),
                location: Some(location.clone()),
                replica: Some(task.replica_id),
                ..Facts::default()
            },
            audience: Audience::Readers(task.product_id, location, task.cut_id),
        };
        self.tell(tx, at, notice).await
    }
}

/// Whether another table of the same replica was told to fail. Whoever asks holds the replica.
async fn others_fail(tx: &mut Tx, task: &SyncTask) -> Result<bool, Error> {
    let other = sql!(
        "select id from replica_table where replica_id = $1 and id <> $2 and failed_syncs >= $3
             and state in ('pending', 'ready', 'diverged') limit 1"
    )
    .bind(task.replica_id)
    .bind(task.replica_table_id)
    .bind(TOLD_AFTER)
    .row(tx)
    .await?;
    Ok(other.is_some())
}

/// Notes that a late replica is so no longer, once of each of its tables it is known that it lacked nothing then, or later.
async fn is_fresh_again(tx: &mut Tx, id: ReplicaId, since: Timestamp) -> Result<bool, Error> {
    let changed = sql!(
        "update replica set late_since = null where id = $1 and late_since is not null
             and not exists (select 1 from replica_table where replica_table.replica_id = $1
                 and replica_table.state in ('pending', 'ready', 'diverged') and coalesce(level_at, replica_table.created_at) < $2)"
    )
    .bind(id)
    .bind(since)
    .execute(tx)
    .await?;
    Ok(changed == 1)
}

/// Notes that a late replica is so no longer, once all its tables have a sync that began after the newest one was due.
async fn catches_up(tx: &mut Tx, id: ReplicaId) -> Result<bool, Error> {
    let changed = sql!(
        "update replica set late_since = null where id = $1 and late_since is not null
             and not exists (select 1 from replica_table where replica_table.replica_id = $1
                 and replica_table.state in ('pending', 'ready', 'diverged')
                 and not exists (select 1 from sync_run where replica_table_id = replica_table.id and kind = 'sync'
                     and sync_run.state = 'done' and started_at >= coalesce(
                         (select last_due_at from sync_job where sync_job.replica_id = $1), replica.late_since)))"
    )
    .bind(id)
    .execute(tx)
    .await?;
    Ok(changed == 1)
}

//! Sync runs as they stand in the database: saved with the lease's `attempt` as fencing token, finished in one change with
//! what the replica now is and what was metered. How they begin is told in `begin`.

use model::dto::RunHow;
use model::{ReplicaTableId, RunKind, RunState, Timestamp};
use serde_json::json;

use super::adopt::too_late;
use super::goes_on::{SyncGoesOn, is_vacuumed};
use super::hold::{hold, hold_table};
use super::steps::note_step;
use super::tables::{Readers, settle, wake_readers};
use super::{RunStart, SyncTask};
use crate::audit::Object;
use crate::catalog::note_commit;
use crate::change::Change;
use crate::error::Error;
use crate::jobs::{Wake, WorkKind};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

/// What the state machine saves.
#[derive(Clone, Debug, Default)]
pub struct RunProgress {
    pub state: Option<RunState>,
    /// The state machine's own JSON.
    pub journal: String,
    pub from_version: Option<u64>,
    pub to_version: Option<u64>,
    pub replica_version: Option<u64>,
    pub files_planned: u64,
    pub bytes_planned: u64,
    pub files_copied: u64,
    pub bytes_copied: u64,
    pub bytes_full: u64,
    /// None: it stays as it is.
    pub how: Option<RunHow>,
    /// Of files that the replica had and the source has no more. None: nobody planned.
    pub bytes_replaced: Option<u64>,
    /// What the ways that its plan thought of would have moved.
    pub ways: Option<RunWays>,
    pub error: Option<String>,
}

/// Bytes of files that each way would have moved in place of what a run did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunWays {
    pub files: u64,
    /// By the change feed. None: it was not thought of, or nothing could be done by it.
    pub feed: Option<u64>,
    /// With compactions left alone; likewise.
    pub skip: Option<u64>,
}

/// What a finished sync has made of the replica table.
#[derive(Clone, Debug)]
pub struct SyncOutcome {
    pub source_version: u64,
    /// What was committed; None when nothing was new.
    pub committed: Option<SyncCommitted>,
    /// The source has later versions, each for a run of its own: the next one follows in its turn.
    pub goes_on: Option<SyncGoesOn>,
}

/// What a sync has committed.
#[derive(Clone, Debug)]
pub struct SyncCommitted {
    pub source_committed_at: Timestamp,
    pub replica_version: u64,
    /// Bytes of the table as the replica now stands.
    pub bytes: u64,
}

impl Exchange {
    /// Saves where a run stands. False: a later attempt has taken over; stop at once.
    pub async fn run_save(
        &self,
        principal: &Principal,
        run: &RunStart,
        progress: &RunProgress,
    ) -> Result<bool, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let now = self.now();
        let how = progress.how.as_ref().map(serde_json::to_string);
        let how: Option<String> = how.transpose().map_err(Error::internal)?;
        let mut tx = self.db().begin().await?;
        let changed = sql!(
            "update sync_run set state = coalesce($1, state), journal = $2, from_version = $3, to_version = $4,
                 replica_version = $5, files_planned = $6, bytes_planned = $7, files_copied = $8, bytes_copied = $9,
                 bytes_full = $10, error = $11, updated_at = $12, how = coalesce($15, how),
                 bytes_replaced = $16, bytes_by_files = $17, bytes_by_feed = $18, bytes_by_skip = $19
             where id = $13 and attempt = $14 and state in ('planned', 'copying', 'committing', 'verifying')"
        )
        .bind(progress.state)
        .bind(&progress.journal)
        .bind(progress.from_version)
        .bind(progress.to_version)
        .bind(progress.replica_version)
        .bind(progress.files_planned)
        .bind(progress.bytes_planned)
        .bind(progress.files_copied)
        .bind(progress.bytes_copied)
        .bind(progress.bytes_full)
        .bind(progress.error.as_deref())
        .bind(now)
        .bind(run.id)
        .bind(run.attempt)
        .bind(how)
        .bind(progress.bytes_replaced)
        .bind(progress.ways.map(|ways| ways.files))
        .bind(progress.ways.and_then(|ways| ways.feed))
        .bind(progress.ways.and_then(|ways| ways.skip))
        .execute(&mut tx)
        .await?;
        if changed == 0 {
            return Ok(false);
        }
        if let Some(state) = progress.state {
            note_step(&mut tx, run.id, state, now).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// A sync is done: the run, the replica table, the replica and the grants that wait for it, in one change.
    pub async fn run_done(
        &self,
        principal: &Principal,
        task: &SyncTask,
        run: &RunStart,
        outcome: &SyncOutcome,
    ) -> Result<bool, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let committed = outcome.committed.as_ref();
        let database_now = self.db().now().await?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        // Two tables of a replica may be done at the same time: whoever comes second sees that it is the last.
        hold(change.tx(), task.replica_id).await?;
        hold_table(change.tx(), task.replica_table_id).await?;
        let changed = sql!(
            "update sync_run set state = 'done', to_version = $1, replica_version = coalesce($2, replica_version), finished_at = $3,
                 updated_at = $3, error = null where id = $4 and attempt = $5 and state in ('planned', 'copying', 'committing', 'verifying')"
        )
        .bind(outcome.source_version)
        .bind(committed.map(|committed| committed.replica_version))
        .bind(at)
        .bind(run.id)
        .bind(run.attempt)
        .execute(change.tx())
        .await?;
        if changed == 0 {
            return Ok(false);
        }
        note_step(change.tx(), run.id, RunState::Done, at).await?;
        // What is in quarantine comes back by a run that was to mend it, and wrote what it found.
        let is_mended = task.quarantined_at.is_some() && committed.is_some();
        sql!("update replica_table set state = case when quarantined_at is null or $7 then 'ready' else state end, source_version = $1,
                  source_committed_at = coalesce($2, source_committed_at), replica_version = coalesce($3, replica_version),
                  byte_count = coalesce($4, byte_count), synced_at = $5, verified_at = $5, updated_at = $5,
                  reason = case when quarantined_at is null or $7 then null else reason end,
                  suspects = case when $7 then null else suspects end,
                  quarantined_at = case when $7 then null else quarantined_at end,
                  level_at = case when level_at is null or level_at < $8 then $8 else level_at end
              where id = $6 and state in ('pending', 'ready', 'diverged')")
        .bind(outcome.source_version)
        .bind(committed.map(|committed| committed.source_committed_at))
        .bind(committed.map(|committed| committed.replica_version))
        .bind(committed.map(|committed| committed.bytes))
        .bind(at)
        .bind(task.replica_table_id)
        .bind(is_mended)
        // What it was to bring was read after it began. With versions left to bring it is not level.
        .bind(outcome.goes_on.is_none().then_some(run.started_at))
        .execute(change.tx())
        .await?;
        if let Some(committed) = committed {
            let (version, at) = (outcome.source_version, committed.source_committed_at);
            note_commit(change.tx(), task.table_id, version, at).await?;
        }
        too_late(&mut change, task).await?;
        settle(&mut change, task.replica_id).await?;
        self.sync_works(change.tx(), at, task).await?;
        self.promise_kept(change.tx(), at, task).await?;
        wake_readers(&mut change, task.product_id, Readers::Waiting).await?;
        let row = sql!("select version from product_table where id = $1")
            .bind(task.table_id)
            .row(change.tx())
            .await?;
        let known: Option<u64> = row.map(|row| row.get("version")).transpose()?.flatten();
        if known != Some(outcome.source_version) && outcome.goes_on.is_none() {
            // The catalog has not seen this version yet.
            change.wake(Wake::new(WorkKind::Refresh, task.product_id));
        }
        let location = task.to_location()?;
        let table = task.replica_table_id;
        if let Some(goes_on) = outcome.goes_on {
            change.wake(goes_on.wake(table, location.clone(), database_now));
        }
        if outcome.goes_on.is_none() || !is_vacuumed(change.tx(), table, at).await? {
            change.wake(Wake::new(WorkKind::Vacuum, table).at(Some(location)));
        }
        change.note(
            Operation::SyncRunWrite,
            Object::new("sync_run", run.id),
            json!({ "state": "done", "source_version": outcome.source_version, "changed": committed.is_some() }),
        );
        change.commit().await?;
        Ok(true)
    }

    /// A vacuum is done.
    pub async fn run_vacuumed(
        &self,
        principal: &Principal,
        task: &SyncTask,
        run: &RunStart,
        files: u64,
        bytes: u64,
    ) -> Result<bool, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        hold_table(change.tx(), task.replica_table_id).await?;
        if !end(&mut change, run, RunState::Done, None).await? {
            return Ok(false);
        }
        sql!("update sync_run set files_deleted = $1, bytes_deleted = $2 where id = $3")
            .bind(files)
            .bind(bytes)
            .bind(run.id)
            .execute(change.tx())
            .await?;
        sql!("update replica_table set vacuumed_at = $1, updated_at = $1 where id = $2")
            .bind(at)
            .bind(task.replica_table_id)
            .execute(change.tx())
            .await?;
        change.note(
            Operation::SyncRunWrite,
            Object::new("sync_run", run.id),
            json!({ "state": "done", "deleted_files": files, "deleted_bytes": bytes }),
        );
        change.commit().await?;
        Ok(true)
    }

    /// A vacuum found nothing to delete: as good as done, and its run never was. Nothing changed but the time, so that is no
    /// event. False: it is no longer this caller's.
    pub async fn replica_vacuumed(
        &self,
        principal: &Principal,
        task: &SyncTask,
        run: &RunStart,
    ) -> Result<bool, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let mut tx = self.db().begin().await?;
        hold_table(&mut tx, task.replica_table_id).await?;
        sql!("delete from run_step where run_id = $1")
            .bind(run.id)
            .execute(&mut tx)
            .await?;
        // Where there is no such run, nothing is committed.
        let dropped = sql!(
            "delete from sync_run where id = $1 and attempt = $2 and kind = 'vacuum' and state = 'planned'"
        )
        .bind(run.id)
        .bind(run.attempt)
        .execute(&mut tx)
        .await?;
        if dropped == 0 {
            return Ok(false);
        }
        sql!("update replica_table set vacuumed_at = $1 where id = $2")
            .bind(self.now())
            .bind(task.replica_table_id)
            .execute(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// An attempt at a run has failed, and it is tried again: why stands on the run until the next attempt gets on, and on the
    /// replica table until a sync succeeds.
    pub async fn run_failing(
        &self,
        principal: &Principal,
        task: &SyncTask,
        run: &RunStart,
        reason: &str,
    ) -> Result<bool, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let now = self.now();
        let mut tx = self.db().begin().await?;
        if run.kind == RunKind::Sync {
            hold(&mut tx, task.replica_id).await?;
        }
        hold_table(&mut tx, task.replica_table_id).await?;
        let changed = sql!(
            "update sync_run set error = $1, updated_at = $2
             where id = $3 and attempt = $4 and state in ('planned', 'copying', 'committing', 'verifying')"
        )
        .bind(reason)
        .bind(now)
        .bind(run.id)
        .bind(run.attempt)
        .execute(&mut tx)
        .await?;
        if changed == 0 {
            return Ok(false);
        }
        if run.kind == RunKind::Sync {
            // Why it diverged is the better reason.
            sql!(
                "update replica_table set reason = $1, updated_at = $2 where id = $3 and state in ('pending', 'ready')"
            )
            .bind(reason)
            .bind(now)
            .bind(task.replica_table_id)
            .execute(&mut tx)
            .await?;
            self.sync_fails(&mut tx, now, task, false).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// A run has ended without success. Parked ones wait for a person; `diverged` also closes the replica table to readers.
    pub async fn run_ended(
        &self,
        principal: &Principal,
        task: &SyncTask,
        run: &RunStart,
        state: RunState,
        reason: &str,
        diverged: bool,
    ) -> Result<bool, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        if diverged || run.kind == RunKind::Sync {
            hold(change.tx(), task.replica_id).await?;
        }
        hold_table(change.tx(), task.replica_table_id).await?;
        if !end(&mut change, run, state, Some(reason)).await? {
            return Ok(false);
        }
        if run.kind == RunKind::Sync {
            sql!("update replica_table set reason = $1, state = case when $2 then 'diverged' else state end, updated_at = $3
                  where id = $4 and state in ('pending', 'ready', 'diverged')")
            .bind(reason)
            .bind(diverged)
            .bind(at)
            .bind(task.replica_table_id)
            .execute(change.tx())
            .await?;
            self.sync_fails(change.tx(), at, task, true).await?;
        }
        if diverged {
            sql!("update replica set state = 'diverged', reason = $1, revision = revision + 1, updated_at = $2
                  where id = $3 and state in ('pending', 'ready')")
            .bind(reason)
            .bind(at)
            .bind(task.replica_id)
            .execute(change.tx())
            .await?;
        }
        change.note(
            Operation::SyncRunWrite,
            Object::new("sync_run", run.id),
            json!({ "state": state, "diverged": diverged }),
        );
        change.commit().await?;
        Ok(true)
    }

    /// What a check of a replica table against its promise found.
    pub async fn replica_verified(
        &self,
        principal: &Principal,
        task: &SyncTask,
        problem: Option<&str>,
    ) -> Result<(), Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        if let Some(problem) = problem {
            self.replica_quarantined(principal, task, None, problem, &[])
                .await?;
            return Ok(());
        }
        let mut change = self.change(principal).await?;
        sql!("update replica_table set verified_at = $1, updated_at = $1 where id = $2")
            .bind(change.at())
            .bind(task.replica_table_id)
            .execute(change.tx())
            .await?;
        change.note(
            Operation::SyncRunWrite,
            Object::new("replica_table", task.replica_table_id),
            json!({ "verified": true }),
        );
        change.commit().await
    }

    /// The journal of the newest sync that committed something to a replica table: what a check compares with.
    pub async fn run_journal(
        &self,
        principal: &Principal,
        id: ReplicaTableId,
    ) -> Result<Option<String>, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let row = sql!(
            "select journal from sync_run where replica_table_id = $1 and kind = 'sync' and state = 'done'
                 and replica_version is not null order by id desc limit 1"
        )
        .bind(id)
        .row(self.db())
        .await?;
        Ok(row.map(|row| row.get("journal")).transpose()?)
    }
}

impl Exchange {
    /// The journals of the syncs of a replica table since then that wrote a commit, or meant to: what is known of its versions.
    pub async fn run_journals(
        &self,
        principal: &Principal,
        id: ReplicaTableId,
        since: Timestamp,
    ) -> Result<Vec<String>, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let rows = sql!(
            "select journal from sync_run where replica_table_id = $1 and kind = 'sync' and replica_version is not null
                 and updated_at >= $2 order by id desc limit 5000"
        )
        .bind(id)
        .bind(since)
        .rows(self.db())
        .await?;
        rows.iter()
            .map(|row| row.get("journal").map_err(Error::from))
            .collect()
    }
}

/// Ends a run of this attempt. False: it is a later attempt's, or over.
pub(super) async fn end(
    change: &mut Change,
    run: &RunStart,
    state: RunState,
    problem: Option<&str>,
) -> Result<bool, Error> {
    let at = change.at();
    let changed = sql!(
        "update sync_run set state = $1, error = $2, finished_at = $3, updated_at = $3
         where id = $4 and attempt = $5 and state in ('planned', 'copying', 'committing', 'verifying')"
    )
    .bind(state)
    .bind(problem)
    .bind(at)
    .bind(run.id)
    .bind(run.attempt)
    .execute(change.tx())
    .await?;
    if changed == 0 {
        return Ok(false);
    }
    note_step(change.tx(), run.id, state, at).await?;
    Ok(true)
}

//! How a run begins: alone on its replica table. Two that worked on one folder would undo each other's work, for a sync takes
//! up objects that a vacuum is about to delete. What a run saves and how it ends is told in `runs`.

use model::time::SECOND;
use model::{ReplicaTableId, RunKind, RunState, SyncRunId, Timestamp};

use super::SyncTask;
use super::steps::note_step;
use crate::db::Tx;
use crate::error::Error;
use crate::jobs::Leased;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

/// So soon is looked again whether the other one has ended.
const TURN: i64 = 10 * SECOND;

/// A run that was begun, or taken up where a crash left it.
#[derive(Clone, Debug)]
pub struct RunStart {
    pub id: SyncRunId,
    pub kind: RunKind,
    /// The fencing token of this attempt.
    pub attempt: i64,
    pub state: RunState,
    /// Whether nobody has worked on it before.
    pub is_new: bool,
    /// What the state machine saved last; empty at first.
    pub journal: String,
    pub bytes_received: u64,
    pub started_at: Timestamp,
}

/// What came of beginning a run.
#[derive(Clone, Debug)]
pub enum RunBegun {
    Run(RunStart),
    /// Somebody who is alive does the other kind of work on the table: ask again after so many microseconds.
    Later(i64),
    /// The table's folder is being emptied, or is empty: there is nothing to do.
    Over,
}

impl RunBegun {
    /// The run, if there is one.
    pub fn run(self) -> Option<RunStart> {
        match self {
            Self::Run(run) => Some(run),
            Self::Later(_) | Self::Over => None,
        }
    }
}

impl Exchange {
    /// Begins a run of a replica table, or takes up the one that a crash left open, with the lease's fencing token. One of
    /// the other kind that a crash left open gives way; one that somebody works on does not. What was read of the table may be
    /// old by now.
    pub async fn run_begin(
        &self,
        principal: &Principal,
        task: &SyncTask,
        kind: RunKind,
        leased: &Leased,
    ) -> Result<RunBegun, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let now = self.now();
        // Of the clock that leases go by.
        let lease_now = self.db().now().await?;
        let mut tx = self.db().begin().await?;
        // Taken before it is looked whether a run is open: two that begin wait for each other, and who empties the folder sees
        // the run or is seen.
        let is_there = sql!(
            "update replica_table set updated_at = updated_at where id = $1 and state not in ('erasing', 'deleted')"
        )
        .bind(task.replica_table_id)
        .execute(&mut tx)
        .await?;
        if is_there == 0 {
            return Ok(RunBegun::Over);
        }
        let open = sql!(
            "select id, kind, state, attempt, journal, bytes_received, started_at from sync_run
             where replica_table_id = $1 and state in ('planned', 'copying', 'committing', 'verifying')"
        )
        .bind(task.replica_table_id)
        .row(&mut tx)
        .await?;
        if let Some(row) = open {
            let found: RunKind = row.get("kind")?;
            let id: SyncRunId = row.get("id")?;
            if found == kind {
                // Attempts of a run only grow, also over several rows of work.
                let attempt = leased.attempt.max(row.get::<i64>("attempt")? + 1);
                sql!("update sync_run set attempt = $1, updated_at = $2 where id = $3")
                    .bind(attempt)
                    .bind(now)
                    .bind(id)
                    .execute(&mut tx)
                    .await?;
                tx.commit().await?;
                return Ok(RunBegun::Run(RunStart {
                    id,
                    kind,
                    attempt,
                    state: row.get("state")?,
                    is_new: false,
                    journal: row.get("journal")?,
                    bytes_received: row.get("bytes_received")?,
                    started_at: row.get("started_at")?,
                }));
            }
            if is_worked_on(&mut tx, task.replica_table_id, found, lease_now).await? {
                return Ok(RunBegun::Later(TURN));
            }
            // What nobody works on gives way: both kinds can begin anew.
            sql!("update sync_run set state = 'failed', error = coalesce(error, 'gave way to another run'), finished_at = $1, updated_at = $1
                  where id = $2")
            .bind(now)
            .bind(id)
            .execute(&mut tx)
            .await?;
            note_step(&mut tx, id, RunState::Failed, now).await?;
        }
        let id = SyncRunId::new(now);
        sql!("insert into sync_run (id, kind, replica_table_id, product_id, state, attempt, journal, files_planned,
                  bytes_planned, files_copied, bytes_copied, bytes_full, bytes_received, files_deleted, bytes_deleted,
                  started_at, busy_micros, updated_at)
              values ($1, $2, $3, $4, 'planned', $5, '', 0, 0, 0, 0, 0, 0, 0, 0, $6, 0, $6)")
        .bind(id)
        .bind(kind)
        .bind(task.replica_table_id)
        .bind(task.product_id)
        .bind(leased.attempt)
        .bind(now)
        .execute(&mut tx)
        .await?;
        note_step(&mut tx, id, RunState::Planned, now).await?;
        tx.commit().await?;
        Ok(RunBegun::Run(RunStart {
            id,
            kind,
            attempt: leased.attempt,
            state: RunState::Planned,
            is_new: true,
            journal: String::new(),
            bytes_received: 0,
            started_at: now,
        }))
    }

    /// Whether a run is still open, and this attempt's.
    pub async fn run_holds(&self, principal: &Principal, run: &RunStart) -> Result<bool, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let row = sql!(
            "select id from sync_run where id = $1 and attempt = $2
                 and state in ('planned', 'copying', 'committing', 'verifying')"
        )
        .bind(run.id)
        .bind(run.attempt)
        .row(self.db())
        .await?;
        Ok(row.is_some())
    }
}

/// Whether somebody holds the lease on work of this kind on a table.
async fn is_worked_on(
    tx: &mut Tx,
    id: ReplicaTableId,
    kind: RunKind,
    now: Timestamp,
) -> Result<bool, Error> {
    let row =
        sql!("select id from work where kind = $1 and key = $2 and lease_until >= $3 limit 1")
            .bind(kind)
            .bind(id.to_string())
            .bind(now)
            .row(tx)
            .await?;
    Ok(row.is_some())
}

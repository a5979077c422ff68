//! Sync runs as they stand in the database: begun or taken up again by the worker that holds the lease, saved with the
//! lease's `attempt` as fencing token, finished in one change with what the replica now is and what was metered.

use model::dto::SyncRun;
use model::time::HOUR;
use model::{
    Cloud, Location, Name, ProductId, ProductName, ReplicaId, ReplicaState, ReplicaTableId,
    RunKind, RunState, StorageId, SyncRunId, TableId, Timestamp,
};
use serde_json::json;

use crate::audit::Object;
use crate::error::Error;
use crate::jobs::{Leased, Wake, WorkKind};
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// What a worker needs to know to sync, vacuum or check one replica table.
#[derive(Clone, Debug)]
pub struct SyncTask {
    pub replica_table_id: ReplicaTableId,
    pub replica_id: ReplicaId,
    pub replica_state: ReplicaState,
    pub table_state: ReplicaState,
    pub product_id: ProductId,
    pub product: ProductName,
    pub table_id: TableId,
    pub schema: Name,
    pub table_name: Name,
    pub source_storage: StorageId,
    pub source_path: String,
    source_cloud: Cloud,
    source_region: String,
    pub target_storage: StorageId,
    pub target_path: String,
    target_cloud: Cloud,
    target_region: String,
    pub source_version: Option<u64>,
    pub replica_version: Option<u64>,
    retention_hours: Option<i64>,
    pub refused_for: Option<String>,
}
from_row!(SyncTask {
    replica_table_id,
    replica_id,
    replica_state,
    table_state,
    product_id,
    product,
    table_id,
    schema,
    table_name,
    source_storage,
    source_path,
    source_cloud,
    source_region,
    target_storage,
    target_path,
    target_cloud,
    target_region,
    source_version,
    replica_version,
    retention_hours,
    refused_for
});

impl SyncTask {
    pub fn from_location(&self) -> Result<Location, Error> {
        Location::new(self.source_cloud, &self.source_region).map_err(Error::internal)
    }

    pub fn to_location(&self) -> Result<Location, Error> {
        Location::new(self.target_cloud, &self.target_region).map_err(Error::internal)
    }

    /// Whether it is to follow its source: not while it drains, and not while its source cannot be cloned.
    pub fn wants_sync(&self) -> bool {
        self.refused_for.is_none()
            && matches!(
                self.replica_state,
                ReplicaState::Pending | ReplicaState::Ready | ReplicaState::Diverged
            )
    }

    /// How long the replica keeps what the source removed; microseconds.
    pub fn retention(&self) -> i64 {
        self.retention_hours.unwrap_or(168) * HOUR
    }
}

/// A run that was begun, or taken up where a crash left it.
#[derive(Clone, Debug)]
pub struct RunStart {
    pub id: SyncRunId,
    /// The fencing token of this attempt.
    pub attempt: i64,
    pub state: RunState,
    /// What the state machine saved last; empty at first.
    pub journal: String,
    pub bytes_received: u64,
    pub started_at: Timestamp,
}

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
    pub error: Option<String>,
}

/// What a finished sync has made of the replica table.
#[derive(Clone, Debug)]
pub struct SyncOutcome {
    pub source_version: u64,
    /// What was committed; None when nothing was new.
    pub committed: Option<SyncCommitted>,
}

/// What a sync has committed.
#[derive(Clone, Debug)]
pub struct SyncCommitted {
    pub source_committed_at: Timestamp,
    pub replica_version: u64,
    /// Bytes of the table as the replica now stands.
    pub bytes: u64,
}

/// A run's row with the names around it.
#[derive(Clone, Debug)]
pub struct RunRecord {
    pub id: SyncRunId,
    pub kind: RunKind,
    pub product: ProductName,
    pub schema: Name,
    pub table: Name,
    pub to: Name,
    pub cloud: Cloud,
    pub region: String,
    pub state: RunState,
    pub attempt: i64,
    pub from_version: Option<u64>,
    pub to_version: Option<u64>,
    pub replica_version: Option<u64>,
    pub files_planned: u64,
    pub bytes_planned: u64,
    pub files_copied: u64,
    pub bytes_copied: u64,
    pub bytes_full: u64,
    pub bytes_received: u64,
    pub files_deleted: u64,
    pub bytes_deleted: u64,
    pub error: Option<String>,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub busy_micros: i64,
}

impl crate::db::FromRow for RunRecord {
    fn from_row(row: &crate::db::Row) -> Result<Self, crate::db::DbError> {
        Ok(Self {
            id: row.get("id")?,
            kind: row.get("kind")?,
            product: row.get("product")?,
            schema: row.get("schema_name")?,
            table: row.get("table_name")?,
            to: row.get("storage")?,
            cloud: row.get("cloud")?,
            region: row.get("region")?,
            state: row.get("state")?,
            attempt: row.get("attempt")?,
            from_version: row.get("from_version")?,
            to_version: row.get("to_version")?,
            replica_version: row.get("replica_version")?,
            files_planned: row.get("files_planned")?,
            bytes_planned: row.get("bytes_planned")?,
            files_copied: row.get("files_copied")?,
            bytes_copied: row.get("bytes_copied")?,
            bytes_full: row.get("bytes_full")?,
            bytes_received: row.get("bytes_received")?,
            files_deleted: row.get("files_deleted")?,
            bytes_deleted: row.get("bytes_deleted")?,
            error: row.get("error")?,
            started_at: row.get("started_at")?,
            finished_at: row.get("finished_at")?,
            busy_micros: row.get("busy_micros")?,
        })
    }
}

impl TryFrom<RunRecord> for SyncRun {
    type Error = Error;
    fn try_from(record: RunRecord) -> Result<Self, Error> {
        Ok(Self {
            to_location: Location::new(record.cloud, &record.region).map_err(Error::internal)?,
            id: record.id,
            kind: record.kind,
            product: record.product,
            schema: record.schema,
            table: record.table,
            to: record.to,
            state: record.state,
            attempt: record.attempt,
            from_version: record.from_version,
            to_version: record.to_version,
            replica_version: record.replica_version,
            files_planned: record.files_planned,
            bytes_planned: record.bytes_planned,
            files_copied: record.files_copied,
            bytes_copied: record.bytes_copied,
            bytes_full: record.bytes_full,
            bytes_received: record.bytes_received,
            files_deleted: record.files_deleted,
            bytes_deleted: record.bytes_deleted,
            error: record.error,
            started_at: record.started_at,
            finished_at: record.finished_at,
            busy_micros: record.busy_micros,
        })
    }
}

impl Exchange {
    /// What there is to know for working on one replica table; None when it is gone.
    pub async fn sync_task(
        &self,
        principal: &Principal,
        id: ReplicaTableId,
    ) -> Result<Option<SyncTask>, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        Ok(sql!(
            "select replica_table.id as replica_table_id, replica_table.replica_id, replica.state as replica_state,
                    replica_table.state as table_state, product.id as product_id, product.name as product, table_id,
                    schema_name as schema, product_table.name as table_name, product_table.storage_id as source_storage,
                    product_table.path as source_path, source.cloud as source_cloud, source.region as source_region,
                    target.id as target_storage, replica_table.path as target_path, target.cloud as target_cloud,
                    target.region as target_region, source_version, replica_version, retention_hours, refused_for
             from replica_table join replica on replica.id = replica_table.replica_id
                 join product_table on product_table.id = table_id join product on product.id = replica.product_id
                 join storage as source on source.id = product_table.storage_id
                 join storage as target on target.id = replica.storage_id
                 left join sync_job on sync_job.replica_id = replica.id
             where replica_table.id = $1 and replica_table.state <> 'deleted'"
        )
        .bind(id)
        .first(self.db())
        .await?)
    }

    /// Begins a run of a replica table, or takes up the one that a crash left open, with the lease's fencing token.
    pub async fn run_begin(
        &self,
        principal: &Principal,
        task: &SyncTask,
        kind: RunKind,
        leased: &Leased,
    ) -> Result<RunStart, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let now = self.now();
        let mut tx = self.db().begin().await?;
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
                return Ok(RunStart {
                    id,
                    attempt,
                    state: row.get("state")?,
                    journal: row.get("journal")?,
                    bytes_received: row.get("bytes_received")?,
                    started_at: row.get("started_at")?,
                });
            }
            // A vacuum that a crash left open gives way to a sync, and the other way round: both begin anew.
            sql!("update sync_run set state = 'failed', error = 'gave way to another run', finished_at = $1, updated_at = $1
                  where id = $2")
            .bind(now)
            .bind(id)
            .execute(&mut tx)
            .await?;
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
        tx.commit().await?;
        let attempt = leased.attempt;
        Ok(RunStart {
            id,
            attempt,
            state: RunState::Planned,
            journal: String::new(),
            bytes_received: 0,
            started_at: now,
        })
    }

    /// Whether a run of that kind was left open, as by a crash.
    pub async fn run_is_open(
        &self,
        principal: &Principal,
        id: ReplicaTableId,
        kind: RunKind,
    ) -> Result<bool, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let row = sql!(
            "select id from sync_run where replica_table_id = $1 and kind = $2
                 and state in ('planned', 'copying', 'committing', 'verifying')"
        )
        .bind(id)
        .bind(kind)
        .row(self.db())
        .await?;
        Ok(row.is_some())
    }

    /// Saves where a run stands. False: a later attempt has taken over; stop at once.
    pub async fn run_save(
        &self,
        principal: &Principal,
        run: &RunStart,
        progress: &RunProgress,
    ) -> Result<bool, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let changed = sql!(
            "update sync_run set state = coalesce($1, state), journal = $2, from_version = $3, to_version = $4,
                 replica_version = $5, files_planned = $6, bytes_planned = $7, files_copied = $8, bytes_copied = $9,
                 bytes_full = $10, error = $11, updated_at = $12
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
        .bind(self.now())
        .bind(run.id)
        .bind(run.attempt)
        .execute(self.db())
        .await?;
        Ok(changed == 1)
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
        let mut change = self.change(principal).await?;
        let at = change.at();
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
        sql!("update replica_table set state = 'ready', source_version = $1,
                  source_committed_at = coalesce($2, source_committed_at), replica_version = coalesce($3, replica_version),
                  byte_count = coalesce($4, byte_count), synced_at = $5, verified_at = $5, reason = null, updated_at = $5 where id = $6")
        .bind(outcome.source_version)
        .bind(committed.map(|committed| committed.source_committed_at))
        .bind(committed.map(|committed| committed.replica_version))
        .bind(committed.map(|committed| committed.bytes))
        .bind(at)
        .bind(task.replica_table_id)
        .execute(change.tx())
        .await?;
        sql!("update replica set state = 'ready', reason = null, revision = revision + 1, updated_at = $1
              where id = $2 and state in ('pending', 'diverged') and not exists (
                  select 1 from replica_table where replica_id = $2 and state not in ('ready', 'deleted'))")
        .bind(at)
        .bind(task.replica_id)
        .execute(change.tx())
        .await?;
        let waiting = sql!(
            "select id from access_grant where product_id = $1 and mode = 'replica' and desired = 'active' and actual <> 'active'"
        )
        .bind(task.product_id)
        .rows(change.tx())
        .await?;
        for row in waiting {
            change.wake(Wake::new(WorkKind::Grant, row.get::<model::GrantId>("id")?));
        }
        let location = task.to_location()?;
        change.wake(Wake::new(WorkKind::Vacuum, task.replica_table_id).at(Some(location)));
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
        let changed = sql!(
            "update sync_run set state = 'done', files_deleted = $1, bytes_deleted = $2, finished_at = $3, updated_at = $3
             where id = $4 and attempt = $5 and state in ('planned', 'copying', 'committing', 'verifying')"
        )
        .bind(files)
        .bind(bytes)
        .bind(at)
        .bind(run.id)
        .bind(run.attempt)
        .execute(change.tx())
        .await?;
        if changed == 0 {
            return Ok(false);
        }
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
        let changed = sql!(
            "update sync_run set state = $1, error = $2, finished_at = $3, updated_at = $3
             where id = $4 and attempt = $5 and state in ('planned', 'copying', 'committing', 'verifying')"
        )
        .bind(state)
        .bind(reason)
        .bind(at)
        .bind(run.id)
        .bind(run.attempt)
        .execute(change.tx())
        .await?;
        if changed == 0 {
            return Ok(false);
        }
        sql!("update replica_table set reason = $1, state = case when $2 then 'diverged' else state end, updated_at = $3
              where id = $4")
        .bind(reason)
        .bind(diverged)
        .bind(at)
        .bind(task.replica_table_id)
        .execute(change.tx())
        .await?;
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
        let mut change = self.change(principal).await?;
        let at = change.at();
        match problem {
            None => {
                sql!("update replica_table set verified_at = $1, updated_at = $1 where id = $2")
                    .bind(at)
                    .bind(task.replica_table_id)
                    .execute(change.tx())
                    .await?;
            }
            Some(problem) => {
                sql!("update replica_table set state = 'diverged', reason = $1, updated_at = $2 where id = $3")
                    .bind(problem)
                    .bind(at)
                    .bind(task.replica_table_id)
                    .execute(change.tx())
                    .await?;
            }
        }
        change.note(
            Operation::SyncRunWrite,
            Object::new("replica_table", task.replica_table_id),
            json!({ "verified": problem.is_none() }),
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

    /// Wakes a sync of every replica table whose job is due, and says when the next one will be.
    pub async fn schedules_tick(&self, principal: &Principal) -> Result<Option<Timestamp>, Error> {
        can(principal, Operation::WorkRun, &Scope::NONE)?;
        let now = self.now();
        let due = sql!(
            "select replica_id from sync_job where not paused and next_due_at <= $1 order by next_due_at limit 500"
        )
        .bind(now)
        .rows(self.db())
        .await?;
        for row in due {
            let replica: ReplicaId = row.get("replica_id")?;
            let Some(job) = self.job_of(self.db(), replica).await? else {
                continue;
            };
            let Some(record) = self.replica_record(self.db(), replica).await? else {
                continue;
            };
            let location = record.location()?;
            let next = job
                .schedule()
                .ok()
                .and_then(|schedule| schedule.next_due(now));
            let mut change = self.change(principal).await?;
            // Two processes tick at once: only the one that moves the due date wakes the work.
            let moved = sql!(
                "update sync_job set last_due_at = next_due_at, next_due_at = $1, updated_at = $2
                 where id = $3 and next_due_at <= $2 and not paused"
            )
            .bind(next)
            .bind(now)
            .bind(job.id)
            .execute(change.tx())
            .await?;
            if moved == 0 {
                continue;
            }
            let kind = match record.state {
                ReplicaState::Pending | ReplicaState::Ready | ReplicaState::Diverged => {
                    WorkKind::Sync
                }
                // Nobody reads it any more, but what the source forgot is still forgotten here.
                ReplicaState::Draining => WorkKind::Vacuum,
                ReplicaState::Deleted => continue,
            };
            for table in self.replica_tables(change.tx(), replica).await? {
                change.wake(Wake::new(kind, table.id).at(Some(location.clone())));
            }
            change.note(
                Operation::WorkRun,
                Object::new("replica", replica),
                json!({ "due": kind, "next": next }),
            );
            change.commit().await?;
        }
        let row =
            sql!("select cast(min(next_due_at) as bigint) as due from sync_job where not paused")
                .row(self.db())
                .await?;
        Ok(row.map(|row| row.get("due")).transpose()?.flatten())
    }

    /// Runs, newest first; of one product when `product` is given.
    pub async fn sync_runs(
        &self,
        principal: &Principal,
        product: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<SyncRun>, Error> {
        can(principal, Operation::SyncRunList, &Scope::NONE)?;
        let before: Option<SyncRunId> = page.parse_after()?;
        let (person, team) = principal.scope();
        let rows: Vec<RunRecord> = sql!(
            "select sync_run.id, kind, product.name as product, schema_name, product_table.name as table_name,
                    storage.name as storage, storage.cloud, storage.region, sync_run.state, attempt, from_version, to_version,
                    sync_run.replica_version, files_planned, bytes_planned, files_copied, bytes_copied, bytes_full, bytes_received,
                    files_deleted, bytes_deleted, error, started_at, finished_at, busy_micros
             from sync_run join replica_table on replica_table.id = replica_table_id join replica on replica.id = replica_id
                 join product on product.id = sync_run.product_id join product_table on product_table.id = table_id
                 join storage on storage.id = replica.storage_id
             where (sync_run.id < $1 or $1 is null) and (product.name = $2 or cast($2 as text) is null)
                 and (product.state <> 'draft' or $3 or team_id = $5
                      or team_id in (select team_member.team_id from team_member where person_id = $4))
             order by sync_run.id desc limit $6"
        )
        .bind(before)
        .bind(product)
        .bind(principal.sees_all())
        .bind(person)
        .bind(team)
        .bind(page.fetch())
        .all(self.db())
        .await?;
        let page = page.cut(rows, |row| row.id.to_string());
        let items = page
            .items
            .into_iter()
            .map(SyncRun::try_from)
            .collect::<Result<_, _>>()?;
        Ok(Page {
            items,
            next: page.next,
        })
    }

    pub async fn sync_run(&self, principal: &Principal, id: SyncRunId) -> Result<SyncRun, Error> {
        can(principal, Operation::SyncRunRead, &Scope::NONE)?;
        let (person, team) = principal.scope();
        let record: Option<RunRecord> = sql!(
            "select sync_run.id, kind, product.name as product, schema_name, product_table.name as table_name,
                    storage.name as storage, storage.cloud, storage.region, sync_run.state, attempt, from_version, to_version,
                    sync_run.replica_version, files_planned, bytes_planned, files_copied, bytes_copied, bytes_full, bytes_received,
                    files_deleted, bytes_deleted, error, started_at, finished_at, busy_micros
             from sync_run join replica_table on replica_table.id = replica_table_id join replica on replica.id = replica_id
                 join product on product.id = sync_run.product_id join product_table on product_table.id = table_id
                 join storage on storage.id = replica.storage_id
             where sync_run.id = $1 and (product.state <> 'draft' or $2 or team_id = $4
                      or team_id in (select team_member.team_id from team_member where person_id = $3))"
        )
        .bind(id)
        .bind(principal.sees_all())
        .bind(person)
        .bind(team)
        .first(self.db())
        .await?;
        SyncRun::try_from(record.ok_or(Error::NotFound("sync run"))?)
    }
}

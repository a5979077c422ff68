//! What keeps replicas in order beside syncing them: vacuum and check of one replica table, and a replica's end.

use async_trait::async_trait;
use exchange::Principal;
use exchange::catalog::LogEscape;
use exchange::jobs::Leased;
use exchange::ports::StorageAccess;
use exchange::replicas::{ReplicaStep, ReplicaTableRecord, RunBegun, RunStart, SyncTask};
use model::time::{HOUR, MINUTE};
use model::{ProductId, Purpose, RunKind, TableId, crash_point};
use replication::{Fence, PlanSummary, Proof, RunRecord, VacuumReport};
use storage::{Cause, Meter, MeterKey};

use super::forget::{Book, Forgetting, emptied};
use super::handlers::Lakehand;
use super::prove::level_of;
use super::sync::LeaseFence;
use super::{Outcome as Ended, WorkFailed};

/// Ours is the lease, and no other run has begun on the table.
struct RunFence<'a> {
    lease: LeaseFence<'a>,
    run: &'a RunStart,
}

#[async_trait]
impl Fence for RunFence<'_> {
    async fn holds(&self) -> bool {
        let system = Principal::system();
        let held = self.lease.exchange.run_holds(&system, self.run);
        self.lease.holds().await && held.await.unwrap_or(false)
    }
}

impl Lakehand {
    /// Deletes what the source forgot longer ago than the retention.
    pub(super) async fn vacuum(&self, leased: &Leased) -> Result<Ended, WorkFailed> {
        let Some(task) = self.task(leased).await? else {
            return Ok(Ended::Done);
        };
        if task.replica_version.is_none() {
            return Ok(Ended::Done);
        }
        // Before anything is looked at: what a sync takes up meanwhile is not to stand on the list of what goes.
        let begun = self
            .exchange
            .run_begin(&Principal::system(), &task, RunKind::Vacuum, leased)
            .await?;
        let run = match begun {
            RunBegun::Run(run) => run,
            RunBegun::Later(wait) => return Ok(Ended::Later(wait)),
            RunBegun::Over => return Ok(Ended::Done),
        };
        crash_point!("vacuum.begin.after");
        let meter = meter((task.product_id, task.table_id), "vacuum", Purpose::Vacuum);
        let vacuuming = self.vacuum_table(&task, leased, &run, &meter);
        let to = task.to_location()?;
        let vacuumed = self.reads.noting(&meter, &to, None, vacuuming).await;
        if let Err(failed) = &vacuumed {
            self.note_failure(&task, &run, leased, failed).await;
            let (system, id) = (Principal::system(), task.replica_table_id);
            let why = &failed.sentence;
            self.exchange.erasures_failing(&system, id, why).await?;
        }
        vacuumed
    }

    async fn vacuum_table(
        &self,
        task: &SyncTask,
        leased: &Leased,
        run: &RunStart,
        meter: &Meter,
    ) -> Result<Ended, WorkFailed> {
        let system = Principal::system();
        // Of the two only the target is read.
        let (_, folder) = self.open_ends(task, meter, meter).await?;
        let hours = u32::try_from(task.retention() / HOUR).unwrap_or(u32::MAX);
        let target = &folder.table;
        let id = task.replica_table_id;
        let now = self.exchange.now();
        let exchange = &self.exchange;
        let book = Book { exchange, id };
        let clock = exchange.clock();
        let proof = Proof::new(&book, &clock);
        self.settle(target, &book).await?;
        let tasks = exchange.erasure_tasks(&system, id).await?;
        let keep = self.keeping(task, hours, &tasks).await?;
        let planned = replication::plan_vacuum_keeping(target, id, &keep, now).await;
        if let Err(error) = &planned {
            self.note_escape(task, error.escape_version(), error).await;
        }
        let planned = planned.map_err(vacuum_failure)?;
        if let Err(error) = folder.sweep(model::time::DAY).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "staged files could not be swept"
            );
        }
        let uploads = self.end_uploads(&folder, &tasks).await;
        if uploads > 0 {
            tracing::info!(
                uploads,
                path = task.target_path,
                "unfinished uploads are left in a replica's folder"
            );
        }
        let fence = RunFence {
            lease: LeaseFence { exchange, leased },
            run,
        };
        let mut report = VacuumReport::default();
        if !planned.delete.is_empty() {
            report = replication::vacuum_proved(target, &planned, &fence, &proof)
                .await
                .map_err(vacuum_failure)?;
        }
        if !tasks.is_empty() {
            let forgetting = Forgetting {
                task,
                run,
                target: &folder,
                table: target,
                keep: &keep,
                fence: &fence,
                proof: &proof,
            };
            let history = self.forget(&tasks, &forgetting).await?;
            report.deleted += history.deleted;
            report.bytes += history.bytes;
        }
        // A vacuum that died after its last delete still has to be finished.
        let finished = if planned.delete.is_empty() && report.deleted == 0 && run.is_new {
            exchange.replica_vacuumed(&system, task, run).await?
        } else {
            crash_point!("vacuum.finish.before");
            let finished = exchange
                .run_vacuumed(&system, task, run, report.deleted, report.bytes)
                .await?;
            crash_point!("vacuum.finish.after");
            finished
        };
        if !finished {
            tracing::warn!(run.id = %run.id, "a later attempt has finished this run");
        }
        Ok(Ended::Done)
    }

    /// A replica's log that points out of the replica is an incident (C-13).
    pub(super) async fn note_escape(
        &self,
        task: &SyncTask,
        version: Option<u64>,
        error: &(dyn std::error::Error + Sync),
    ) {
        if version.is_some() {
            let found = LogEscape {
                storage: task.target_storage,
                path: task.target_path.clone(),
                version,
                sentence: error.to_string(),
            };
            let system = Principal::system();
            self.exchange.log_escaped(&system, &found).await;
        }
    }

    /// What the last sync of a replica table promised of it.
    pub(super) async fn promise(&self, task: &SyncTask) -> Result<Option<PlanSummary>, WorkFailed> {
        let system = Principal::system();
        let journal = self.exchange.run_journal(&system, task.replica_table_id);
        let Some(journal) = journal.await? else {
            return Ok(None);
        };
        let record: RunRecord = serde_json::from_str(&journal).map_err(|error| {
            WorkFailed::terminal(format!("the last sync's journal cannot be read: {error}"))
        })?;
        // What a sync of its former life promised is not asked of a table that was emptied and comes back.
        let stands = |plan: &PlanSummary| Some(plan.target_version) == task.replica_version;
        Ok(record.plan.filter(stands))
    }

    /// Checks a replica table against the last sync's promise.
    pub(super) async fn verify(&self, leased: &Leased) -> Result<Ended, WorkFailed> {
        let level = level_of(leased);
        if level > 1 {
            return self.prove(leased, level).await;
        }
        let Some(task) = self.task(leased).await? else {
            return Ok(Ended::Done);
        };
        let system = Principal::system();
        let Some(plan) = self.promise(&task).await? else {
            return Ok(Ended::Done);
        };
        let meter = meter((task.product_id, task.table_id), "verify", Purpose::Verify);
        let (_, folder) = self.open_ends(&task, &meter, &meter).await?;
        let verifying = replication::verify(&folder.table, &plan);
        let to = task.to_location()?;
        match self.reads.noting(&meter, &to, None, verifying).await {
            Ok(_) => self.exchange.replica_verified(&system, &task, None).await?,
            Err(error) if error.is_passing() => return Err(WorkFailed::passing(error.to_string())),
            Err(error) => {
                self.note_escape(&task, error.escape_version(), &error)
                    .await;
                self.exchange
                    .replica_verified(&system, &task, Some(&error.to_string()))
                    .await?
            }
        }
        Ok(Ended::Done)
    }

    /// Makes a replica as wanted: once its time is over, deletes it.
    pub(super) async fn replica(&self, leased: &Leased) -> Result<Ended, WorkFailed> {
        let id = leased
            .key
            .parse()
            .map_err(|_| WorkFailed::terminal("the work's key is not a replica"))?;
        let system = Principal::system();
        let (product, storage, tables) = match self.exchange.replica_step(&system, id).await? {
            ReplicaStep::Settled => return Ok(Ended::Done),
            ReplicaStep::Wait(until) => {
                // What is far off is woken by the resync.
                let left = until.since(self.exchange.now());
                return Ok(if left <= MINUTE {
                    Ended::Later(left)
                } else {
                    Ended::Done
                });
            }
            ReplicaStep::Delete {
                product,
                storage,
                tables,
            } => (product, storage, tables),
        };
        let access = self
            .exchange
            .storage_access_for_system(&system, storage)
            .await?;
        let fence = LeaseFence {
            exchange: &self.exchange,
            leased,
        };
        let (mut erased, mut failures) = (Vec::new(), Vec::new());
        let (mut objects, mut bytes) = (0, 0);
        for table in tables {
            match self.erase(product, &access, &table, &fence).await {
                Ok(report) => {
                    objects += report.deleted;
                    bytes += report.bytes;
                    erased.push(table);
                }
                Err(failed) => {
                    let why = &failed.sentence;
                    let exchange = &self.exchange;
                    let noted = exchange.replica_table_erase_failed(&system, table.id, why);
                    noted.await?;
                    if !fence.holds().await {
                        return Err(failed);
                    }
                    // The data of the others ends when it is to end.
                    failures.push((table, failed));
                }
            }
        }
        crash_point!("replica.delete.before");
        self.exchange
            .replica_deleted(&system, id, &erased, objects, bytes)
            .await?;
        crash_point!("replica.delete.after");
        match all_of(failures) {
            None => Ok(Ended::Done),
            Some(failed) => Err(failed),
        }
    }

    /// Empties the folder of a table whose time is over.
    async fn erase(
        &self,
        product: ProductId,
        access: &StorageAccess,
        table: &ReplicaTableRecord,
        fence: &LeaseFence<'_>,
    ) -> Result<VacuumReport, WorkFailed> {
        let meter = meter((product, table.table_id), "replica.delete", Purpose::Vacuum);
        let opened = self.lake.table(access, &table.path, &meter)?;
        let exchange = &self.exchange;
        let book = Book {
            exchange,
            id: table.id,
        };
        let clock = exchange.clock();
        let proof = Proof::new(&book, &clock);
        let erasing = async {
            self.settle(&opened.table, &book).await?;
            let erased = replication::erase_proved(&opened.table, table.id, fence, &proof);
            let report = erased.await.map_err(vacuum_failure)?;
            let system = Principal::system();
            if !exchange.erasure_tasks(&system, table.id).await?.is_empty() {
                let seen = emptied(&opened, table.id).await?;
                exchange.erasures_emptied(&system, table.id, &seen).await?;
            }
            Ok::<_, WorkFailed>(report)
        };
        let (reads, from) = (&self.reads, &access.location);
        reads.noting(&meter, from, None, erasing).await
    }
}

/// What could not be done to several tables, as one failure: tried again as long as that may help any of them.
fn all_of(failures: Vec<(ReplicaTableRecord, WorkFailed)>) -> Option<WorkFailed> {
    let terminal = failures.iter().all(|(_, failed)| failed.terminal);
    let said = failures
        .iter()
        .map(|(table, failed)| format!("{}.{}: {}", table.schema, table.name, failed.sentence));
    let sentence = said.collect::<Vec<_>>().join("\n");
    (!failures.is_empty()).then_some(WorkFailed { sentence, terminal })
}

pub(super) fn meter(
    (product, table): (ProductId, TableId),
    operation: &'static str,
    purpose: Purpose,
) -> Meter {
    Meter::new(MeterKey {
        product: Some(product),
        table: Some(table),
        cause: Cause::Operation(operation),
        purpose,
    })
}

pub(super) fn vacuum_failure(error: replication::VacuumError) -> WorkFailed {
    match error {
        replication::VacuumError::Fenced => WorkFailed::passing(error.to_string()),
        replication::VacuumError::NoMarker | replication::VacuumError::Diverged { .. } => {
            WorkFailed::terminal(error.to_string())
        }
        error => WorkFailed::passing(error.to_string()),
    }
}

//! The sync of one replica table: the exchange says what is wanted and keeps the record, the replication crate does the work,
//! the meter counts.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use exchange::catalog::LogEscape;
use exchange::jobs::Leased;
use exchange::replicas::{
    AdoptionOutcome, Counted, RunBegun, RunProgress, RunStart, RunWays, SyncCommitted, SyncGoesOn,
    SyncOutcome, SyncTask, explained, is_look,
};
use exchange::{Exchange, Principal};
use model::dto::RunHow;
use model::time::MINUTE;
use model::{
    Location, Purpose, ReplicaState, ReplicaTableId, RunKind, RunState, SyncRunId, crash_point,
};
use replication::{
    CopyEngine, CopyOptions, Ends, Fence, LocalEngine, Outcome, Pair, PlanSummary, ProcessEngine,
    Run, RunJournal, RunRecord,
};
use storage::{Cause, Meter, MeterKey};

use super::handlers::Lakehand;
use super::tally::{self, Tally};
use super::{LEASE, Outcome as Ended, WorkFailed};
use crate::adapters::foresee::pair_of;
use crate::adapters::stores::TableAt;

/// How the ends of a copy are named to an engine outside this process: `storage:ID/PATH`.
pub(crate) const STORAGE_WORD: &str = "storage:";

/// Which copy engine moves the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// In this process.
    #[default]
    Local,
    /// In a child process: this command, then the job's own arguments.
    Process { command: Vec<std::ffi::OsString> },
}

/// How long a run may take without a byte before its time alone is written down.
const TIME_ALONE: i64 = MINUTE;

/// The counter of one attempt at one run, and how much of it has been written down.
struct Ledger {
    exchange: Exchange,
    /// Where this process runs, if known: at neither end the bytes go two legs.
    here: Option<Location>,
    run: RunStart,
    source: Meter,
    since: Instant,
    written: tokio::sync::Mutex<Counted>,
    /// On this process's disk, for whoever comes after it should it be killed.
    tally: Tally,
}

impl Drop for Ledger {
    /// Where the attempt is given up, as when its lease is lost, the next one finds the last number.
    fn drop(&mut self) {
        self.note();
    }
}

impl Ledger {
    fn begin(
        (exchange, here): (&Exchange, Option<&Location>),
        run: &RunStart,
        source: &Meter,
        folder: &Path,
    ) -> Result<Self, WorkFailed> {
        let tally = std::fs::create_dir_all(folder)
            .and_then(|()| Tally::create(&folder.join(format!("{}.worker", run.id)), run.attempt))
            .map_err(uncounted)?;
        Ok(Self {
            exchange: exchange.clone(),
            here: here.cloned(),
            run: run.clone(),
            source: source.clone(),
            since: Instant::now(),
            written: tokio::sync::Mutex::default(),
            tally,
        })
    }

    /// All that this attempt has counted.
    fn counted(&self) -> Counted {
        let busy = self.since.elapsed().as_micros();
        Counted {
            bytes: self.source.received(),
            busy: i64::try_from(busy).unwrap_or(i64::MAX),
        }
    }

    fn note(&self) {
        if let Err(error) = self.tally.write(self.counted()) {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                run.id = %self.run.id,
                "the counted bytes could not be noted"
            );
        }
    }

    /// Writes down what has been counted since the last time, while the run goes on. Time without bytes waits for the
    /// bytes that it was spent on.
    async fn settle(&self) -> Result<(), exchange::Error> {
        let mut written = self.written.lock().await;
        let counted = self.counted();
        if counted.bytes == written.bytes && counted.busy - written.busy < TIME_ALONE {
            return Ok(());
        }
        crash_point!("sync.meter.before");
        self.write(counted).await?;
        crash_point!("sync.meter.after");
        *written = counted;
        Ok(())
    }

    /// Writes down all that is left once the attempt has ended, however it did.
    async fn close(self) -> Result<(), WorkFailed> {
        crash_point!("sync.count.before");
        self.write(self.counted()).await?;
        crash_point!("sync.count.after");
        self.tally.remove().map_err(uncounted)
    }

    /// Writes down what processes have counted that have ended: copying children, whose bytes the meter of this process does
    /// not see, and workers that were killed; also of runs that nobody takes up again.
    async fn settle_ended(&self, folder: &Path) -> Result<(), WorkFailed> {
        let folder = folder.to_owned();
        let finals = tokio::task::spawn_blocking(move || tally::finals(&folder)).await;
        let finals = finals.map_err(std::io::Error::other).flatten();
        for ended in finals.map_err(uncounted)? {
            let system = Principal::system();
            let counted = (ended.name.as_str(), ended.counted);
            let here = self.here.as_ref();
            let written = self.exchange.run_counted(&system, ended.run, counted, here);
            match written.await {
                // Of another database.
                Err(exchange::Error::NotFound(_)) => continue,
                written => written?,
            }
            match tokio::fs::remove_file(&ended.path).await {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                removed => removed.map_err(uncounted)?,
            }
        }
        Ok(())
    }

    async fn write(&self, counted: Counted) -> Result<(), exchange::Error> {
        let system = Principal::system();
        let name = self.tally.name();
        let (counted, here) = ((name.as_str(), counted), self.here.as_ref());
        self.exchange
            .run_counted(&system, self.run.id, counted, here)
            .await
    }
}

fn uncounted(error: std::io::Error) -> WorkFailed {
    WorkFailed::passing(format!("what a run's processes have counted: {error}"))
}

/// The run's journal in the database, fenced by the attempt; each save also settles the meter.
struct Journal<'a> {
    ledger: &'a Ledger,
    task: &'a SyncTask,
}

#[async_trait]
impl RunJournal for Journal<'_> {
    async fn load(&self, _: SyncRunId) -> Result<Option<RunRecord>, replication::JournalError> {
        let journal = &self.ledger.run.journal;
        if journal.is_empty() {
            return Ok(None);
        }
        serde_json::from_str(journal)
            .map(Some)
            .map_err(|error| replication::JournalError(error.to_string()))
    }

    async fn save(
        &self,
        _: SyncRunId,
        _: i64,
        record: &RunRecord,
    ) -> Result<bool, replication::JournalError> {
        let error = |error: &dyn std::error::Error| replication::JournalError(error.to_string());
        if let Some(escape) = record.escape {
            let (storage, path) = match escape.of_source {
                true => (self.task.source_storage, &self.task.source_path),
                false => (self.task.target_storage, &self.task.target_path),
            };
            let found = LogEscape {
                storage,
                path: path.clone(),
                version: Some(escape.version),
                sentence: record.why.clone().unwrap_or_default(),
            };
            let system = Principal::system();
            self.ledger.exchange.log_escaped(&system, &found).await;
        }
        let (plan, task) = (record.plan.as_ref(), self.task);
        let adopted = plan.and_then(|plan| plan.adopted.as_ref());
        // What was taken over within the storage was not copied by anybody.
        let taken = adopted.map_or((0, 0), |adopted| (adopted.taken_files, adopted.taken_bytes));
        let compared = adopted.map_or(0, |adopted| adopted.compared_bytes);
        // With nothing new the replica stands where it stood, and a full copy would have cost what it holds.
        let is_nothing = plan.is_none() && record.nothing_at.is_some();
        let standing = |value: Option<u64>| value.filter(|_| is_nothing);
        // The last step, together with what the replica now is, is the exchange's own change.
        let state = match record.state {
            RunState::Done | RunState::Parked | RunState::Failed => None,
            state => Some(state),
        };
        let progress = RunProgress {
            state,
            journal: serde_json::to_string(record).map_err(|found| error(&found))?,
            from_version: plan
                .and_then(|plan| plan.from_version)
                .or(standing(task.source_version)),
            to_version: plan.map(|plan| plan.source_version).or(record.nothing_at),
            replica_version: plan.map(|plan| plan.target_version),
            files_planned: plan.map_or(0, |plan| plan.files_copy),
            bytes_planned: plan
                .map_or(0, |plan| plan.bytes_copy)
                .saturating_add(compared),
            files_copied: record.copied.files.saturating_sub(taken.0),
            bytes_copied: record.copied.bytes.saturating_sub(taken.1),
            bytes_full: plan
                .map(|plan| plan.bytes_full)
                .or(standing(task.bytes))
                .unwrap_or(0),
            how: plan.map(|plan| how_of(plan, record.files_only)),
            bytes_replaced: plan.map(|plan| plan.bytes_removed),
            ways: plan.and_then(|plan| plan.ways).map(|ways| RunWays {
                files: ways.files,
                feed: ways.feed,
                skip: ways.skip,
            }),
            error: record.why.clone(),
        };
        // What comes after copying is written down at the run's end, with the time that it took.
        if record.state == RunState::Copying {
            self.ledger.settle().await.map_err(|found| error(&found))?;
        }
        let system = Principal::system();
        self.ledger
            .exchange
            .run_save(&system, &self.ledger.run, &progress)
            .await
            .map_err(|found| error(&found))
    }
}

/// How a plan brings what the source has rewritten.
fn how_of(plan: &PlanSummary, by_files: bool) -> RunHow {
    let how = RunHow {
        sets_fed: plan.sets_fed,
        bytes_fed: plan.bytes_fed,
        sets_skipped: plan.sets_by_rows.saturating_sub(plan.sets_fed),
        sets_copied: plan.sets_copied,
        files_purged: plan.files_purged,
        because: String::new(),
    };
    let mut how = explained(how, plan.why.as_deref(), by_files);
    if let Some(said) = &plan.commits {
        how.because.push(' ');
        how.because.push_str(said);
    }
    how
}

/// The most bytes of files that the sync may move, where whoever asked for it said so.
fn budget_of(leased: &Leased) -> Option<u64> {
    leased
        .payload
        .get("budget")
        .and_then(serde_json::Value::as_u64)
}

/// Still ours? Asked before deletes.
pub(super) struct LeaseFence<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) leased: &'a Leased,
}

#[async_trait]
impl Fence for LeaseFence<'_> {
    async fn holds(&self) -> bool {
        self.exchange
            .work_renew(self.leased, LEASE)
            .await
            .unwrap_or(false)
    }
}

/// The two folders of a replica table, opened and metered.
pub(super) struct Opened {
    source: TableAt,
    pub(super) target: TableAt,
    pub(super) pair: Pair,
}

impl Lakehand {
    pub(super) async fn task(&self, leased: &Leased) -> Result<Option<SyncTask>, WorkFailed> {
        let id: ReplicaTableId = leased
            .key
            .parse()
            .map_err(|_| WorkFailed::terminal("the work's key is not a replica table"))?;
        Ok(self.exchange.sync_task(&Principal::system(), id).await?)
    }

    pub(super) async fn open_pair(
        &self,
        task: &SyncTask,
        source: &Meter,
        target: &Meter,
    ) -> Result<Opened, WorkFailed> {
        let (source, target) = self.open_ends(task, source, target).await?;
        let beside = task.is_beside_replica(self.reads.here())?;
        // The key may be put back.
        let pair = pair_of(task, &source, &target, beside).map_err(WorkFailed::passing)?;
        Ok(Opened {
            source,
            target,
            pair,
        })
    }

    /// The same for what reads no row of the source and writes none to the replica.
    pub(super) async fn open_ends(
        &self,
        task: &SyncTask,
        source: &Meter,
        target: &Meter,
    ) -> Result<(TableAt, TableAt), WorkFailed> {
        let system = Principal::system();
        let from = self
            .exchange
            .storage_access_for_system(&system, task.source_storage)
            .await?;
        let to = self
            .exchange
            .storage_access_for_system(&system, task.target_storage)
            .await?;
        let source = self.lake.table(&from, &task.source_path, source)?;
        let target = self.lake.table(&to, &task.target_path, target)?;
        Ok((source, target))
    }

    fn meter(task: &SyncTask, run: SyncRunId, purpose: Purpose) -> Meter {
        Meter::new(MeterKey {
            product: Some(task.product_id),
            table: Some(task.table_id),
            cause: Cause::Run(run),
            purpose,
        })
    }

    /// Brings a replica table up to its source's newest version.
    pub(super) async fn sync(&self, leased: &Leased) -> Result<Ended, WorkFailed> {
        let Some(task) = self.task(leased).await? else {
            return Ok(Ended::Done);
        };
        let system = Principal::system();
        if !task.wants_sync() || self.exchange.sync_halted(&system, &task, leased).await? {
            return Ok(Ended::Done);
        }
        if is_look(leased) && !self.exchange.sync_wanted(&system, &task).await? {
            return Ok(Ended::Done);
        }
        let begun = self
            .exchange
            .run_begin(&system, &task, RunKind::Sync, leased)
            .await?;
        let run = match begun {
            RunBegun::Run(run) => run,
            RunBegun::Later(wait) => return Ok(Ended::Later(wait)),
            RunBegun::Over => return Ok(Ended::Done),
        };
        crash_point!("sync.begin.after");
        let synced = self.sync_run(task.clone(), &run, leased).await;
        if let Err(failed) = &synced {
            self.note_failure(&task, &run, leased, failed).await;
        }
        synced
    }

    /// What went wrong stands on the run while the work waits to be tried again. With work that is given up the run ends, too.
    pub(super) async fn note_failure(
        &self,
        task: &SyncTask,
        run: &RunStart,
        leased: &Leased,
        failed: &WorkFailed,
    ) {
        let (system, why) = (Principal::system(), &failed.sentence);
        let noted = if failed.terminal || leased.is_last_try() {
            let state = RunState::Parked;
            self.exchange
                .run_ended(&system, task, run, state, why, false)
                .await
        } else {
            self.exchange.run_failing(&system, task, run, why).await
        };
        if let Err(error) = noted {
            // The work has it, too.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                run.id = %run.id,
                "why a run failed was not noted on it"
            );
        }
    }

    async fn sync_run(
        &self,
        task: SyncTask,
        run: &RunStart,
        leased: &Leased,
    ) -> Result<Ended, WorkFailed> {
        let system = Principal::system();
        let source = Self::meter(&task, run.id, Purpose::Sync);
        let target = Self::meter(&task, run.id, Purpose::Sync);
        let task = self.unless_emptied(task, &target).await?;
        let folder = self.folder.join("runs");
        let to = task.to_location()?;
        let ours = (&self.exchange, self.reads.here());
        let ledger = Ledger::begin(ours, run, &source, &folder)?;
        let budget = budget_of(leased);
        let driving = self.drive(&task, run, &ledger, (&source, &target), budget);
        // What is read of the replica crosses, too, where this process does not stand beside it.
        let driving = self.reads.noting(&target, &to, None, driving);
        let driven = tally::noting(driving, || ledger.note()).await;
        ledger.close().await?;
        let outcome = driven?;
        crash_point!("sync.finish.before");
        let finished = match outcome {
            Outcome::Nothing { source_version } => {
                let outcome = SyncOutcome {
                    source_version,
                    committed: None,
                    goes_on: None,
                };
                self.exchange
                    .run_done(&system, &task, run, &outcome)
                    .await?
            }
            Outcome::Done(plan) => {
                if let Some(adopted) = &plan.adopted {
                    let outcome = AdoptionOutcome {
                        taken_files: adopted.taken_files,
                        taken_bytes: adopted.taken_bytes,
                        differing: adopted.differing,
                        changed: adopted.changed,
                        refused: adopted.refused,
                    };
                    self.exchange
                        .adoption_done(&system, &task, run, &outcome)
                        .await?;
                }
                let committed = SyncCommitted {
                    source_committed_at: plan.source_timestamp,
                    replica_version: plan.target_version,
                    bytes: plan.bytes_full,
                };
                let outcome = SyncOutcome {
                    source_version: plan.source_version,
                    committed: Some(committed),
                    goes_on: (plan.more > 0).then(|| SyncGoesOn::after(leased, plan.bytes_copy)),
                };
                self.exchange
                    .run_done(&system, &task, run, &outcome)
                    .await?
            }
            // Runs are parked only over what stands in the replica's folder: nobody should read that.
            Outcome::Parked { why } => {
                self.exchange
                    .run_ended(&system, &task, run, RunState::Parked, &why, true)
                    .await?
            }
            Outcome::Differs { why } => {
                self.exchange
                    .replica_quarantined(&system, &task, None, &why, &[])
                    .await?;
                self.exchange
                    .run_ended(&system, &task, run, RunState::Failed, &why, false)
                    .await?
            }
            Outcome::Failed { why } => {
                self.exchange
                    .run_ended(&system, &task, run, RunState::Failed, &why, false)
                    .await?
            }
        };
        crash_point!("sync.finish.after");
        if !finished {
            // A later attempt drives the run: its files are still needed.
            return Ok(Ended::Done);
        }
        // Manifest and receipts have done their duty.
        self.forget_files(run.id).await;
        Ok(Ended::Done)
    }

    /// A diverged replica table whose folder somebody has emptied is cloned anew: what was known of it is forgotten.
    async fn unless_emptied(&self, task: SyncTask, meter: &Meter) -> Result<SyncTask, WorkFailed> {
        if task.table_state != ReplicaState::Diverged || task.replica_version.is_none() {
            return Ok(task);
        }
        let system = Principal::system();
        let to = self
            .exchange
            .storage_access_for_system(&system, task.target_storage)
            .await?;
        let target = self.lake.table(&to, &task.target_path, meter)?;
        match replication::is_vacant(target.objects.as_ref(), task.replica_table_id).await {
            Ok(true) => {
                let reset = self.exchange.replica_table_reset(&system, &task).await?;
                Ok(reset.unwrap_or(task))
            }
            Err(error) if error.is_passing() => Err(WorkFailed::passing(error.to_string())),
            // Planning says what is wrong with it.
            Ok(false) | Err(_) => Ok(task),
        }
    }

    async fn drive(
        &self,
        task: &SyncTask,
        run: &RunStart,
        ledger: &Ledger,
        (source, target): (&Meter, &Meter),
        budget: Option<u64>,
    ) -> Result<Outcome, WorkFailed> {
        let opened = self.open_pair(task, source, target).await?;
        let folder = self.folder.join("runs");
        let described = Run {
            id: run.id,
            attempt: run.attempt,
            folder: folder.clone(),
            target_version: task.replica_version,
            budget,
            source: format!("{STORAGE_WORD}{}/{}", task.source_storage, task.source_path),
            target: format!("{STORAGE_WORD}{}/{}", task.target_storage, task.target_path),
        };
        let ends = Ends {
            source: opened.source.objects.clone(),
            target: opened.target.objects.clone(),
            parts: opened.target.parts()?,
        };
        let engine: Box<dyn CopyEngine> = match &self.engine {
            Engine::Local => Box::new(LocalEngine::new(Arc::new(ends), CopyOptions::default())),
            Engine::Process { command } => Box::new(ProcessEngine::new(command.clone())),
        };
        let journal = Journal { ledger, task };
        let clock = self.exchange.clock();
        let driven = replication::drive(
            &described,
            &opened.pair,
            engine.as_ref(),
            &journal,
            clock.as_ref(),
        )
        .await;
        // The engine is gone, and with it the children that it had.
        drop(engine);
        ledger.settle_ended(&folder).await?;
        driven.map_err(|error| match error {
            replication::RunError::Fenced => WorkFailed::passing(error.to_string()),
            error => WorkFailed::passing(error.to_string()),
        })
    }

    async fn forget_files(&self, run: SyncRunId) {
        let folder = self.folder.join("runs");
        let Ok(mut entries) = tokio::fs::read_dir(&folder).await else {
            return;
        };
        let prefix = format!("{run}.");
        while let Ok(Some(entry)) = entries.next_entry().await {
            if entry.file_name().to_string_lossy().starts_with(&prefix)
                && let Err(error) = tokio::fs::remove_file(entry.path()).await
            {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a finished run's file stays behind"
                );
            }
        }
    }
}

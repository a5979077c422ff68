//! Driving a sync run through its states: planned → copying → committing → verifying → done, parked or failed.
//!
//! Every state is saved before its work begins, and all work can be done again: a plan is made anew for the pinned
//! version, finished objects are recognised, the commit by its `txnId`. A driver whose `attempt` is no longer the run's
//! stops at the next save. Errors that may pass leave the state as it is, for the next attempt.

mod adopting;
mod narrowed;
mod rows;

use std::path::PathBuf;
use std::time::Duration;

use delta::{LogError, Table, Written};
use model::{Clock, RunState, SyncRunId};

use crate::engine::{CopyEngine, CopyJob, EngineError, ExternalRef, Progress};
use crate::files::{Copied, CopyFailure, FailureKind, Follower, write_manifest};
use crate::journal::{JournalError, RunJournal, RunRecord};
use crate::mark::mark_of;
use crate::marker::Marker;
use crate::plan::{Ask, Fate, Pair, Plan, PlanError, PlanSummary, Planned, has_moved_on, plan_for};
use crate::tail;
use crate::verify::{VerifyError, are_there};

/// How often a running copy's progress is saved, which is also how soon a fenced driver notices.
const PROGRESS: Duration = Duration::from_secs(2);

/// Plans of one run before it gives up for this time: others keep committing, or the source keeps changing.
const MOST_PLANS: u32 = 8;

/// Commits between two checkpoints of a replica.
const CHECKPOINT_EVERY: u64 = 10;

/// One run of one replica table, as its driver is told of it.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: SyncRunId,
    /// The fencing token: larger with every lease.
    pub attempt: i64,
    /// Where manifest and receipts go: a folder of this process, one for all its runs.
    pub folder: PathBuf,
    /// The replica's version as last recorded. A replica below it has been tampered with.
    pub target_version: Option<u64>,
    /// The most bytes of files that it may move; a plan of more is not begun.
    pub budget: Option<u64>,
    /// The two tables in the words of the copy engine.
    pub source: String,
    pub target: String,
}

/// How a run ended; the journal's record says more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The replica stands at the source's version already.
    Nothing {
        source_version: u64,
    },
    Done(Box<PlanSummary>),
    /// A person has to look.
    Parked {
        why: String,
    },
    /// What was committed is not what it was meant to be: nobody should read it before a run has mended it.
    Differs {
        why: String,
    },
    /// The same again cannot help; a later version of the source may.
    Failed {
        why: String,
    },
}

/// The run is not over: what went wrong may pass, or somebody else drives it now.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Stop at once, touch nothing.
    #[error("another process drives this run now")]
    Fenced,
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Plan(PlanError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("manifest or receipts: {0}")]
    Files(#[from] std::io::Error),
    #[error("{0}")]
    Copy(CopyFailure),
    #[error("Replica: {0}")]
    Commit(LogError),
    #[error(transparent)]
    Verify(VerifyError),
    #[error("others keep writing: planned {MOST_PLANS} times")]
    Unsettled,
}

/// Drives the run to its end, from wherever the journal says it stands.
pub async fn drive(
    run: &Run,
    pair: &Pair,
    engine: &dyn CopyEngine,
    journal: &dyn RunJournal,
    clock: &dyn Clock,
) -> Result<Outcome, RunError> {
    let record = journal
        .load(run.id)
        .await?
        .unwrap_or_else(|| RunRecord::new(clock.now()));
    Driver {
        run,
        pair,
        engine,
        journal,
        clock,
        record,
        plan: None,
    }
    .drive()
    .await
}

struct Driver<'a> {
    run: &'a Run,
    pair: &'a Pair,
    engine: &'a dyn CopyEngine,
    journal: &'a dyn RunJournal,
    clock: &'a dyn Clock,
    record: RunRecord,
    /// The record's plan with its files, if this driver made it already.
    plan: Option<Box<Plan>>,
}

impl Driver<'_> {
    async fn drive(mut self) -> Result<Outcome, RunError> {
        loop {
            match self.record.state {
                RunState::Planned => self.planned().await?,
                RunState::Copying => self.copying().await?,
                RunState::Committing => self.committing().await?,
                RunState::Verifying => self.verifying().await?,
                RunState::Done | RunState::Parked | RunState::Failed => return Ok(self.outcome()),
            }
        }
    }

    fn outcome(self) -> Outcome {
        let why = self.record.why.unwrap_or_default();
        let differs = self.record.differs;
        match (self.record.state, self.record.plan) {
            (RunState::Parked, _) => Outcome::Parked { why },
            (RunState::Done, Some(plan)) => Outcome::Done(Box::new(plan)),
            (RunState::Done, None) => Outcome::Nothing {
                source_version: self.record.nothing_at.unwrap_or_default(),
            },
            _ if differs => Outcome::Differs { why },
            _ => Outcome::Failed { why },
        }
    }

    async fn save(&mut self, state: RunState) -> Result<(), RunError> {
        self.record.state = state;
        if matches!(state, RunState::Done | RunState::Parked | RunState::Failed) {
            self.record.ended_at = Some(self.clock.now());
        }
        model::crash_point!("sync.journal.before");
        let kept = self
            .journal
            .save(self.run.id, self.run.attempt, &self.record)
            .await?;
        model::crash_point!("sync.journal.after");
        if kept { Ok(()) } else { Err(RunError::Fenced) }
    }

    async fn end(&mut self, state: RunState, why: String) -> Result<(), RunError> {
        self.record.why = Some(why);
        self.save(state).await
    }

    /// Makes of an error of planning what is to become of the run.
    async fn planning_failed(&mut self, error: PlanError) -> Result<(), RunError> {
        self.record.escape = error.escape();
        match error.fate() {
            Fate::Retry => Err(RunError::Plan(error)),
            Fate::Fail => self.end(RunState::Failed, error.to_string()).await,
            Fate::Park => self.end(RunState::Parked, error.to_string()).await,
        }
    }

    /// Back to planning, at the newest version.
    async fn again(&mut self) -> Result<(), RunError> {
        self.plan = None;
        self.record.plan = None;
        self.record.commit_at = None;
        self.save(RunState::Planned).await
    }

    fn ask(&self, ordinal: u32, pin: Option<u64>) -> Ask {
        Ask {
            run: self.run.id,
            ordinal,
            pin,
            expected: self.run.target_version,
            claimed: true,
            files_only: self.record.files_only,
            whole: false,
        }
    }

    async fn planned(&mut self) -> Result<(), RunError> {
        if self.record.plans >= MOST_PLANS {
            // The next attempt begins to count anew.
            self.record.plans = 0;
            self.save(RunState::Planned).await?;
            return Err(RunError::Unsettled);
        }
        let now = self.clock.now();
        let marker = Marker {
            format: 1,
            replica_table: self.pair.replica_table,
            product: self.pair.product.to_string(),
            created: now,
        };
        if let Err(error) = marker.claim(self.pair.target.objects().as_ref()).await {
            return self.planning_failed(error.into()).await;
        }
        let ordinal = self.record.plans + 1;
        match plan_for(self.pair, self.ask(ordinal, None), now).await {
            Ok(Planned::Work(plan)) => {
                self.record.plans = ordinal;
                self.record.plan = Some(plan.summary.clone());
                let moved = self.record.copied.bytes;
                if let Some(why) = self.over_budget(&plan.summary, moved) {
                    return self.end(RunState::Failed, why).await;
                }
                self.plan = Some(plan);
                self.save(RunState::Copying).await
            }
            Ok(Planned::Nothing { source_version, .. }) => {
                self.record.nothing_at = Some(source_version);
                self.save(RunState::Done).await
            }
            Err(error) => self.planning_failed(error).await,
        }
    }

    /// Why a plan is not begun that would pass the run's budget, after so many bytes moved by earlier plans of the run. What those
    /// moved may be part of this one: then it is refused too early, never too late.
    fn over_budget(&self, plan: &PlanSummary, moved: u64) -> Option<String> {
        let budget = self.run.budget?;
        if moved.saturating_add(plan.bytes_copy) <= budget {
            return None;
        }
        let already = match moved {
            0 => String::new(),
            moved => format!(" after the {moved} that it had moved"),
        };
        let objects = match plan.files_copy {
            1 => "1 object".to_owned(),
            many => format!("{many} objects"),
        };
        Some(format!(
            "The run was stopped before it copied: for version {} of the source it would have moved {} bytes in {objects}{already}, and \
             its budget is {budget} bytes. Sync with a larger budget, or without one.",
            plan.source_version, plan.bytes_copy
        ))
    }

    /// The plan of the record with its files: this driver's, or made anew for the same versions after a crash. `None`:
    /// it cannot be made any more, and the run is planning anew or over.
    async fn files_of_plan(&mut self) -> Result<Option<Box<Plan>>, RunError> {
        if let Some(plan) = self.plan.take() {
            return Ok(Some(plan));
        }
        let Some(kept) = self.record.plan.clone() else {
            self.again().await?;
            return Ok(None);
        };
        let ask = self.ask(kept.ordinal, Some(kept.source_version));
        match plan_for(self.pair, ask, kept.planned_at).await {
            Ok(Planned::Work(mut plan)) if is_same(&plan.summary, &kept) => {
                // What had been copied by then is no part of the figures.
                plan.summary = kept;
                Ok(Some(plan))
            }
            Ok(_) | Err(PlanError::PinGone { .. }) => {
                self.again().await?;
                Ok(None)
            }
            Err(error) => {
                self.planning_failed(error).await?;
                Ok(None)
            }
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.run
            .folder
            .join(format!("{}.{name}.jsonl", self.run.id))
    }

    async fn copying(&mut self) -> Result<(), RunError> {
        let Some(mut plan) = self.files_of_plan().await? else {
            return Ok(());
        };
        // Taken up where it was planned without a budget, or with another one.
        if let Some(why) = self.over_budget(&plan.summary, 0) {
            return self.end(RunState::Failed, why).await;
        }
        if !self.taken_over(&mut plan).await? {
            return Ok(());
        }
        if !plan.copies.is_empty() {
            let job = CopyJob {
                run_id: format!("{}.{}", self.run.id, plan.summary.ordinal),
                attempt: self.run.attempt,
                manifest: self.file(&format!("{}.manifest", plan.summary.ordinal)),
                // One for all plans of the run: what an earlier plan copied need not be copied again.
                receipts: self.file("receipts"),
                source: self.run.source.clone(),
                target: self.run.target.clone(),
            };
            model::crash_point!("sync.manifest.before");
            write_manifest(&job.manifest, &plan.copies).await?;
            model::crash_point!("sync.manifest.after");
            let reference = self.engine.submit(&job).await?;
            let ended = self.follow(&reference).await;
            // Done, failed or fenced: nothing is to run on.
            self.engine.cancel(&reference).await?;
            match ended? {
                Ok(copied) => self.record.copied = copied,
                Err(why) => return self.copy_failed(why).await,
            }
            let mut receipts = Follower::new();
            receipts.read(&job.receipts).await?;
            let missing = plan
                .copies
                .iter()
                .find(|i| receipts.finished.size_of(&i.dst) != Some(i.size));
            if let Some(item) = missing {
                let message = format!("the copy engine left no receipt for `{}`", item.dst);
                let kind = FailureKind::Other;
                return Err(RunError::Copy(CopyFailure {
                    kind,
                    src: item.src.clone(),
                    message,
                }));
            }
        }
        if !self.settled(&mut plan).await? {
            return Ok(());
        }
        if !plan.copies.is_empty() || !plan.draft.own.is_empty() {
            // Rule 1: objects first, then a look at each, then the commit.
            if let Err(error) = are_there(&self.pair.target, &plan).await {
                if matches!(error, VerifyError::Wrong(_)) {
                    // The receipts claim what is not there: they are worth nothing.
                    self.forget_work(plan.summary.ordinal).await?;
                }
                return Err(RunError::Verify(error));
            }
        }
        self.plan = Some(plan);
        self.record.commit_at = Some(self.clock.now());
        self.save(RunState::Committing).await
    }

    /// Waits for the engine, saving the progress as it goes.
    async fn follow(
        &mut self,
        reference: &ExternalRef,
    ) -> Result<Result<Copied, CopyFailure>, RunError> {
        loop {
            match self.engine.poll(reference).await? {
                Progress::Done(copied) => return Ok(Ok(copied)),
                Progress::Failed { why, .. } => return Ok(Err(why)),
                Progress::Running(copied) => {
                    self.record.copied = copied;
                    self.engine.ended(reference, PROGRESS).await;
                    self.save(RunState::Copying).await?;
                }
            }
        }
    }

    async fn copy_failed(&mut self, why: CopyFailure) -> Result<(), RunError> {
        let is_by_rows = self
            .record
            .plan
            .as_ref()
            .is_some_and(|plan| !plan.choice.is_empty());
        let is_lost = match &self.record.plan {
            Some(plan) if self.record.lost_file => {
                let moved_on = has_moved_on(&self.pair.source, plan).await;
                !moved_on.map_err(RunError::Plan)?
            }
            _ => false,
        };
        match why.kind {
            // Perhaps a file of the change feed: copying does without.
            FailureKind::Missing | FailureKind::Size if is_by_rows => {
                self.record.files_only = true;
                self.again().await
            }
            // The source vacuumed the file while we copied: its newest version does without it, or is corrupt (rule 27).
            FailureKind::Missing if !is_lost => {
                self.record.lost_file = true;
                self.again().await
            }
            FailureKind::Missing | FailureKind::Size => {
                self.end(RunState::Failed, format!("The source is corrupt: {why}."))
                    .await
            }
            FailureKind::Other => Err(RunError::Copy(why)),
        }
    }

    async fn committing(&mut self) -> Result<(), RunError> {
        let (Some(kept), Some(at)) = (self.record.plan.clone(), self.record.commit_at) else {
            return self.again().await;
        };
        let target = &self.pair.target;
        let latest = target.latest_version().await.map_err(RunError::Commit)?;
        if latest.is_some_and(|latest| latest >= kept.target_version) {
            return self.taken(&kept).await;
        }
        let is_taken_up = self.plan.is_none();
        let Some(mut plan) = self.files_of_plan().await? else {
            return Ok(());
        };
        if !self.settled(&mut plan).await? {
            return Ok(());
        }
        // No log names what was copied yet: since then a vacuum may have taken it for an orphan.
        if is_taken_up && let Err(error) = are_there(&self.pair.target, &plan).await {
            if !matches!(error, VerifyError::Wrong(_)) {
                return Err(RunError::Verify(error));
            }
            self.forget_work(plan.summary.ordinal).await?;
            // What was written anew here is written again.
            self.plan = Some(plan).filter(|plan| !plan.is_settled);
            return self.save(RunState::Copying).await;
        }
        let mut at = at;
        if is_taken_up {
            // Since it was fixed days may have gone by: tombstones as old as that would be over before they stand, and whoever
            // reads the version before this one would be left without its files.
            at = self.clock.now();
            self.record.commit_at = Some(at);
            self.save(RunState::Committing).await?;
        }
        let body = plan.draft.body(&plan.summary, self.pair.replica_table, at);
        model::crash_point!("sync.commit.before");
        let written = self
            .pair
            .target
            .write_commit(kept.target_version, body)
            .await;
        model::crash_point!("sync.commit.after");
        match written.map_err(RunError::Commit)? {
            Written::Ours if !is_taken_up => self.save(RunState::Verifying).await,
            // It may be what an earlier attempt wrote, at another time.
            Written::Ours | Written::Taken => self.taken(&kept).await,
        }
    }

    /// The version stands in the log: by this run, by another run of this replica table, or by a stranger.
    async fn taken(&mut self, plan: &PlanSummary) -> Result<(), RunError> {
        let version = plan.target_version;
        let mark = mark_of(&self.pair.target, version, self.pair.replica_table).await;
        match mark.map_err(|error| RunError::Commit(error.into()))? {
            Some(mark) if mark.run == self.run.id && mark.source_version == plan.source_version => {
                self.record.commit_at = mark.committed_at.or(self.record.commit_at);
                self.save(RunState::Verifying).await
            }
            // Another run, or an earlier plan of this one by a driver that was fenced too late.
            Some(_) => self.again().await,
            None => {
                let what = format!("somebody else wrote version {version}");
                self.end(RunState::Parked, PlanError::Diverged { what }.to_string())
                    .await
            }
        }
    }

    async fn verifying(&mut self) -> Result<(), RunError> {
        let Some(mut plan) = self.record.plan.clone() else {
            return self.again().await;
        };
        model::crash_point!("sync.verify.before");
        let verified = tail::verified(self.pair, &mut plan).await;
        model::crash_point!("sync.verify.after");
        match verified {
            Ok(verified) => {
                self.record.verified = Some(verified);
                self.record.plan = Some(plan.clone());
            }
            Err(error) if error.is_passing() => return Err(RunError::Verify(error)),
            Err(error) => {
                self.record.differs = true;
                return self.end(RunState::Failed, error.to_string()).await;
            }
        }
        if plan.target_version > 0 && plan.target_version.is_multiple_of(CHECKPOINT_EVERY) {
            model::crash_point!("sync.checkpoint.before");
            if let Err(error) = checkpoint(&self.pair.target, plan.target_version).await {
                // Readers do without; the next one is due soon.
                tracing::warn!(
                    replica_table = %self.pair.replica_table, version = plan.target_version, %error,
                    "no checkpoint could be written on the replica"
                );
            }
            model::crash_point!("sync.checkpoint.after");
        }
        // Of a plan that was given up, too.
        if !plan.choice.is_empty() || self.record.files_only {
            self.unstage().await;
        }
        self.save(RunState::Done).await
    }
}

/// Whether a plan made anew means the same.
fn is_same(anew: &PlanSummary, kept: &PlanSummary) -> bool {
    anew.target_version == kept.target_version
        && anew.source_version == kept.source_version
        && anew.source_table == kept.source_table
        && anew.keys_digest == kept.keys_digest
        && anew.protocol_digest == kept.protocol_digest
        && anew.metadata_digest == kept.metadata_digest
        && anew.choice == kept.choice
        && (kept.domains_digest.is_none() || anew.domains_digest == kept.domains_digest)
}

async fn checkpoint(target: &Table, version: u64) -> Result<(), LogError> {
    target
        .write_checkpoint(&target.snapshot(Some(version)).await?)
        .await
}

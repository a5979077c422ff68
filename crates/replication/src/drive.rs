//! Driving a sync run through its states: planned → copying → committing → verifying → done, parked or failed.
//!
//! Every state is saved before its work begins, and all work can be done again: a plan is made anew for the pinned
//! version, finished objects are recognised, the commit by its `txnId`. A driver whose `attempt` is no longer the run's
//! stops at the next save. Errors that may pass leave the state as it is, for the next attempt.

mod adopting;
mod committing;
mod copying;
mod narrowed;
mod rows;

use std::path::PathBuf;
use std::time::Duration;

use delta::LogError;
use model::{Clock, RunState, SyncRunId};

use crate::engine::{CopyEngine, EngineError};
use crate::files::CopyFailure;
use crate::journal::{JournalError, RunJournal, RunRecord};
use crate::marker::Marker;
use crate::plan::{Ask, Fate, Pair, Plan, PlanError, PlanSummary, Planned, plan_for};
use crate::verify::VerifyError;

/// How often a running copy's progress is saved, which is also how soon a fenced driver notices.
const PROGRESS: Duration = Duration::from_secs(2);

/// Plans of one run before it gives up for this time: others keep committing, or the source keeps changing.
const MOST_PLANS: u32 = 8;

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

    /// Back to planning, at the newest version, or the next one where each is a commit of its own.
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
            newest: self.record.lost_file,
            unfed: self.record.unfed,
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
        && anew.cdc_files == kept.cdc_files
        && (kept.domains_digest.is_none() || anew.domains_digest == kept.domains_digest)
}

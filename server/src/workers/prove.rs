//! Checks of a replica table that look at its data: level 2 at every object, level 3 at every row, on both sides. What is found to
//! differ is put in quarantine.
//!
//! Rows are read where they lie, as far as workers stand there: one beside the source keeps what its rows come to in the run's journal,
//! and one beside the replica compares. Nothing but these sums crosses.

use delta::LogError;
use exchange::Principal;
use exchange::jobs::Leased;
use exchange::replicas::{RunBegun, RunProgress, RunStart, SyncTask};
use model::{Location, Purpose, RunKind, RunState, crash_point};
use replication::{PlanSummary, Sums, VerifyError};
use storage::Meter;

use super::handlers::Lakehand;
use super::sync::Opened;
use super::upkeep::meter;
use super::{Outcome as Ended, WorkFailed};

/// What a check has come to.
enum Proved {
    InOrder,
    /// And in which partitions.
    Differs(String, Vec<String>),
    /// It cannot be said, and trying again does not help.
    Unknown(String),
    /// What is left of it is done by a worker that stands elsewhere.
    Moved,
}

/// The level that a check is asked for; only the log and the counts where nothing is said.
pub(super) fn level_of(leased: &Leased) -> u64 {
    let level = leased.payload.get("level");
    level.and_then(serde_json::Value::as_u64).unwrap_or(1)
}

impl Lakehand {
    /// Checks a replica table as a run of its own: nothing else is done on the table meanwhile.
    pub(super) async fn prove(&self, leased: &Leased, level: u64) -> Result<Ended, WorkFailed> {
        let system = Principal::system();
        let Some(task) = self.task(leased).await? else {
            return Ok(Ended::Done);
        };
        let begun = self
            .exchange
            .run_begin(&system, &task, RunKind::Verify, leased)
            .await?;
        let run = match begun {
            RunBegun::Run(run) => run,
            RunBegun::Later(wait) => return Ok(Ended::Later(wait)),
            RunBegun::Over => return Ok(Ended::Done),
        };
        let proved = self.prove_run(leased, &run, level).await;
        if let Err(failed) = &proved {
            self.note_failure(&task, &run, leased, failed).await;
        }
        proved
    }

    async fn prove_run(
        &self,
        leased: &Leased,
        run: &RunStart,
        level: u64,
    ) -> Result<Ended, WorkFailed> {
        let system = Principal::system();
        // As it stands now that nobody else works on it.
        let Some(task) = self.task(leased).await? else {
            return Ok(Ended::Done);
        };
        let proved = match self.promise(&task).await? {
            Some(plan) => self.prove_table(&task, (leased, run), &plan, level).await?,
            None => Proved::Unknown("nothing was synced yet that could be checked".to_owned()),
        };
        crash_point!("verify.finish.before");
        let finished = match proved {
            Proved::Moved => return Ok(Ended::Later(0)),
            Proved::InOrder => self.exchange.run_proved(&system, &task, run).await?,
            Proved::Differs(why, suspects) => {
                self.exchange
                    .replica_quarantined(&system, &task, Some(run), &why, &suspects)
                    .await?
            }
            Proved::Unknown(why) => {
                let state = RunState::Failed;
                self.exchange
                    .run_ended(&system, &task, run, state, &why, false)
                    .await?
            }
        };
        crash_point!("verify.finish.after");
        if !finished {
            tracing::warn!(run.id = %run.id, "a later attempt has finished this check");
        }
        Ok(Ended::Done)
    }

    async fn prove_table(
        &self,
        task: &SyncTask,
        (leased, run): (&Leased, &RunStart),
        plan: &PlanSummary,
        level: u64,
    ) -> Result<Proved, WorkFailed> {
        let key = (task.product_id, task.table_id);
        let source = meter(key, "verify", Purpose::Verify);
        let target = meter(key, "verify", Purpose::Verify);
        let (from, to) = (task.from_location()?, task.to_location()?);
        let opened = self.open_pair(task, &source, &target).await?;
        let replica = &opened.pair.target;
        let mut progress = RunProgress {
            state: Some(RunState::Verifying),
            journal: run.journal.clone(),
            to_version: Some(plan.source_version),
            ..RunProgress::default()
        };
        self.keep(run, &progress).await?;
        // An earlier attempt may have read the source already; it is read once.
        let kept = serde_json::from_str::<Sums>(&run.journal).ok();
        let kept = kept.filter(|sums| sums.version == plan.source_version);
        if level >= 3 && kept.is_none() && self.is_beside(&from, &to).await? {
            let (source, target) = ((&source, &from), (&target, &to));
            let theirs = match self.sums_of_source(&opened, source, target, plan).await? {
                Ok(theirs) => theirs,
                Err(unknown) => return Ok(unknown),
            };
            progress.journal = serde_json::to_string(&theirs).unwrap_or_default();
            self.keep(run, &progress).await?;
            self.exchange.work_move(leased, &to).await?;
            return Ok(Proved::Moved);
        }

        // What every check asks comes first: it is cheap.
        let promised = replication::verify(replica, plan);
        if let Err(error) = self.reads.noting(&target, &to, None, promised).await {
            let escape = error.escape_version();
            self.note_escape(task, escape, &error).await;
            return differs(error, Vec::new());
        }
        let looking = replication::look(replica, plan.target_version);
        let looked = match self.reads.noting(&target, &to, None, looking).await {
            Ok(looked) => looked,
            Err(error) => return differs(error, Vec::new()),
        };
        if let Some(why) = looked.wrong.values().next() {
            let error = VerifyError::Wrong(why.clone());
            return differs(error, looked.wrong.keys().cloned().collect());
        }
        if let Some(rows) = plan.rows_full.filter(|rows| *rows != looked.rows) {
            let why = format!("it has {} rows and should have {rows}", looked.rows);
            return differs(VerifyError::Wrong(why), Vec::new());
        }
        if level < 3 {
            return Ok(Proved::InOrder);
        }

        if kept.is_none() && self.is_beside(&to, &from).await? {
            self.exchange.work_move(leased, &from).await?;
            return Ok(Proved::Moved);
        }
        let theirs = match kept {
            Some(sums) => sums,
            None => match self
                .sums_of_source(&opened, (&source, &from), (&target, &to), plan)
                .await?
            {
                Ok(theirs) => theirs,
                Err(unknown) => return Ok(unknown),
            },
        };
        progress.journal = serde_json::to_string(&theirs).unwrap_or_default();
        self.keep(run, &progress).await?;
        let summing = replication::sums(replica, plan.target_version);
        let ours = match self.reads.noting(&target, &to, None, summing).await {
            Ok(sums) => sums,
            Err(error) => return differs(error, Vec::new()),
        };
        match replication::compare(&theirs, &ours) {
            Ok(_) => Ok(Proved::InOrder),
            Err(error) => differs(error, theirs.differing(&ours)),
        }
    }

    /// Whether this process stands at the one end, and another one that lives at the other.
    async fn is_beside(&self, one: &Location, other: &Location) -> Result<bool, WorkFailed> {
        let is_here = one != other && self.reads.here() == Some(one);
        Ok(is_here && self.exchange.worker_stands_at(other).await?)
    }

    /// What the rows of the source come to, or that it cannot be said. Of a cut's as its replica has them: which columns those are is
    /// read in the replica's log.
    async fn sums_of_source(
        &self,
        opened: &Opened,
        (source, from): (&Meter, &Location),
        (target, to): (&Meter, &Location),
        plan: &PlanSummary,
    ) -> Result<Result<Sums, Proved>, WorkFailed> {
        let pair = &opened.pair;
        let summing = async {
            match &pair.narrow {
                None => replication::sums(&pair.source, plan.source_version).await,
                Some(narrow) => {
                    let replica = (&pair.target, plan.target_version);
                    replication::narrow::sums(&pair.source, plan.source_version, narrow, replica)
                        .await
                }
            }
        };
        let summing = async {
            match &pair.narrow {
                None => summing.await,
                Some(_) => self.reads.noting(target, to, None, summing).await,
            }
        };
        let summed = self.reads.noting(source, from, None, summing).await;
        let why = match summed {
            Ok(sums) => {
                let unread = sums.unreadable.values().next().cloned();
                match unread {
                    None => return Ok(Ok(sums)),
                    Some(why) => VerifyError::Wrong(why),
                }
            }
            Err(error) => error,
        };
        unknown(why, plan.source_version).map(Err)
    }

    async fn keep(&self, run: &RunStart, progress: &RunProgress) -> Result<(), WorkFailed> {
        let system = Principal::system();
        if self.exchange.run_save(&system, run, progress).await? {
            Ok(())
        } else {
            Err(WorkFailed::passing("a later attempt does this check"))
        }
    }
}

fn differs(error: VerifyError, suspects: Vec<String>) -> Result<Proved, WorkFailed> {
    if error.is_passing() {
        return Err(WorkFailed::passing(error.to_string()));
    }
    Ok(Proved::Differs(error.to_string(), suspects))
}

/// What is wrong with the source says nothing of the replica.
fn unknown(error: VerifyError, version: u64) -> Result<Proved, WorkFailed> {
    let is_gone = matches!(&error, VerifyError::Log(LogError::NoSuchVersion { .. }));
    let is_passing = error.is_passing() && !is_gone;
    let why = match error {
        VerifyError::Wrong(why) | VerifyError::Store(why) => why,
        VerifyError::Log(error) => error.to_string(),
    };
    if is_passing {
        return Err(WorkFailed::passing(format!("Source: {why}")));
    }
    Ok(Proved::Unknown(format!(
        "version {version} of the source cannot be read any more ({why}); sync the replica and check it again"
    )))
}

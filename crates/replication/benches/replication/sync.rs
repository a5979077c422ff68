//! A replica, and its sync runs through the engine: the same calls that the server's worker makes, with a journal in memory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail};
use async_trait::async_trait;
use delta::{Budgets, Table};
use model::{ManualClock, ReplicaTableId, SyncRunId, Timestamp};
use object_store::ObjectStore;
use replication::{
    CopyOptions, Ends, Fence, JournalError, LocalEngine, Outcome, Pair, PlanSummary, Run,
    RunJournal, RunRecord, Ways, compare, drive, sums,
};

use crate::stores::Metered;

/// How a replica is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Every file that the replica does not hold is copied, as Deep Clone does.
    FileCopy,
    /// Whatever the engine finds cheapest.
    Ours,
}

/// Keeps the records of runs until the process ends.
#[derive(Default)]
struct Journal(Mutex<HashMap<SyncRunId, RunRecord>>);

#[async_trait]
impl RunJournal for Journal {
    async fn load(&self, run: SyncRunId) -> Result<Option<RunRecord>, JournalError> {
        let runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(runs.get(&run).cloned())
    }

    async fn save(
        &self,
        run: SyncRunId,
        _attempt: i64,
        record: &RunRecord,
    ) -> Result<bool, JournalError> {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        runs.insert(run, record.clone());
        Ok(true)
    }
}

/// Nobody else is there.
pub(crate) struct Alone;

#[async_trait]
impl Fence for Alone {
    async fn holds(&self) -> bool {
        true
    }
}

pub(crate) struct Replica {
    pub(crate) source: Metered,
    pub(crate) target: Metered,
    pub(crate) pair: Pair,
    engine: LocalEngine,
    journal: Journal,
    clock: ManualClock,
    /// Manifests and receipts.
    folder: PathBuf,
    version: Option<u64>,
}

/// The two tables as a run is given them. What of row-level copies and skipped compactions is to be done is said here and nowhere
/// else.
pub(crate) fn pair(
    mode: Mode,
    source: &Arc<dyn ObjectStore>,
    target: &Arc<dyn ObjectStore>,
    budgets: &Budgets,
    at: Timestamp,
) -> Result<Pair> {
    let table = |objects: &Arc<dyn ObjectStore>| Table::new(Arc::clone(objects), budgets.clone());
    let ways = match mode {
        Mode::FileCopy => Ways::FILES,
        Mode::Ours => Ways {
            skip: true,
            ..Ways::default()
        },
    };
    Ok(Pair {
        source: table(source),
        target: table(target),
        replica_table: ReplicaTableId::new(at),
        product: "vehicle-visits".parse()?,
        retention_hours: 168,
        mend: None,
        ways,
        each: false,
        hurries: false,
        narrow: None,
        adopt: None,
    })
}

impl Replica {
    /// `folder` is for manifests and receipts.
    pub(crate) fn new(
        mode: Mode,
        source: Metered,
        target: Metered,
        folder: &Path,
        at: Timestamp,
    ) -> Result<Self> {
        let budgets = Budgets::default();
        let ends = Ends {
            source: Arc::clone(&source.objects),
            target: Arc::clone(&target.objects),
            parts: target.parts.clone(),
        };
        Ok(Self {
            pair: pair(mode, &source.objects, &target.objects, &budgets, at)?,
            engine: LocalEngine::new(Arc::new(ends), CopyOptions::default()),
            journal: Journal::default(),
            clock: ManualClock::at(at),
            folder: folder.to_owned(),
            version: None,
            source,
            target,
        })
    }

    /// One run to its end; nothing where the replica stands at the source's version.
    pub(crate) async fn sync(&mut self, at: Timestamp) -> Result<Option<PlanSummary>> {
        self.clock.set(at);
        let run = Run {
            id: SyncRunId::new(at),
            attempt: 1,
            folder: self.folder.clone(),
            target_version: self.version,
            budget: None,
            source: "source".to_owned(),
            target: "target".to_owned(),
        };
        let outcome = drive(&run, &self.pair, &self.engine, &self.journal, &self.clock).await?;
        match outcome {
            Outcome::Done(plan) => {
                self.version = Some(plan.target_version);
                Ok(Some(*plan))
            }
            Outcome::Nothing { .. } => Ok(None),
            outcome => bail!("the run did not end well: {outcome:?}"),
        }
    }

    /// Level 3: the rows of the replica are those of the source, which is read where it lies.
    pub(crate) async fn verify(&self, source: &replication::Sums) -> Result<u64> {
        let Some(version) = self.version else {
            bail!("the replica has no version");
        };
        let ours = sums(&self.pair.target, version).await?;
        Ok(compare(source, &ours)?)
    }
}

//! Plans the next sync of a replica table for whoever asks before it runs: opens both folders as a run does and lets
//! `replication::foresee` plan. Nothing is written, and no data file is read.

use std::time::Duration;

use async_trait::async_trait;
use exchange::ports::{
    Adoptable, Anew, Foreseen, Foreseer, Foresight, Moves, Problem, StorageAccess,
};
use exchange::replicas::SyncTask;
use model::{Commits, Fetches, Purpose, ReplicaState, Timestamp};
use replication::{Adoption, FullReason, Mend, Narrow, Pair, PlanError, Ways};
use storage::{Cause, Meter, MeterKey, check_relative};

use super::reads::Reads;
use super::stores::{Lake, TableAt};

/// Somebody waits for the answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer where each object of a copy is looked at, too, and compared with the source's.
const PATIENCE_WITH_A_COPY: Duration = Duration::from_secs(600);

/// The two tables of a replica table, as its runs are planned; `beside` the replica, or from elsewhere.
///
/// # Errors
/// Why what a cut hashes cannot be: then nothing is planned or written.
pub(crate) fn pair_of(
    task: &SyncTask,
    source: &TableAt,
    target: &TableAt,
    beside: bool,
) -> Result<Pair, String> {
    let narrow = task.narrowed().map_err(str::to_owned)?;
    let ways = Ways {
        feed: task.fetches() != Fetches::Files,
        skip: task.fetches() == Fetches::Least,
        purge: task.purge_after(),
        ..Ways::default()
    };
    let hours = task.retention() / model::time::HOUR;
    Ok(Pair {
        source: source.table.clone(),
        target: target.table.clone(),
        replica_table: task.replica_table_id,
        product: task.product.clone(),
        retention_hours: u32::try_from(hours).unwrap_or(u32::MAX),
        mend: task.suspects().map(|suspects| Mend {
            suspects: suspects.into_iter().collect(),
        }),
        ways: if beside { ways } else { ways.from_elsewhere() },
        each: task.commits() == Commits::Each,
        hurries: task.hurries,
        // A copy of all of it is none of a part.
        adopt: match narrow {
            Some(_) => None,
            None => adoption_of(task, target, beside),
        },
        narrow: narrow.map(|(what, key)| {
            let narrow = Narrow::new(what.clone(), key.bytes());
            match task.agreed() {
                Some(schema) => narrow.agreed_at(schema.to_owned()),
                None => narrow,
            }
        }),
    })
}

/// The copy that a first sync is to take over, where one was named.
fn adoption_of(task: &SyncTask, target: &TableAt, beside: bool) -> Option<Adoption> {
    // What cannot be a folder was refused when it was named.
    let folder = check_relative(task.adopt_path.as_deref()?).ok()?;
    Some(Adoption {
        storage: target.store.objects(),
        folder,
        own: target.folder.clone(),
        beside,
        by_ends: task.adopt_by_ends.unwrap_or(false),
    })
}

/// [`Foreseer`] over the lake.
#[derive(Clone)]
pub struct LakeForeseer {
    lake: Lake,
    reads: Reads,
}

impl LakeForeseer {
    pub fn new(lake: Lake, reads: Reads) -> Self {
        Self { lake, reads }
    }

    async fn plan(
        &self,
        task: &SyncTask,
        (source, target): (&StorageAccess, &StorageAccess),
        (from, to): (&Meter, &Meter),
        (beside, at): (bool, Timestamp),
    ) -> Result<Foreseen, Problem> {
        let source = self.lake.table(source, &task.source_path, from)?;
        let target = self.lake.table(target, &task.target_path, to)?;
        let mut pair = pair_of(task, &source, &target, beside).map_err(Problem::new)?;
        let mut expected = task.replica_version;
        // As a run does: what somebody emptied is cloned anew.
        if task.table_state == ReplicaState::Diverged
            && expected.is_some()
            && let Ok(true) =
                replication::is_vacant(target.objects.as_ref(), task.replica_table_id).await
        {
            expected = None;
            pair.mend = None;
        }
        let found = replication::foresee(&pair, expected, at).await;
        Ok(told(found.map_err(|error| problem_of_plan(&error))?))
    }
}

#[async_trait]
impl Foreseer for LakeForeseer {
    async fn foresee(
        &self,
        task: &SyncTask,
        source: &StorageAccess,
        target: &StorageAccess,
        beside: bool,
        at: Timestamp,
    ) -> Result<Foreseen, Problem> {
        let (from, to) = (meter(task), meter(task));
        let plan = self.plan(task, (source, target), (&from, &to), (beside, at));
        let patience = match task.adopt_path {
            Some(_) => PATIENCE_WITH_A_COPY,
            None => PATIENCE,
        };
        let plan = tokio::time::timeout(patience, plan);
        let plan = self.reads.noting(&to, &target.location, None, plan);
        let plan = self.reads.noting(&from, &source.location, None, plan);
        plan.await.unwrap_or_else(|_| {
            Err(Problem::new(match task.adopt_path {
                Some(_) => {
                    "The logs and the copy could not be looked at within ten minutes. Try it again, or let a run do it."
                }
                None => {
                    "The logs could not be read within a minute. Try it again, or let a run do it."
                }
            }))
        })
    }
}

/// What each end is read for belongs to the table, as what its runs read does.
fn meter(task: &SyncTask) -> Meter {
    Meter::new(MeterKey {
        product: Some(task.product_id),
        table: Some(task.table_id),
        cause: Cause::Operation("replica.plan"),
        purpose: Purpose::Inspect,
    })
}

fn problem_of_plan(error: &PlanError) -> Problem {
    Problem::new(error.to_string())
}

fn told(found: replication::Foreseen) -> Foreseen {
    let found = match found {
        replication::Foreseen::Nothing { source_version, .. } => {
            return Foreseen::Nothing {
                version: source_version,
            };
        }
        replication::Foreseen::Work(found) => *found,
    };
    let moves = |moves: replication::Moves| Moves {
        objects: moves.objects,
        bytes: moves.bytes,
        requests: moves.requests,
    };
    Foreseen::Work(Box::new(Foresight {
        from_version: found.summary.from_version,
        to_version: found.summary.source_version,
        anew: found.summary.full.map(|reason| match reason {
            FullReason::First => Anew::First,
            FullReason::Recreated => Anew::Recreated,
            FullReason::Mended => Anew::Mended,
        }),
        full: moves(found.full),
        files: moves(found.files),
        feed: found.feed.map(moves),
        skip: found.skip.map(moves),
        run: moves(found.run),
        sets_fed: found.sets_fed,
        sets_skipped: found.sets_skipped,
        why: found.why,
        commits: found.summary.commits.clone(),
        vectors: moves(found.vectors),
        are_vectors_enough: found.are_vectors_enough,
        reused: found.summary.files_reused,
        adopted: found.summary.adopted.map(|adopted| Adoptable {
            folder: adopted.folder,
            files: adopted.files,
            bytes: adopted.bytes,
            to_read_bytes: adopted.to_read_bytes,
            perhaps_files: adopted.perhaps_files,
            compared_bytes: adopted.compared_bytes,
            why: adopted.why,
        }),
    }))
}

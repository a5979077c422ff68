//! Forgetting as an erasure wants it: what a vacuum deletes is written down, what is left after it is counted, and the store is
//! asked what it keeps. Told to the exchange, which makes the certificate of it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use delta::{LogError, Table};
use exchange::erasures::{ErasedGone, ErasedNew, ErasureSeen, ErasureTask};
use exchange::replicas::{RunStart, SyncTask};
use exchange::{Exchange, Principal};
use model::time::{DAY, HOUR};
use model::{ErasureState, ReplicaTableId, Timestamp};
use replication::{
    Doomed, Fence, Gone, Keep, Ledger, Proof, Removal, Residue, RunRecord, VacuumError,
    VacuumReport,
};
use serde_json::json;
use storage::{Keeps, Remains};

use super::WorkFailed;
use super::handlers::Lakehand;
use super::upkeep::vacuum_failure;
use crate::adapters::stores::{TableAt, problem_of_store};

/// The exchange's ledger, for one replica table.
pub(super) struct Book<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) id: ReplicaTableId,
}

#[async_trait]
impl Ledger for Book<'_> {
    async fn mean(&self, objects: &[Doomed]) -> Result<(), String> {
        let objects: Vec<ErasedNew> = objects
            .iter()
            .map(|object| ErasedNew {
                key: object.key.clone(),
                size: object.size,
                etag: object.etag.clone(),
                why: object.why.as_str(),
                since: object.why.since(),
                removal: object
                    .removal
                    .map(|removal| (removal.version, removal.source_version, removal.source_at)),
            })
            .collect();
        let system = Principal::system();
        let meant = self.exchange.erased_mean(&system, self.id, &objects).await;
        meant.map_err(|error| error.to_string())
    }

    async fn gone(&self, objects: &[Gone]) -> Result<(), String> {
        let objects: Vec<ErasedGone> = objects
            .iter()
            .map(|object| ErasedGone {
                key: object.key.clone(),
                deleted_at: object.deleted_at,
                not_found_at: object.gone_at,
            })
            .collect();
        let system = Principal::system();
        let gone = self.exchange.erased_gone(&system, self.id, &objects).await;
        gone.map_err(|error| error.to_string())
    }
}

/// What it takes to see an erasure through on a replica table.
pub(super) struct Forgetting<'a> {
    pub(super) task: &'a SyncTask,
    pub(super) run: &'a RunStart,
    pub(super) target: &'a TableAt,
    pub(super) table: &'a Table,
    pub(super) keep: &'a Keep,
    pub(super) fence: &'a dyn Fence,
    pub(super) proof: &'a Proof<'a>,
}

impl Lakehand {
    /// Fills in the ledger's lines that somebody who died has left open.
    pub(super) async fn settle(&self, table: &Table, book: &Book<'_>) -> Result<(), WorkFailed> {
        let system = Principal::system();
        let open = self.exchange.erased_open(&system, book.id).await?;
        if open.is_empty() {
            return Ok(());
        }
        let clock = self.exchange.clock();
        let gone = replication::look_again(table, open, &clock)
            .await
            .map_err(vacuum_failure)?;
        book.gone(&gone).await.map_err(WorkFailed::passing)
    }

    /// How long what is kept, with what is known of when the source removed it.
    pub(super) async fn keeping(
        &self,
        task: &SyncTask,
        retention_hours: u32,
        tasks: &[ErasureTask],
    ) -> Result<Keep, WorkFailed> {
        let system = Principal::system();
        let since = self.exchange.now().plus(-task.retention()).plus(-2 * DAY);
        let id = task.replica_table_id;
        let journals = self.exchange.run_journals(&system, id, since).await?;
        let records = journals
            .iter()
            .filter_map(|journal| serde_json::from_str::<RunRecord>(journal).ok());
        let at_once = tasks.iter().filter(|task| task.at_once);
        Ok(Keep {
            retention_hours,
            removals: records.filter_map(|record| Removal::of(&record)).collect(),
            forget: at_once.filter_map(|task| task.upto).max(),
        })
    }

    /// Ends uploads into a replica table's folder that nobody works on any more; what cannot be ended waits for the next time.
    pub(super) async fn end_uploads(&self, target: &TableAt, tasks: &[ErasureTask]) -> u64 {
        // No run but this one is at work on the folder.
        let age = if tasks.iter().any(|task| task.at_once) {
            HOUR
        } else {
            DAY
        };
        let before = wall_clock().plus(-age);
        match target.store.end_unfinished(&target.folder, before).await {
            Ok(ended) => ended.left,
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "unfinished uploads could not be looked for"
                );
                0
            }
        }
    }

    /// Sees to it what the erasures that wait for a replica table come to, after it was vacuumed. Answers what of its history was
    /// deleted.
    pub(super) async fn forget(
        &self,
        tasks: &[ErasureTask],
        forgetting: &Forgetting<'_>,
    ) -> Result<VacuumReport, WorkFailed> {
        let system = Principal::system();
        let mut report = VacuumReport::default();
        for task in tasks {
            let seen = match task.upto {
                None if forgetting.task.wants_sync() => {
                    waits("a sync that holds the source as it is without the rows".to_owned())
                }
                None => waits(
                    "the end of the replica: nobody reads it any more, so it is not synced, and its folder is emptied when its time is over"
                        .to_owned(),
                ),
                Some(upto) => self.forget_up_to(upto, forgetting, &mut report).await?,
            };
            let kept = self
                .exchange
                .erasure_seen(
                    &system,
                    forgetting.task,
                    forgetting.run,
                    task.erasure,
                    &seen,
                )
                .await?;
            if !kept {
                return Err(WorkFailed::passing("a later attempt does this vacuum"));
            }
        }
        Ok(report)
    }

    async fn forget_up_to(
        &self,
        upto: u64,
        with: &Forgetting<'_>,
        report: &mut VacuumReport,
    ) -> Result<ErasureSeen, WorkFailed> {
        let id = with.task.replica_table_id;
        let look = || replication::residue(with.table, id, upto, with.keep);
        let left = look().await.map_err(vacuum_failure)?;
        if left.waits() {
            let count = left.removed + left.orphans;
            let until = left.next.map(|at| format!(" until {at}"));
            return Ok(waits(format!(
                "the retention of {count} objects{}",
                until.unwrap_or_default()
            )));
        }
        let mut reasons = Vec::new();
        match replication::forget_history(with.table, id, with.fence, with.proof).await {
            Ok(forgotten) => {
                report.deleted += forgotten.deleted;
                report.bytes += forgotten.bytes;
            }
            // Of such a table no checkpoint can be written, so its log cannot begin anew.
            Err(VacuumError::Log(LogError::Unsupported { what })) => {
                reasons.push(format!("its log cannot begin anew ({what})"));
            }
            Err(error) => return Err(vacuum_failure(error)),
        }
        let left = look().await.map_err(vacuum_failure)?;
        let store = &with.target.store;
        let unreachable = |error| WorkFailed::from(problem_of_store(error));
        let remains = store
            .remains(&with.target.folder)
            .await
            .map_err(unreachable)?;
        reasons.extend(left_behind(&left));
        match Uploads::of(with.target, wall_clock().plus(-HOUR)).await? {
            Uploads::None => {}
            Uploads::Open(open) => {
                return Ok(waits(format!(
                    "the end of {open} uploads that were begun and not finished (on Azure within a week)"
                )));
            }
            Uploads::Unknown => reasons.push(UPLOADS_UNKNOWN.to_owned()),
        }
        reasons.extend(untidy(with.target).await?);
        reasons.extend(kept_anyway(&remains));
        Ok(seen(with.task, &left, remains, reasons))
    }
}

/// What it waits for.
fn waits(reason: String) -> ErasureSeen {
    ErasureSeen {
        state: ErasureState::Waiting,
        reasons: vec![reason],
        facts: json!({}),
        versions: None,
    }
}

/// What an erasure comes to where the whole folder was emptied.
pub(super) async fn emptied(at: &TableAt, id: ReplicaTableId) -> Result<ErasureSeen, WorkFailed> {
    let unreachable = |error| WorkFailed::from(problem_of_store(error));
    let mut reasons = Vec::new();
    // Somebody whose run was ended may have written once more.
    match replication::is_vacant(at.objects.as_ref(), id).await {
        Ok(true) => {}
        Err(error) if error.is_passing() => return Err(WorkFailed::passing(error.to_string())),
        Ok(false) | Err(_) => {
            reasons.push("objects stand in the folder again after it was emptied".to_owned());
        }
    }
    // Nobody is to finish any of them: none is too young to be ended.
    match Uploads::of(at, wall_clock().plus(DAY)).await? {
        Uploads::None => {}
        Uploads::Open(open) => reasons.push(format!(
            "{open} uploads that were begun and not finished could not be ended (Azure drops them within a week)"
        )),
        Uploads::Unknown => reasons.push(UPLOADS_UNKNOWN.to_owned()),
    }
    reasons.extend(untidy(at).await?);
    let remains = at.store.remains(&at.folder).await.map_err(unreachable)?;
    reasons.extend(kept_anyway(&remains));
    Ok(ErasureSeen {
        state: verdict(&reasons),
        reasons,
        facts: json!({ "emptied": true, "store_keeps": kept(&remains.keeps) }),
        versions: remains.versions,
    })
}

/// Folders that deletes have left empty go, too. Why one of them is left, where it is.
async fn untidy(at: &TableAt) -> Result<Option<String>, WorkFailed> {
    match at.store.tidy(&at.folder).await {
        Ok(_) => Ok(None),
        Err(error) if error.is_transient() => Err(problem_of_store(error).into()),
        Err(error) => Ok(Some(format!(
            "folders in which nothing is left could not be looked for and removed, and are called by the values of partitions: {error}"
        ))),
    }
}

/// What the store keeps of what was deleted, or that it does not say.
fn kept_anyway(remains: &Remains) -> Option<String> {
    let listed = remains.versions.as_ref().map_or(0, BTreeMap::len);
    match &remains.keeps {
        Keeps::Old(why) | Keeps::Unknown(why) => Some(why.clone()),
        // Also of what was deleted before anybody wrote that down.
        Keeps::Nothing if listed > 0 => Some(format!(
            "the store lists versions, snapshots or deleted copies of {listed} objects"
        )),
        Keeps::Nothing => None,
    }
}

fn verdict(reasons: &[String]) -> ErasureState {
    if reasons.is_empty() {
        ErasureState::Proven
    } else {
        ErasureState::NotProvable
    }
}

/// What a store keeps, in a word.
const fn kept(keeps: &Keeps) -> &'static str {
    match keeps {
        Keeps::Nothing => "nothing",
        Keeps::Old(_) => "old versions",
        Keeps::Unknown(_) => "unknown",
    }
}

fn seen(task: &SyncTask, left: &Residue, remains: Remains, reasons: Vec<String>) -> ErasureSeen {
    let state = verdict(&reasons);
    let keeps = kept(&remains.keeps);
    ErasureSeen {
        state,
        reasons,
        facts: json!({
            "replica_version": left.version,
            "holds_source_version": task.source_version,
            "store_keeps": keeps,
            "left": {
                "live_objects": left.live,
                "removed_objects": left.removed,
                "unknown_objects": left.orphans,
                "files_with_hidden_rows": left.hiding_files,
                "hidden_rows": left.hidden_rows,
                "files_written_without_hidden_rows": left.purged_files,
                "older_log_objects": left.history,
                "staged_objects": left.staged,
                "tombstones_that_name_partitions": left.naming,
            },
        }),
        versions: remains.versions,
    }
}

const UPLOADS_UNKNOWN: &str =
    "whether uploads were begun and not finished was not answered (s3:ListBucketMultipartUploads)";

/// Uploads into the folder that nobody finished: what of them is still there, or that it cannot be said.
enum Uploads {
    None,
    /// They go by themselves, or are ended once nobody can be at them any more.
    Open(u64),
    Unknown,
}

impl Uploads {
    /// Ends those that were begun before `before`.
    async fn of(at: &TableAt, before: Timestamp) -> Result<Self, WorkFailed> {
        let on_s3 = at.store.end_unfinished(&at.folder, before).await;
        let on_azure = at.store.uncommitted(&at.folder).await;
        match (on_s3, on_azure) {
            (Ok(ended), Ok(uncommitted)) => Ok(match ended.left + uncommitted {
                0 => Self::None,
                open => Self::Open(open),
            }),
            (Err(error), _) | (_, Err(error)) if error.is_transient() => {
                Err(problem_of_store(error).into())
            }
            _ => Ok(Self::Unknown),
        }
    }
}

/// Why what is left is more than the table.
fn left_behind(left: &Residue) -> Vec<String> {
    let mut reasons = Vec::new();
    if left.hiding_files > 0 {
        reasons.push(format!(
            "{} rows in {} files are hidden by deletion vectors alone and stand in the files, here as at the source, for files of such a \
             table are not written anew here, or only by a worker in the replica's region: purge the table there (REORG TABLE … APPLY \
             (PURGE)), then ask again",
            left.hidden_rows, left.hiding_files
        ));
    }
    if left.history > 0 {
        reasons.push(format!(
            "{} objects of the log tell of values of earlier versions",
            left.history
        ));
    }
    if left.staged > 0 {
        reasons.push(format!(
            "{} objects stand where the replica keeps its own affairs",
            left.staged
        ));
    }
    reasons
}

/// Stores say when an upload began by their own clock, not by that of business.
#[expect(
    clippy::disallowed_methods,
    reason = "what a store says of an upload is compared with wall time"
)]
fn wall_clock() -> Timestamp {
    Timestamp::from_datetime(chrono::Utc::now())
}

//! Replicas and the runs that keep them fresh.

use leptos::prelude::*;
use model::dto::AdoptedCopy;
use model::dto::AdoptionNew;
use model::dto::Replica;
use model::dto::SyncJobChange;
use model::dto::SyncPlan;
use model::dto::SyncRun;
use model::dto::TableDetail;
use model::time::DAY;
use model::{Commits, Fetches};
use serde::Deserialize;
use serde::Serialize;

use crate::api::Done;
use crate::api::Listed;
use crate::error::AppError;
use crate::words;

use super::{call, every, parse_id, said, sent};

/// Replicas of one product that the viewer may see.
pub async fn replicas(product: String) -> Result<Vec<Replica>, AppError> {
    let (exchange, principal) = call()?;
    Ok(every!(|page| exchange.replicas(
        &principal,
        Some(&product),
        &page
    )))
}

/// A page of all replicas that the viewer may see, the oldest first.
pub async fn all_replicas(after: Option<String>) -> Result<Listed<Replica>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest { after, limit: None };
    let found = exchange.replicas(&principal, None, &page).await;
    Ok(found.map_err(said)?.into())
}

/// So many days back the picture of the freshness goes.
pub const LATELY_DAYS: i64 = 31;

/// So many pages of runs are read for it.
const RUN_PAGES: usize = 5;

/// What happened lately to a product's tables and their copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lately {
    pub tables: Vec<TableDetail>,
    pub replicas: Vec<Replica>,
    /// Newest first.
    pub runs: Vec<SyncRun>,
    /// Whether older runs of that time were left out.
    pub is_cut: bool,
}

pub async fn lately(product: String) -> Result<Lately, AppError> {
    let (exchange, principal) = call()?;
    let found = exchange.product(&principal, &product).await.map_err(said)?;
    let replicas = replicas(product.clone()).await?;
    let since = exchange.now().plus(-LATELY_DAYS * DAY);
    let mut page = exchange::page::PageRequest::all();
    let mut runs: Vec<SyncRun> = Vec::new();
    let mut is_cut = false;
    for _ in 0..RUN_PAGES {
        let more = exchange
            .sync_runs(&principal, Some(&product), &page)
            .await
            .map_err(said)?;
        runs.extend(more.items);
        page.after = more.next;
        is_cut = page.after.is_some() && runs.last().is_none_or(|run| run.started_at >= since);
        if !is_cut {
            break;
        }
    }
    Ok(Lately {
        tables: found.tables,
        replicas,
        runs,
        is_cut,
    })
}

/// The same of one replica.
pub async fn replica_lately(id: String) -> Result<Lately, AppError> {
    let (exchange, principal) = call()?;
    let replica = exchange.replica(&principal, &id).await.map_err(said)?;
    let mut found = lately(replica.product.to_string()).await?;
    found.replicas.retain(|other| other.id == replica.id);
    Ok(found)
}

/// One replica, and the latest runs of its product.
pub async fn replica(
    id: String,
    after: Option<String>,
) -> Result<(Replica, Listed<SyncRun>), AppError> {
    let (exchange, principal) = call()?;
    let replica = exchange.replica(&principal, &id).await.map_err(said)?;
    let runs = sync_runs(replica.product.to_string(), after).await?;
    Ok((replica, runs))
}

/// What the next sync of a replica would move; reads logs at both ends. None while something is done on it: then the page looks
/// again and again, and the logs must not be read as often.
pub async fn sync_plan(id: String) -> Result<Option<SyncPlan>, AppError> {
    let (exchange, principal) = call()?;
    let replica = exchange.replica(&principal, &id).await.map_err(said)?;
    if replica.tables.iter().any(|table| !table.work.is_empty()) {
        return Ok(None);
    }
    let plan = exchange.sync_plan(&principal, &id).await;
    plan.map(Some).map_err(said)
}

/// The latest runs of a product, newest first.
pub async fn sync_runs(
    product: String,
    after: Option<String>,
) -> Result<Listed<SyncRun>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest {
        after,
        limit: Some(20),
    };
    let found = exchange
        .sync_runs(&principal, Some(&product), &page)
        .await
        .map_err(said)?;
    Ok(found.into())
}

pub async fn sync_run(id: String) -> Result<SyncRun, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&id)?;
    exchange.sync_run(&principal, id).await.map_err(said)
}

/// What concerns one replica and needs no more than its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicaForm {
    pub replica: String,
}

fn started(replica: &Replica, what: &str) -> Done {
    Done::new(
        format!("/replicas/{}", replica.id),
        words::answers::work_is_asked_for(&what, &replica.product, &replica.storage),
    )
}

#[server]
pub async fn start_sync(form: ReplicaForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let replica = exchange.sync_start(&principal, &form.replica);
    Ok(started(
        &replica.await.map_err(said)?,
        words::answers::A_SYNC,
    ))
}

/// A check: of the log and the counts, or closer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyForm {
    pub replica: String,
    #[serde(default)]
    pub level: Option<u8>,
}

#[server]
pub async fn start_verify(form: VerifyForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let level = form.level.unwrap_or(1);
    let replica = exchange.verify_start_at(&principal, &form.replica, level);
    Ok(started(
        &replica.await.map_err(said)?,
        words::answers::A_CHECK,
    ))
}

#[server]
pub async fn release_replica(form: ReplicaForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let replica = exchange.replica_release(&principal, &form.replica);
    let replica = replica.await.map_err(said)?;
    Ok(Done::new(
        format!("/replicas/{}", replica.id),
        words::answers::REPLICA_IS_RELEASED.to_owned(),
    ))
}

#[server]
pub async fn start_vacuum(form: ReplicaForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let replica = exchange.vacuum_start(&principal, &form.replica);
    Ok(started(
        &replica.await.map_err(said)?,
        words::answers::A_VACUUM,
    ))
}

/// Copies that are to be adopted, or were.
pub async fn adoptions() -> Result<Vec<AdoptedCopy>, AppError> {
    let (exchange, principal) = call()?;
    exchange.adoptions(&principal).await.map_err(said)
}

/// A copy that lies in a storage already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdoptForm {
    pub product: String,
    pub storage: String,
    #[serde(default)]
    pub table: String,
    /// Empty: nothing is adopted after all.
    #[serde(default)]
    pub path: String,
    /// `yes` or `no`.
    #[serde(default)]
    pub by_ends: String,
}

#[server]
pub async fn adopt_copy(form: AdoptForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let is_taken_back = form.path.trim().is_empty();
    let new = AdoptionNew {
        product: form.product,
        storage: form.storage,
        table: Some(form.table),
        path: form.path,
        by_ends: form.by_ends == "yes",
    };
    exchange.adoption_set(&principal, new).await.map_err(said)?;
    let notice = if is_taken_back {
        words::flows::NOTHING_IS_ADOPTED
    } else {
        words::flows::THE_COPY_IS_NAMED
    };
    Ok(Done::new("/adoptions", notice))
}

/// When a replica is synced. What is not sent stays as it is; an empty text takes something away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncJobForm {
    pub replica: String,
    pub revision: i64,
    #[serde(default, deserialize_with = "sent")]
    pub every: Option<String>,
    #[serde(default, deserialize_with = "sent")]
    pub at: Option<String>,
    #[serde(default, deserialize_with = "sent")]
    pub cron: Option<String>,
    #[serde(default, deserialize_with = "sent")]
    pub on_new_version: Option<String>,
    #[serde(default, deserialize_with = "sent")]
    pub fresh_within: Option<String>,
    #[serde(default, deserialize_with = "sent")]
    pub verify_objects: Option<String>,
    #[serde(default, deserialize_with = "sent")]
    pub verify_rows: Option<String>,
    #[serde(default, deserialize_with = "sent")]
    pub timezone: Option<String>,
    #[serde(default)]
    pub retention_hours: Option<i64>,
    #[serde(default)]
    pub keep_hours: Option<i64>,
    #[serde(default)]
    pub forget_hours: Option<i64>,
    /// `yes` or `no`.
    #[serde(default)]
    pub paused: Option<String>,
    #[serde(default)]
    pub fetches: Option<Fetches>,
    #[serde(default)]
    pub commits: Option<Commits>,
}

#[server]
pub async fn change_sync_job(form: SyncJobForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let paused = form.paused.map(|word| word == "yes");
    // The one button beside the form sends nothing else.
    let notice = match (&form.every, paused) {
        (None, Some(true)) => words::answers::SCHEDULE_IS_PAUSED,
        (None, Some(false)) => words::answers::THE_SCHEDULE_GOES_ON,
        _ => words::answers::THE_SCHEDULE_IS_CHANGED,
    };
    let change = SyncJobChange {
        name: None,
        every: form.every,
        at: form.at,
        cron: form.cron,
        on_new_version: form.on_new_version,
        fresh_within: form.fresh_within,
        verify_objects: form.verify_objects,
        verify_rows: form.verify_rows,
        timezone: form.timezone,
        retention_hours: form.retention_hours,
        keep_hours: form.keep_hours,
        forget_hours: form.forget_hours,
        paused,
        fetches: form.fetches,
        commits: form.commits,
        revision: Some(form.revision),
    };
    let replica = exchange
        .sync_job_update(&principal, &form.replica, change)
        .await
        .map_err(said)?;
    Ok(Done::new(format!("/replicas/{}", replica.id), notice))
}

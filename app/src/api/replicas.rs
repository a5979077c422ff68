//! Replicas and the runs that keep them fresh.

use leptos::prelude::*;
use model::dto::Replica;
use model::dto::SyncJobChange;
use model::dto::SyncRun;
use serde::Deserialize;
use serde::Serialize;

use crate::api::Done;
use crate::api::Listed;
use crate::error::AppError;

use super::{call, parse_id, said};

/// Replicas that the viewer may see; of one product when `product` is given.
pub async fn replicas(product: Option<String>) -> Result<Vec<Replica>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest::all();
    let found = exchange
        .replicas(&principal, product.as_deref(), &page)
        .await
        .map_err(said)?;
    Ok(found.items)
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
        format!(
            "{what} of {} in {} is asked for; a worker takes it up.",
            replica.product, replica.storage
        ),
    )
}

#[server]
pub async fn start_sync(form: ReplicaForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let replica = exchange.sync_start(&principal, &form.replica);
    Ok(started(&replica.await.map_err(said)?, "A sync"))
}

#[server]
pub async fn start_verify(form: ReplicaForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let replica = exchange.verify_start(&principal, &form.replica);
    Ok(started(&replica.await.map_err(said)?, "A check"))
}

#[server]
pub async fn start_vacuum(form: ReplicaForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let replica = exchange.vacuum_start(&principal, &form.replica);
    Ok(started(&replica.await.map_err(said)?, "A vacuum"))
}

/// When a replica is synced. Everything is said, so an empty text takes something away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncJobForm {
    pub replica: String,
    pub revision: i64,
    #[serde(default)]
    pub every: String,
    #[serde(default)]
    pub at: String,
    #[serde(default)]
    pub cron: String,
    pub timezone: String,
    pub retention_hours: i64,
    pub keep_hours: i64,
    /// `yes` or `no`.
    pub paused: String,
}

#[server]
pub async fn change_sync_job(form: SyncJobForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let change = SyncJobChange {
        name: None,
        every: Some(form.every),
        at: Some(form.at),
        cron: Some(form.cron),
        timezone: Some(form.timezone),
        retention_hours: Some(form.retention_hours),
        keep_hours: Some(form.keep_hours),
        paused: Some(form.paused == "yes"),
        revision: Some(form.revision),
    };
    let replica = exchange
        .sync_job_update(&principal, &form.replica, change)
        .await
        .map_err(said)?;
    Ok(Done::new(
        format!("/replicas/{}", replica.id),
        "The schedule is changed.",
    ))
}

//! Replicas, their jobs, and the runs. A replica is named by its id or as `product@storage`.

use exchange::Operation;
use exchange::page::Page;
use model::SyncRunId;
use model::dto::{Replica, SyncJobChange, SyncPlan, SyncRun};
use serde::Deserialize;

use crate::answer::{Result, ok};
use crate::body::Body;
use crate::call::{At, Call, Filter, OfProduct, Paged};
use crate::endpoint::Endpoints;

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::new()
        .on(Operation::ReplicaList, list).pages::<Replica>().query(&["product"])
        .on(Operation::ReplicaRead, show).answers::<Replica>()
        .on(Operation::SyncJobUpdate, schedule).takes::<SyncJobChange>().answers::<Replica>()
        .on(Operation::SyncStart, sync).answers::<Replica>().query(&["budget"])
        .on(Operation::SyncPlanRead, plan).answers::<SyncPlan>()
        .on(Operation::VacuumStart, vacuum).answers::<Replica>()
        .on(Operation::VerifyStart, verify).answers::<Replica>().query(&["level"])
        .on(Operation::ReplicaRelease, release).answers::<Replica>()
        .on(Operation::SyncRunList, runs).pages::<SyncRun>().query(&["product"])
        .on(Operation::SyncRunRead, run).answers::<SyncRun>()
}

async fn list(
    call: Call,
    Paged(page): Paged,
    Filter(filter): Filter<OfProduct>,
) -> Result<Page<Replica>> {
    ok(call
        .exchange
        .replicas(&call.principal, filter.product.as_deref(), &page)
        .await?)
}

async fn show(call: Call, At(replica): At<String>) -> Result<Replica> {
    ok(call.exchange.replica(&call.principal, &replica).await?)
}

async fn schedule(
    call: Call,
    At(replica): At<String>,
    Body(new): Body<SyncJobChange>,
) -> Result<Replica> {
    ok(call
        .exchange
        .sync_job_update(&call.principal, &replica, new)
        .await?)
}

/// The most bytes of files that the sync may move; as many as it takes where it is not said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Within {
    #[serde(default)]
    budget: Option<u64>,
}

async fn sync(
    call: Call,
    At(replica): At<String>,
    Filter(within): Filter<Within>,
) -> Result<Replica> {
    let (exchange, principal) = (&call.exchange, &call.principal);
    ok(match within.budget {
        Some(budget) => {
            exchange
                .sync_start_within(principal, &replica, budget)
                .await?
        }
        None => exchange.sync_start(principal, &replica).await?,
    })
}

async fn plan(call: Call, At(replica): At<String>) -> Result<SyncPlan> {
    ok(call.exchange.sync_plan(&call.principal, &replica).await?)
}

async fn vacuum(call: Call, At(replica): At<String>) -> Result<Replica> {
    ok(call
        .exchange
        .vacuum_start(&call.principal, &replica)
        .await?)
}

/// How closely a replica is looked at; 1 where it is not said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AtLevel {
    #[serde(default)]
    level: Option<u8>,
}

async fn verify(
    call: Call,
    At(replica): At<String>,
    Filter(at): Filter<AtLevel>,
) -> Result<Replica> {
    ok(call
        .exchange
        .verify_start_at(&call.principal, &replica, at.level.unwrap_or(1))
        .await?)
}

async fn release(call: Call, At(replica): At<String>) -> Result<Replica> {
    ok(call
        .exchange
        .replica_release(&call.principal, &replica)
        .await?)
}

async fn runs(
    call: Call,
    Paged(page): Paged,
    Filter(filter): Filter<OfProduct>,
) -> Result<Page<SyncRun>> {
    ok(call
        .exchange
        .sync_runs(&call.principal, filter.product.as_deref(), &page)
        .await?)
}

async fn run(call: Call, At(run): At<SyncRunId>) -> Result<SyncRun> {
    ok(call.exchange.sync_run(&call.principal, run).await?)
}

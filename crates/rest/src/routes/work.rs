//! The work that waits, runs or is parked.

use exchange::Operation;
use exchange::jobs::{WorkFilter, WorkKind, WorkRetried, WorkRetryAll, WorkRow, WorkState};
use exchange::page::Page;
use model::WorkId;
use serde::Deserialize;

use crate::answer::{Nothing, Result, done, ok};
use crate::body::Body;
use crate::call::{At, Call, Filter, Paged};
use crate::endpoint::Endpoints;

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::new()
        .on(Operation::WorkList, list).pages::<WorkRow>().query(&["state", "kind"])
        .on(Operation::WorkRetry, retry)
        .on(Operation::WorkRetryAll, retry_all).takes::<WorkRetryAll>().answers::<WorkRetried>()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    state: Option<WorkState>,
    #[serde(default)]
    kind: Option<WorkKind>,
}

async fn list(
    call: Call,
    Paged(page): Paged,
    Filter(wanted): Filter<Wanted>,
) -> Result<Page<WorkRow>> {
    let filter = WorkFilter {
        state: wanted.state,
        kind: wanted.kind,
    };
    ok(call
        .exchange
        .work_found(&call.principal, &filter, &page)
        .await?)
}

async fn retry(call: Call, At(work): At<WorkId>) -> Result<Nothing> {
    call.exchange.work_retry(&call.principal, work).await?;
    done()
}

async fn retry_all(call: Call, Body(wanted): Body<WorkRetryAll>) -> Result<WorkRetried> {
    ok(call
        .exchange
        .work_retry_all(&call.principal, wanted.kind)
        .await?)
}

//! The work that waits, runs or is parked.

use exchange::Operation;
use exchange::jobs::WorkRow;
use exchange::page::Page;
use model::WorkId;

use crate::answer::{Nothing, Result, done, ok};
use crate::call::{At, Call, Paged};
use crate::endpoint::Endpoints;

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::new()
        .on(Operation::WorkList, list).pages::<WorkRow>()
        .on(Operation::WorkRetry, retry)
}

async fn list(call: Call, Paged(page): Paged) -> Result<Page<WorkRow>> {
    ok(call.exchange.work_list(&call.principal, &page).await?)
}

async fn retry(call: Call, At(work): At<WorkId>) -> Result<Nothing> {
    call.exchange.work_retry(&call.principal, work).await?;
    done()
}

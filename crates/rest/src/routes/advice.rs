//! The advisor: what it recommends, and what people do with it.

use exchange::Operation;
use exchange::page::Page;
use model::AdviceId;
use model::dto::{Advice, AdviceAccept, AdviceDecline, AdviceSnooze, AdviceStanding};

use crate::answer::{Result, ok};
use crate::body::Body;
use crate::call::{At, Call, Filter, OfProduct, Paged};
use crate::endpoint::Endpoints;
use crate::schema::{list_of, of};

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::new()
        .on(Operation::AdviceList, list).pages::<Advice>().query(&["product"])
        .on(Operation::AdviceRead, show).answers::<Advice>()
        .on(Operation::AdviceAccept, accept).takes::<AdviceAccept>().answers::<Advice>()
        .on(Operation::AdviceSnooze, snooze).takes::<AdviceSnooze>().answers::<Advice>()
        .on(Operation::AdviceDecline, decline).takes::<AdviceDecline>().answers::<Advice>()
        .on(Operation::AdviceReckon, reckon).shows(|| list_of(of::<AdviceStanding>()))
}

async fn list(
    call: Call,
    Paged(page): Paged,
    Filter(filter): Filter<OfProduct>,
) -> Result<Page<Advice>> {
    ok(call
        .exchange
        .advice(&call.principal, filter.product.as_deref(), &page)
        .await?)
}

async fn show(call: Call, At(advice): At<AdviceId>) -> Result<Advice> {
    ok(call.exchange.advice_one(&call.principal, advice).await?)
}

async fn accept(
    call: Call,
    At(advice): At<AdviceId>,
    Body(new): Body<AdviceAccept>,
) -> Result<Advice> {
    ok(call
        .exchange
        .advice_accept(&call.principal, advice, new)
        .await?)
}

async fn snooze(
    call: Call,
    At(advice): At<AdviceId>,
    Body(new): Body<AdviceSnooze>,
) -> Result<Advice> {
    ok(call
        .exchange
        .advice_snooze(&call.principal, advice, new)
        .await?)
}

async fn decline(
    call: Call,
    At(advice): At<AdviceId>,
    Body(new): Body<AdviceDecline>,
) -> Result<Advice> {
    ok(call
        .exchange
        .advice_decline(&call.principal, advice, new)
        .await?)
}

async fn reckon(call: Call, At(product): At<String>) -> Result<Page<AdviceStanding>> {
    let items = call
        .exchange
        .advice_reckon(&call.principal, &product)
        .await?;
    ok(Page { items, next: None })
}

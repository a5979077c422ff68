//! Flows of the old way, and copies that are to be adopted.

use exchange::Operation;
use exchange::page::Page;
use model::FlowId;
use model::dto::{AdoptedCopy, AdoptionNew, Flow, FlowImport, FlowNew, FlowSwitch};

use crate::answer::{Nothing, Result, created, done, ok};
use crate::body::Body;
use crate::call::{At, Call, Filter, OfProduct, Paged};
use crate::endpoint::Endpoints;
use crate::schema::{list_of, of};

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    let copies = || list_of(of::<AdoptedCopy>());
    let flows = || list_of(of::<Flow>());
    Endpoints::new()
        .on(Operation::AdoptionList, adoptions).shows(copies)
        .on(Operation::AdoptionSet, adopt).takes::<AdoptionNew>().shows(copies)
        .on(Operation::FlowList, list).pages::<Flow>().query(&["product"])
        .on(Operation::FlowRegister, register).takes::<FlowNew>().answers::<Flow>().created()
        .on(Operation::FlowImport, import).takes::<FlowImport>().shows(flows)
        .on(Operation::FlowSwitch, switch).takes::<FlowSwitch>().answers::<Flow>()
        .on(Operation::FlowCompare, compare).answers::<Flow>()
        .on(Operation::FlowRemove, remove)
}

/// All of something: a page without a next one.
fn whole<T>(items: Vec<T>) -> Page<T> {
    Page { items, next: None }
}

async fn adoptions(call: Call) -> Result<Page<AdoptedCopy>> {
    ok(whole(call.exchange.adoptions(&call.principal).await?))
}

async fn adopt(call: Call, Body(new): Body<AdoptionNew>) -> Result<Page<AdoptedCopy>> {
    let found = call.exchange.adoption_set(&call.principal, new).await?;
    ok(whole(found))
}

async fn list(
    call: Call,
    Paged(page): Paged,
    Filter(filter): Filter<OfProduct>,
) -> Result<Page<Flow>> {
    ok(call
        .exchange
        .flows(&call.principal, filter.product.as_deref(), &page)
        .await?)
}

async fn register(call: Call, Body(new): Body<FlowNew>) -> Result<Flow> {
    created(call.exchange.flow_register(&call.principal, new).await?)
}

async fn import(call: Call, Body(new): Body<FlowImport>) -> Result<Page<Flow>> {
    let found = call.exchange.flow_import(&call.principal, new).await?;
    ok(whole(found))
}

async fn switch(call: Call, At(flow): At<FlowId>, Body(new): Body<FlowSwitch>) -> Result<Flow> {
    ok(call
        .exchange
        .flow_switch(&call.principal, flow, new)
        .await?)
}

async fn compare(call: Call, At(flow): At<FlowId>) -> Result<Flow> {
    ok(call.exchange.flow_compare(&call.principal, flow).await?)
}

async fn remove(call: Call, At(flow): At<FlowId>) -> Result<Nothing> {
    call.exchange.flow_remove(&call.principal, flow).await?;
    done()
}

//! Cuts: what narrower replicas of a product hold.

use exchange::Operation;
use exchange::page::Page;
use model::dto::{Cut, CutChange, CutNew, CutRetire, CutRotate};

use crate::answer::{Result, created, ok};
use crate::body::Body;
use crate::call::{At, Call};
use crate::endpoint::Endpoints;
use crate::schema::{list_of, of};

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::new()
        .on(Operation::CutList, list).shows(|| list_of(of::<Cut>()))
        .on(Operation::CutRead, show).answers::<Cut>()
        .on(Operation::CutCreate, create).takes::<CutNew>().answers::<Cut>().created()
        .on(Operation::CutUpdate, update).takes::<CutChange>().answers::<Cut>()
        .on(Operation::CutRotate, rotate).takes::<CutRotate>().answers::<Cut>()
        .on(Operation::CutRetire, retire).takes::<CutRetire>().answers::<Cut>()
}

async fn list(call: Call, At(product): At<String>) -> Result<Page<Cut>> {
    let items = call.exchange.cuts(&call.principal, &product).await?;
    ok(Page { items, next: None })
}

async fn show(call: Call, At((product, cut)): At<(String, String)>) -> Result<Cut> {
    ok(call.exchange.cut(&call.principal, &product, &cut).await?)
}

async fn create(call: Call, At(product): At<String>, Body(new): Body<CutNew>) -> Result<Cut> {
    created(
        call.exchange
            .cut_create(&call.principal, &product, new)
            .await?,
    )
}

async fn update(
    call: Call,
    At((product, cut)): At<(String, String)>,
    Body(new): Body<CutChange>,
) -> Result<Cut> {
    ok(call
        .exchange
        .cut_update(&call.principal, &product, &cut, new)
        .await?)
}

async fn rotate(
    call: Call,
    At((product, cut)): At<(String, String)>,
    Body(new): Body<CutRotate>,
) -> Result<Cut> {
    ok(call
        .exchange
        .cut_rotate(&call.principal, &product, &cut, new)
        .await?)
}

async fn retire(
    call: Call,
    At((product, cut)): At<(String, String)>,
    Body(new): Body<CutRetire>,
) -> Result<Cut> {
    ok(call
        .exchange
        .cut_retire(&call.principal, &product, &cut, new)
        .await?)
}

//! Domains.

use exchange::Operation;
use exchange::page::Page;
use model::dto::{Domain, DomainChange, DomainNew};

use crate::answer::{Result, created, ok};
use crate::body::Body;
use crate::call::{At, Call, Paged};
use crate::endpoint::Endpoints;

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::new()
        .on(Operation::DomainList, list).pages::<Domain>()
        .on(Operation::DomainCreate, create).takes::<DomainNew>().answers::<Domain>().created()
        .on(Operation::DomainUpdate, update).takes::<DomainChange>().answers::<Domain>()
}

async fn list(call: Call, Paged(page): Paged) -> Result<Page<Domain>> {
    ok(call.exchange.domains(&call.principal, &page).await?)
}

async fn create(call: Call, Body(new): Body<DomainNew>) -> Result<Domain> {
    created(call.exchange.domain_create(&call.principal, new).await?)
}

async fn update(
    call: Call,
    At(domain): At<String>,
    Body(new): Body<DomainChange>,
) -> Result<Domain> {
    ok(call
        .exchange
        .domain_update(&call.principal, &domain, new)
        .await?)
}

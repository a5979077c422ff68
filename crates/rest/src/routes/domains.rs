//! Domains.

use exchange::Operation;
use exchange::page::Page;
use model::dto::{Domain, DomainNew};

use crate::answer::{Result, created, ok};
use crate::body::Body;
use crate::call::{Call, Paged};
use crate::endpoint::Endpoints;

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::new()
        .on(Operation::DomainList, list).pages::<Domain>()
        .on(Operation::DomainCreate, create).takes::<DomainNew>().answers::<Domain>().created()
}

async fn list(call: Call, Paged(page): Paged) -> Result<Page<Domain>> {
    ok(call.exchange.domains(&call.principal, &page).await?)
}

async fn create(call: Call, Body(new): Body<DomainNew>) -> Result<Domain> {
    created(call.exchange.domain_create(&call.principal, new).await?)
}

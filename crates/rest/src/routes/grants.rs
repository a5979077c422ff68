//! Grants: what approved requests became.

use exchange::Operation;
use exchange::page::Page;
use model::GrantId;
use model::dto::{Grant, RevokeNew};

use crate::answer::{Result, ok};
use crate::body::Body;
use crate::call::{At, Call, Filter, OfProduct, Paged};
use crate::endpoint::Endpoints;

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::new()
        .on(Operation::GrantList, list).pages::<Grant>().query(&["product"])
        .on(Operation::GrantRead, show).answers::<Grant>()
        .on(Operation::GrantRevoke, revoke).takes::<RevokeNew>().answers::<Grant>()
}

async fn list(
    call: Call,
    Paged(page): Paged,
    Filter(filter): Filter<OfProduct>,
) -> Result<Page<Grant>> {
    ok(call
        .exchange
        .grants(&call.principal, filter.product.as_deref(), &page)
        .await?)
}

async fn show(call: Call, At(grant): At<GrantId>) -> Result<Grant> {
    ok(call.exchange.grant(&call.principal, grant).await?)
}

async fn revoke(call: Call, At(grant): At<GrantId>, Body(new): Body<RevokeNew>) -> Result<Grant> {
    ok(call
        .exchange
        .grant_revoke(&call.principal, grant, new)
        .await?)
}

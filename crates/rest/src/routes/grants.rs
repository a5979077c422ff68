//! Grants: what approved requests became, and what was read by them.

use exchange::Operation;
use exchange::access::ShareQueryFilter;
use exchange::page::Page;
use model::GrantId;
use model::dto::{Grant, RevokeNew, ShareQuery};
use serde::Deserialize;

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
        .on(Operation::ShareQueryList, queries).pages::<ShareQuery>().query(&["product", "recipient", "grant"])
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Queries {
    #[serde(default)]
    product: Option<String>,
    #[serde(default)]
    recipient: Option<String>,
    #[serde(default)]
    grant: Option<GrantId>,
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

async fn queries(
    call: Call,
    Paged(page): Paged,
    Filter(filter): Filter<Queries>,
) -> Result<Page<ShareQuery>> {
    let filter = ShareQueryFilter {
        product: filter.product,
        recipient: filter.recipient,
        grant: filter.grant,
    };
    ok(call
        .exchange
        .share_queries(&call.principal, &filter, &page)
        .await?)
}

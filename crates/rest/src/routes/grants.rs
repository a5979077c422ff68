//! Grants: what approved requests became, and what was read by them.

use axum::response::{IntoResponse, Response};
use exchange::access::{ShareAnswer, ShareQueryFilter};
use exchange::page::Page;
use exchange::{Error, Operation, Period, billing};
use model::GrantId;
use model::dto::{Grant, GrantLimit, GrantScopeNew, RevokeNew, ShareQuery};
use serde::Deserialize;

use crate::answer::{Result, csv, ok};
use crate::body::Body;
use crate::call::{Accepted, At, Call, Filter, OfProduct, Paged};
use crate::endpoint::Endpoints;
use crate::problem::Problem;
use crate::routes::csv::{Format, is_csv, no_page};

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::new()
        .on(Operation::GrantList, list).pages::<Grant>().query(&["product"])
        .on(Operation::GrantRead, show).answers::<Grant>()
        .on(Operation::GrantRevoke, revoke).takes::<RevokeNew>().answers::<Grant>()
        .on(Operation::GrantLimit, limit).takes::<GrantLimit>().answers::<Grant>()
        .on(Operation::GrantNarrow, narrow).takes::<GrantScopeNew>().answers::<Grant>()
        .on(Operation::ShareQueryList, queries).pages::<ShareQuery>().query(&["product", "recipient", "grant", "table", "answer", "since", "until", "format"]).csv()
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
    #[serde(default)]
    table: Option<String>,
    #[serde(default)]
    answer: Option<ShareAnswer>,
    #[serde(default)]
    since: Option<String>,
    #[serde(default)]
    until: Option<String>,
    #[serde(default)]
    format: Option<Format>,
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

async fn limit(call: Call, At(grant): At<GrantId>, Body(new): Body<GrantLimit>) -> Result<Grant> {
    ok(call
        .exchange
        .grant_limit(&call.principal, grant, new)
        .await?)
}

async fn narrow(
    call: Call,
    At(grant): At<GrantId>,
    Body(new): Body<GrantScopeNew>,
) -> Result<Grant> {
    ok(call
        .exchange
        .grant_narrow(&call.principal, grant, new)
        .await?)
}

/// As JSON a page; as CSV all that one file holds, newest first.
async fn queries(
    call: Call,
    accepted: Accepted,
    Paged(page): Paged,
    Filter(wanted): Filter<Queries>,
) -> std::result::Result<Response, Problem> {
    let filter = ShareQueryFilter {
        product: wanted.product,
        recipient: wanted.recipient,
        grant: wanted.grant,
        table: wanted.table,
        answer: wanted.answer,
        period: Period::parse(wanted.since.as_deref(), wanted.until.as_deref())?,
    };
    let Call {
        exchange,
        principal,
    } = &call;
    if !is_csv(wanted.format, &accepted) {
        let found = exchange.share_queries(principal, &filter, &page).await?;
        return Ok(ok::<Page<ShareQuery>>(found)?.into_response());
    }
    no_page(&page, "calls")?;
    let all = exchange.all_share_queries(principal, &filter).await?;
    let text = billing::share_queries_csv(&all).map_err(Error::internal)?;
    csv("share-queries.csv", text)
}

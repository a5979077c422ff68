//! Requests for access, and the decisions on them.

use exchange::Operation;
use exchange::access::RequestFilter;
use exchange::page::Page;
use model::dto::{DecisionNew, Request, RequestNew};
use model::{RequestId, RequestState};
use serde::Deserialize;

use crate::answer::{Result, created, ok};
use crate::body::Body;
use crate::call::{At, Call, Filter, Paged};
use crate::endpoint::Endpoints;

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::new()
        .on(Operation::RequestList, list).pages::<Request>().query(&["state", "waiting_for_me"])
        .on(Operation::RequestRead, show).answers::<Request>()
        .on(Operation::RequestCreate, create).takes::<RequestNew>().answers::<Request>().created()
        .on(Operation::RequestWithdraw, withdraw).answers::<Request>()
        .on(Operation::RequestDecide, decide).takes::<DecisionNew>().answers::<Request>()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    state: Option<RequestState>,
    #[serde(default)]
    waiting_for_me: Option<bool>,
}

async fn list(
    call: Call,
    Paged(page): Paged,
    Filter(wanted): Filter<Wanted>,
) -> Result<Page<Request>> {
    let filter = RequestFilter {
        state: wanted.state,
        waiting_for_me: wanted.waiting_for_me,
    };
    ok(call
        .exchange
        .requests(&call.principal, &filter, &page)
        .await?)
}

async fn show(call: Call, At(request): At<RequestId>) -> Result<Request> {
    ok(call.exchange.request(&call.principal, request).await?)
}

async fn create(call: Call, Body(new): Body<RequestNew>) -> Result<Request> {
    created(call.exchange.request_create(&call.principal, new).await?)
}

async fn withdraw(call: Call, At(request): At<RequestId>) -> Result<Request> {
    ok(call
        .exchange
        .request_withdraw(&call.principal, request)
        .await?)
}

async fn decide(
    call: Call,
    At(request): At<RequestId>,
    Body(new): Body<DecisionNew>,
) -> Result<Request> {
    ok(call
        .exchange
        .request_decide(&call.principal, request, new)
        .await?)
}

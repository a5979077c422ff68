//! Rates, meter events, charges, statements, savings. Charges and statements also come as CSV.

use axum::response::{IntoResponse, Response};
use exchange::page::Page;
use exchange::{Error, Operation, Period, billing};
use model::dto::{
    AccessLogNew, AccessLogResult, Charge, MeterEvent, Rate, RateNew, ReportResult, Saving,
    ServiceRate, ServiceRateNew, Statement, StatementLine, StatementLineQuery, StatementSummary,
    StatementTrace,
};
use model::{ProductName, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::{Result, created, csv, ok};
use crate::body::{Body, Json, parse};
use crate::call::{Accepted, At, Call, Filter, OfProduct, Paged};
use crate::endpoint::Endpoints;
use crate::problem::Problem;
use crate::routes::csv::{Format, is_csv, no_page};
use crate::schema::{all_of, any_of, list_of, object, of, page_of};

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    let rates = || all_of([page_of::<Rate>(), object([("service_rates", of::<Vec<ServiceRate>>())])]);
    let rate_new = || any_of([of::<RateNew>(), of::<ServiceRateNew>()]);
    let rate = || any_of([of::<Rate>(), of::<ServiceRate>()]);
    let statements = || list_of(all_of([of::<StatementSummary>(), object([
        ("cost_center", of::<String>()),
        ("lines", of::<Vec<StatementLine>>()),
        ("signed_bytes", of::<u64>()),
        ("waiting_bytes", of::<u64>()),
        ("waiting_until", of::<Option<Timestamp>>()),
        ("unrated", of::<u64>()),
        ("unrated_busy_micros", of::<u64>()),
    ])]));
    Endpoints::new()
        .on(Operation::RateList, rate_list).pages::<Rate>().shows(rates)
        .on(Operation::RateCreate, rate_create).reads(rate_new).shows(rate).created()
        .on(Operation::MeterList, events).pages::<MeterEvent>().query(&["product"])
        .on(Operation::ReportRun, report).answers::<ReportResult>()
        .on(Operation::AccessLogImport, access_log).takes::<AccessLogNew>().answers::<AccessLogResult>()
        .on(Operation::ChargeList, charges).pages::<Charge>().query(&["product", "since", "until", "format"]).csv()
        .on(Operation::StatementList, statement_list).pages::<StatementSummary>()
        .on(Operation::StatementRead, statement_show).shows(statements).query(&["format"]).csv()
        .on(Operation::StatementLineRead, statement_line).answers::<StatementTrace>()
            .query(&["kind", "product", "from", "to", "method", "currency"])
        .on(Operation::StatementIssue, statement_issue).shows(statements)
        .on(Operation::SavingRead, savings).shows(|| list_of(of::<Saving>())).query(&["product"])
}

/// All of something: a page without a next one.
fn whole<T>(items: Vec<T>) -> Page<T> {
    Page { items, next: None }
}

/// A page of route prices, and all prices that are not a route's.
#[derive(Serialize)]
struct Rates {
    #[serde(flatten)]
    page: Page<Rate>,
    service_rates: Vec<ServiceRate>,
}

async fn rate_list(call: Call, Paged(page): Paged) -> Result<Rates> {
    let page = call.exchange.rates(&call.principal, &page).await?;
    let service_rates = call.exchange.service_rates(&call.principal).await?;
    ok(Rates {
        page,
        service_rates,
    })
}

#[derive(Serialize)]
#[serde(untagged)]
enum Price {
    Route(Rate),
    Service(ServiceRate),
}

/// A body with a `kind` prices a service, any other a route.
async fn rate_create(call: Call, Json(body): Json) -> Result<Price> {
    let Call {
        exchange,
        principal,
    } = call;
    let is_service = parse::<Value>(&body)?.get("kind").is_some();
    created(if is_service {
        let new: ServiceRateNew = parse(&body)?;
        Price::Service(exchange.service_rate_create(&principal, new).await?)
    } else {
        let new: RateNew = parse(&body)?;
        Price::Route(exchange.rate_create(&principal, new).await?)
    })
}

async fn events(
    call: Call,
    Paged(page): Paged,
    Filter(filter): Filter<OfProduct>,
) -> Result<Page<MeterEvent>> {
    ok(call
        .exchange
        .meter_events(&call.principal, filter.product.as_deref(), &page)
        .await?)
}

async fn report(call: Call) -> Result<ReportResult> {
    ok(call.exchange.billing_report(&call.principal).await?)
}

async fn access_log(call: Call, Body(new): Body<AccessLogNew>) -> Result<AccessLogResult> {
    ok(call
        .exchange
        .access_log_import(&call.principal, new)
        .await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Charges {
    #[serde(default)]
    product: Option<String>,
    #[serde(default)]
    since: Option<String>,
    #[serde(default)]
    until: Option<String>,
    #[serde(default)]
    format: Option<Format>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    #[serde(default)]
    format: Option<Format>,
}

/// As JSON a page; as CSV all of them, newest first.
async fn charges(
    call: Call,
    accepted: Accepted,
    Paged(page): Paged,
    Filter(filter): Filter<Charges>,
) -> std::result::Result<Response, Problem> {
    let product = filter.product.as_deref();
    let period = Period::parse(filter.since.as_deref(), filter.until.as_deref())?;
    let Call {
        exchange,
        principal,
    } = &call;
    if !is_csv(filter.format, &accepted) {
        let found = exchange.charges_within(principal, product, &period, &page);
        let page = found.await?;
        return Ok(ok(page)?.into_response());
    }
    no_page(&page, "charges")?;
    let all = exchange.all_charges(principal, product, &period).await?;
    let text = billing::charges_csv(&all).map_err(Error::internal)?;
    // What gets into a header is a name.
    let name = match product.and_then(|product| product.parse::<ProductName>().ok()) {
        Some(product) => format!("charges-{product}.csv"),
        None => "charges.csv".to_owned(),
    };
    csv(&name, text)
}

async fn statement_list(call: Call, Paged(page): Paged) -> Result<Page<StatementSummary>> {
    ok(call.exchange.statements(&call.principal, &page).await?)
}

/// One statement per currency.
async fn statement_show(
    call: Call,
    accepted: Accepted,
    At((team, month)): At<(String, String)>,
    Filter(filter): Filter<Shown>,
) -> std::result::Result<Response, Problem> {
    let found: Vec<Statement> = call
        .exchange
        .statement(&call.principal, &team, &month)
        .await?;
    if !is_csv(filter.format, &accepted) {
        return Ok(ok(whole(found))?.into_response());
    }
    let text = billing::statement_csv(&found).map_err(Error::internal)?;
    csv(&format!("statement-{team}-{month}.csv"), text)
}

async fn statement_line(
    call: Call,
    At((team, month)): At<(String, String)>,
    Filter(line): Filter<StatementLineQuery>,
) -> Result<StatementTrace> {
    ok(call
        .exchange
        .statement_line(&call.principal, &team, &month, &line)
        .await?)
}

async fn statement_issue(
    call: Call,
    At((team, month)): At<(String, String)>,
) -> Result<Page<Statement>> {
    let issued = call
        .exchange
        .statement_issue(&call.principal, &team, &month)
        .await?;
    ok(whole(issued))
}

async fn savings(call: Call, Filter(filter): Filter<OfProduct>) -> Result<Page<Saving>> {
    let found = call
        .exchange
        .savings(&call.principal, filter.product.as_deref())
        .await?;
    ok(whole(found))
}

//! What was used and what it cost, and the prices.

use exchange::Operation;
use exchange::Period;
use exchange::policy::{Scope, allows};
use leptos::prelude::*;
use model::dto::Charge;
use model::dto::Rate;
use model::dto::RateNew;
use model::dto::Saving;
use model::dto::ServiceRate;
use model::dto::ServiceRateNew;
use model::dto::Statement;
use model::dto::StatementLineQuery;
use model::dto::StatementSummary;
use model::dto::StatementTrace;
use serde::Deserialize;
use serde::Serialize;

use crate::api::Done;
use crate::api::Listed;
use crate::error::AppError;
use crate::words;

use super::{call, confirmed, said};

/// Charges of a product that concern the viewer's teams, newest first.
pub async fn charges(product: String, after: Option<String>) -> Result<Listed<Charge>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest {
        after,
        limit: Some(25),
    };
    let found = exchange
        .charges(&principal, Some(&product), &page)
        .await
        .map_err(said)?;
    Ok(found.into())
}

/// So many pages of charges are read for a picture.
const PAGES: usize = 10;

/// The charges of these days that concern the viewer's teams, the newest first; `next` says that there are older ones.
pub async fn charges_of_days(first: String, last: String) -> Result<Listed<Charge>, AppError> {
    let (exchange, principal) = call()?;
    let period = Period::parse(Some(&first), Some(&last)).map_err(said)?;
    let mut page = exchange::page::PageRequest::all();
    let mut items = Vec::new();
    for _ in 0..PAGES {
        let found = exchange
            .charges_within(&principal, None, &period, &page)
            .await
            .map_err(said)?;
        items.extend(found.items);
        page.after = found.next;
        if page.after.is_none() {
            break;
        }
    }
    Ok(Listed {
        items,
        next: page.after,
    })
}

/// What each replica has saved; of one product when `product` is given.
pub async fn savings(product: Option<String>) -> Result<Vec<Saving>, AppError> {
    let (exchange, principal) = call()?;
    exchange
        .savings(&principal, product.as_deref())
        .await
        .map_err(said)
}

/// Statements of the viewer's teams, the latest month first.
pub async fn statements(after: Option<String>) -> Result<Listed<StatementSummary>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest {
        after,
        limit: Some(24),
    };
    let found = exchange.statements(&principal, &page).await.map_err(said)?;
    Ok(found.into())
}

/// A team's month, one statement for each currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementShown {
    pub statements: Vec<Statement>,
    pub may_issue: bool,
}

pub async fn statement(team: String, month: String) -> Result<StatementShown, AppError> {
    let (exchange, principal) = call()?;
    let found = exchange.statement(&principal, &team, &month).await;
    Ok(StatementShown {
        statements: found.map_err(said)?,
        may_issue: allows(&principal, Operation::StatementIssue, &Scope::NONE),
    })
}

/// What one line of it was made of.
pub async fn statement_line(
    team: String,
    month: String,
    line: StatementLineQuery,
) -> Result<StatementTrace, AppError> {
    let (exchange, principal) = call()?;
    exchange
        .statement_line(&principal, &team, &month, &line)
        .await
        .map_err(said)
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueForm {
    pub team: String,
    pub month: String,
    /// The month, written by hand, because an issued statement never changes.
    #[serde(default)]
    pub confirm: String,
}

#[server]
pub async fn issue_statement(form: IssueForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    if form.confirm.trim() != form.month {
        // Whoever may not see it learns that first.
        let found = exchange.statement(&principal, &form.team, &form.month);
        found.await.map_err(said)?;
        confirmed(&form.confirm, &form.month)?;
    }
    exchange
        .statement_issue(&principal, &form.team, &form.month)
        .await
        .map_err(said)?;
    Ok(Done::new(
        format!("/costs/{}/{}", form.team, form.month),
        words::answers::THE_STATEMENT_IS_ISSUED,
    ))
}

/// A page of the prices of routes, and all of services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prices {
    pub rates: Listed<Rate>,
    pub services: Vec<ServiceRate>,
    pub may_add: bool,
}

pub async fn prices(after: Option<String>) -> Result<Prices, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest { after, limit: None };
    let rates = exchange.rates(&principal, &page).await.map_err(said)?;
    let services = exchange.service_rates(&principal).await.map_err(said)?;
    Ok(Prices {
        rates: rates.into(),
        services,
        may_add: allows(&principal, Operation::RateCreate, &Scope::NONE),
    })
}

/// The form of a price, where an empty end is none: with a `kind` all of [`ServiceRateNew`], without all of [`RateNew`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateForm {
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    pub from: String,
    #[serde(default)]
    pub to: String,
    pub price: String,
    #[serde(default)]
    pub unit: String,
    pub currency: String,
    pub valid_from: String,
    #[serde(default)]
    pub valid_until: String,
    pub source: String,
}

#[server]
pub async fn create_rate(form: RateForm) -> Result<Done, AppError> {
    const PAGE: &str = "/admin/rates";
    let (exchange, principal) = call()?;
    let valid_until = Some(form.valid_until).filter(|text| !text.is_empty());
    if !form.kind.is_empty() {
        let new = ServiceRateNew {
            kind: form.kind,
            price: form.price,
            currency: form.currency,
            valid_from: form.valid_from,
            valid_until,
            source: form.source,
        };
        let rate = exchange
            .service_rate_create(&principal, new)
            .await
            .map_err(said)?;
        return Ok(Done::new(
            PAGE,
            words::answers::price_of_kind_is_added(&rate.kind),
        ));
    }
    let new = RateNew {
        from: form.from,
        to: form.to,
        price: form.price,
        unit: form.unit,
        currency: form.currency,
        valid_from: form.valid_from,
        valid_until,
        source: form.source,
    };
    let rate = exchange.rate_create(&principal, new).await.map_err(said)?;
    Ok(Done::new(
        PAGE,
        words::answers::price_of_route_is_added(&rate.from, &rate.to),
    ))
}

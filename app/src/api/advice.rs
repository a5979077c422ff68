//! What the advisor recommends, and what people do with it.

use leptos::prelude::*;
use model::dto::{Advice, AdviceAccept, AdviceDecline, AdviceSnooze, AdviceStanding};
use serde::Deserialize;
use serde::Serialize;

use crate::api::Done;
use crate::api::Listed;
use crate::error::AppError;
use crate::words;

use super::{call, parse_id, said};

/// A page of the recommendations that the viewer may see, the newest first; of one product where that is said.
pub async fn advice(
    product: Option<String>,
    after: Option<String>,
) -> Result<Listed<Advice>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest {
        after,
        limit: Some(25),
    };
    let found = exchange.advice(&principal, product.as_deref(), &page).await;
    Ok(found.map_err(said)?.into())
}

/// How a product stands in each place as of now.
pub async fn standings(product: String) -> Result<Vec<AdviceStanding>, AppError> {
    let (exchange, principal) = call()?;
    let found = exchange.advice_standing(&principal, &product).await;
    found.map_err(said)
}

/// One recommendation.
pub async fn one(id: String) -> Result<Advice, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&id)?;
    exchange.advice_one(&principal, id).await.map_err(said)
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptForm {
    pub advice: String,
}

#[server]
pub async fn accept_advice(form: AcceptForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&form.advice)?;
    let accepted = exchange
        .advice_accept(&principal, id, AdviceAccept::default())
        .await
        .map_err(said)?;
    Ok(shown(&accepted, words::advice::IS_ACCEPTED))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnoozeForm {
    pub advice: String,
    #[serde(default)]
    pub until: String,
}

#[server]
pub async fn snooze_advice(form: SnoozeForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&form.advice)?;
    let new = AdviceSnooze {
        until: form.until,
        revision: None,
    };
    let snoozed = exchange
        .advice_snooze(&principal, id, new)
        .await
        .map_err(said)?;
    Ok(shown(&snoozed, words::advice::IS_PUT_OFF))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclineForm {
    pub advice: String,
    #[serde(default)]
    pub reason: String,
}

#[server]
pub async fn decline_advice(form: DeclineForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&form.advice)?;
    let new = AdviceDecline {
        reason: form.reason,
        revision: None,
    };
    let declined = exchange
        .advice_decline(&principal, id, new)
        .await
        .map_err(said)?;
    Ok(shown(&declined, words::advice::IS_DECLINED))
}

fn shown(advice: &Advice, notice: &str) -> Done {
    Done::new(format!("/advice/{}", advice.id), notice)
}

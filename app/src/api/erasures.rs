//! What is to be forgotten, and how far that came.

use leptos::prelude::*;
use model::dto::Erasure;
use model::dto::ErasureKey;
use model::dto::ErasureNew;
use serde::Deserialize;
use serde::Serialize;

use crate::api::Done;
use crate::api::Listed;
use crate::error::AppError;
use crate::words;

use super::{call, parse_id, said};

/// A page of the erasures that the viewer may see, the newest first.
pub async fn erasures(after: Option<String>) -> Result<Listed<Erasure>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest {
        after,
        limit: Some(25),
    };
    let found = exchange.erasures(&principal, None, &page).await;
    Ok(found.map_err(said)?.into())
}

/// One erasure, and what its certificate is checked with.
pub async fn erasure(id: String) -> Result<(Erasure, ErasureKey), AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&id)?;
    let erasure = exchange.erasure(&principal, id).await.map_err(said)?;
    let key = exchange.erasure_key(&principal).await.map_err(said)?;
    Ok((erasure, key))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureForm {
    pub product: String,
    #[serde(default)]
    pub table: String,
    #[serde(default)]
    pub since_version: String,
    #[serde(default)]
    pub since: String,
    /// `yes` or `no`.
    #[serde(default)]
    pub at_once: String,
    #[serde(default)]
    pub reason: String,
}

#[server]
pub async fn request_erasure(form: ErasureForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let some = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let since_version = match some(form.since_version) {
        None => None,
        Some(text) => match text.parse::<u64>() {
            Ok(version) => Some(version),
            Err(_) => {
                let why = words::erasures::NOT_A_NUMBER;
                return Err(said(exchange::Error::invalid("since_version", why)));
            }
        },
    };
    let new = ErasureNew {
        product: form.product,
        table: some(form.table),
        since_version,
        since: some(form.since),
        at_once: form.at_once == "yes",
        reason: form.reason,
    };
    let erasure = exchange
        .erasure_request(&principal, new)
        .await
        .map_err(said)?;
    Ok(Done::new(
        format!("/erasures/{}", erasure.id),
        words::erasures::is_asked_for(&erasure.product, erasure.parts.len()),
    ))
}

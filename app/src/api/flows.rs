//! Flows of the old way: registered, compared, switched off.

use leptos::prelude::*;
use model::dto::Flow;
use model::dto::FlowImport;
use model::dto::FlowNew;
use model::dto::FlowSwitch;
use serde::Deserialize;
use serde::Serialize;

use crate::api::Done;
use crate::api::Listed;
use crate::error::AppError;
use crate::words;

use super::{call, parse_id, said};

const PATH: &str = "/flows";

/// A page of the flows that the viewer may see, the newest first.
pub async fn flows(after: Option<String>) -> Result<Listed<Flow>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest {
        after,
        limit: Some(25),
    };
    let found = exchange.flows(&principal, None, &page).await;
    Ok(found.map_err(said)?.into())
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterForm {
    pub product: String,
    #[serde(default)]
    pub table: String,
    pub kind: String,
    #[serde(default)]
    pub consumers: String,
    #[serde(default)]
    pub from: String,
    pub to: String,
    #[serde(default)]
    pub load_bytes: String,
    #[serde(default)]
    pub storage: String,
    #[serde(default)]
    pub path: String,
}

#[server]
pub async fn register_flow(form: RegisterForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let number = |field: &str, text: &str| match text.trim() {
        "" => Ok(None),
        text => text
            .parse::<u64>()
            .map(Some)
            .map_err(|_| said(exchange::Error::invalid(field, words::flows::NOT_A_NUMBER))),
    };
    let consumers = number("consumers", &form.consumers)?.unwrap_or(1);
    let new = FlowNew {
        product: form.product,
        table: Some(form.table),
        kind: form.kind,
        consumers: u32::try_from(consumers).unwrap_or(u32::MAX),
        from: Some(form.from),
        to: form.to,
        load_bytes: number("load_bytes", &form.load_bytes)?,
        storage: Some(form.storage),
        path: Some(form.path),
    };
    let flow = exchange
        .flow_register(&principal, new)
        .await
        .map_err(said)?;
    Ok(Done::new(PATH, words::flows::is_registered(&flow.product)))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportForm {
    pub list: String,
}

#[server]
pub async fn import_flows(form: ImportForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let new = FlowImport { list: form.list };
    let flows = exchange.flow_import(&principal, new).await.map_err(said)?;
    Ok(Done::new(PATH, words::flows::are_registered(flows.len())))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchForm {
    pub flow: String,
    /// A day; empty: it runs again.
    #[serde(default)]
    pub off: String,
}

#[server]
pub async fn switch_flow(form: SwitchForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&form.flow)?;
    let new = FlowSwitch {
        off: Some(form.off),
    };
    let flow = exchange
        .flow_switch(&principal, id, new)
        .await
        .map_err(said)?;
    let notice = if flow.off_at.is_some() {
        words::flows::IS_SWITCHED_OFF
    } else {
        words::flows::RUNS_AGAIN
    };
    Ok(Done::new(PATH, notice))
}

/// What needs no more than the flow's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowForm {
    pub flow: String,
}

#[server]
pub async fn compare_flow(form: FlowForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&form.flow)?;
    exchange.flow_compare(&principal, id).await.map_err(said)?;
    Ok(Done::new(PATH, words::flows::A_COMPARISON_IS_ASKED_FOR))
}

#[server]
pub async fn remove_flow(form: FlowForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&form.flow)?;
    exchange.flow_remove(&principal, id).await.map_err(said)?;
    Ok(Done::new(PATH, words::flows::IS_TAKEN_OUT))
}

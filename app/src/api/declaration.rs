//! The declaration: what is live as one, what a storage holds as one, and what one would change.

use leptos::prelude::*;
use model::dto::DeclarationAction;
use model::dto::DeclarationPlan;
use model::dto::DeploymentNew;
use model::dto::StorageScan;
use serde::Deserialize;
use serde::Serialize;

use crate::api::Done;
use crate::error::AppError;
use crate::words;

use super::{call, said};

/// The form of the page `/register` that shows and sends a declaration.
pub const REVIEW: &str = "review";

const PAGE: &str = "/register";

/// One product as `entrepot.yml` has it, for those who may see where its tables lie.
pub async fn product_yaml(product: String) -> Result<String, AppError> {
    let (exchange, principal) = call()?;
    let export = exchange
        .declaration_export(&principal, Some(&product))
        .await
        .map_err(said)?;
    Ok(export.yaml)
}

/// Names of the storages.
pub async fn storages() -> Result<Vec<String>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest::all();
    let found = exchange.storages(&principal, &page).await.map_err(said)?;
    let names = found.items.into_iter().map(|storage| storage.name);
    Ok(names.map(|name| name.to_string()).collect())
}

/// Where to look for tables, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanForm {
    pub storage: String,
    #[serde(default)]
    pub prefix: String,
    #[serde(default)]
    pub team: String,
}

#[server]
pub async fn scan_storage(form: ScanForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let scan = StorageScan {
        prefix: form.prefix,
        team: Some(form.team).filter(|team| !team.is_empty()),
    };
    let found = exchange
        .storage_scan(&principal, &form.storage, scan)
        .await
        .map_err(said)?;
    let usable = found.tables.iter().filter(|table| table.problem.is_none());
    let notice = match (usable.count(), found.tables.len()) {
        (_, 0) => "There is no table there.".to_owned(),
        (usable, all) if usable == all => format!(
            "Found: {}. Describe what it is below.",
            words::plural(all as u64, "table", "tables")
        ),
        (usable, all) => format!(
            "Found: {}, of which {usable} can be registered. The others stand below as comments, each with its reason.",
            words::plural(all as u64, "table", "tables")
        ),
    };
    Ok(Done::new(PAGE, notice).carrying(REVIEW, &[("yaml", found.yaml)]))
}

/// A declaration, and which button was pressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewForm {
    pub yaml: String,
    /// The hash of the plan that was shown; empty before.
    #[serde(default)]
    pub hash: String,
}

/// What deploying it would do; changes nothing.
#[server]
pub async fn plan_declaration(form: ReviewForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let plan = exchange
        .declaration_plan(&principal, &form.yaml)
        .await
        .map_err(said)?;
    let is_refused = plan.count(DeclarationAction::Refused) > 0;
    let notice = match plan.to_do() {
        _ if is_refused => "It cannot be published like this: the list says why.",
        0 => "All of it is live already.",
        _ => "This is what publishing it does. Nothing has changed yet.",
    };
    let hash = if is_refused {
        String::new()
    } else {
        plan.hash.clone()
    };
    let values = [("yaml", form.yaml), ("plan", lines(&plan)), ("hash", hash)];
    let done = Done::new(PAGE, notice).carrying(REVIEW, &values);
    Ok(if is_refused { done.alarming() } else { done })
}

/// Carries out the plan that was shown.
#[server]
pub async fn deploy_declaration(form: ReviewForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let new = DeploymentNew {
        yaml: form.yaml,
        file: "entrepot.yml".to_owned(),
        commit: "the portal".to_owned(),
        expect_plan_hash: Some(form.hash).filter(|hash| !hash.is_empty()),
    };
    let done = exchange
        .declaration_deploy(&principal, new)
        .await
        .map_err(said)?;
    let mut products =
        done.plan.changes.iter().filter(|change| {
            change.kind == "product" && change.action != DeclarationAction::Foreign
        });
    let to = match (products.next(), products.next()) {
        (Some(only), None) => format!("/products/{}", crate::url::encode(&only.name)),
        _ => "/catalog".to_owned(),
    };
    Ok(Done::new(to, "It is as declared."))
}

/// One line for each object that the file is about.
fn lines(plan: &DeclarationPlan) -> String {
    let lines = plan
        .changes
        .iter()
        .filter(|change| change.action != DeclarationAction::Foreign)
        .map(|change| {
            let note = change
                .note
                .as_ref()
                .map(|note| format!(": {note}"))
                .unwrap_or_default();
            format!(
                "{} {} {}{note}",
                change.action.as_str(),
                change.kind,
                change.name
            )
        });
    lines.collect::<Vec<_>>().join("\n")
}

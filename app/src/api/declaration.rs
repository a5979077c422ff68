//! The declaration: what is live as one, what a storage holds as one, and what one would change.

use leptos::prelude::*;
use model::MemberRole;
use model::Name;
use model::ProductName;
use model::Role;
use model::dto::DeclarationAction;
use model::dto::DeclarationPlan;
use model::dto::DeploymentNew;
use model::dto::ProductDraft;
use model::dto::ScannedTable;
use model::dto::StorageScan;
use serde::Deserialize;
use serde::Serialize;

use crate::api::Done;
use crate::ctx;
use crate::error::AppError;
use crate::error::FieldError;
use crate::words;

use super::{call, every, said};

/// The form of the last step of `/register`, which shows and sends a declaration.
pub const REVIEW: &str = "review";

const PAGE: &str = "/register?step=review";

/// Stands for a product's name that is none, so that the rest can be looked at.
const NAMELESS: &str = "nameless";

/// One product as `entrepot.yml` has it, for those who may see where its tables lie.
pub async fn product_yaml(product: String) -> Result<String, AppError> {
    let (exchange, principal) = call()?;
    let export = exchange
        .declaration_export(&principal, Some(&product))
        .await
        .map_err(said)?;
    Ok(export.yaml)
}

/// Where tables may lie, and the teams in whose name the viewer may register them: name and title.
#[derive(Clone, Debug)]
pub struct Places {
    pub storages: Vec<String>,
    pub teams: Vec<(String, String)>,
}

pub async fn places() -> Result<Places, AppError> {
    let (exchange, principal) = call()?;
    let produced: Vec<(String, String)> = ctx::viewer()
        .map(|viewer| viewer.teams)
        .unwrap_or_default()
        .into_iter()
        .filter(|team| team.role == MemberRole::Producer)
        .map(|team| (team.team, team.title))
        .collect();
    let storages = every!(|page| exchange.storages(&principal, &page));
    let teams = if principal.has(Role::Admin) {
        let teams = every!(|page| exchange.teams(&principal, &page));
        teams
            .into_iter()
            .map(|team| (team.name.to_string(), team.title))
            .collect()
    } else {
        produced
    };
    Ok(Places {
        storages: storages
            .into_iter()
            .map(|storage| storage.name.to_string())
            .collect(),
        teams,
    })
}

/// The tables below a folder of a storage; or what is wrong with the question, field by field.
#[derive(Clone, Debug)]
pub struct Found {
    pub tables: Vec<ScannedTable>,
    pub wrong: Vec<FieldError>,
}

pub async fn tables(form: ScanForm) -> Result<Found, AppError> {
    let (exchange, principal) = call()?;
    let (storage, scan) = form.parts();
    let wrong = match exchange.storage_scan(&principal, &storage, scan).await {
        Ok(report) => {
            return Ok(Found {
                tables: report.tables,
                wrong: Vec::new(),
            });
        }
        Err(error) => match said(error) {
            AppError::Invalid { fields } => fields,
            AppError::NotFound => vec![FieldError {
                field: "storage".to_owned(),
                message: words::answers::NO_SUCH_STORAGE.to_owned(),
            }],
            AppError::Forbidden { message } => vec![FieldError {
                field: "storage".to_owned(),
                message,
            }],
            other => return Err(other),
        },
    };
    Ok(Found {
        tables: Vec::new(),
        wrong,
    })
}

/// A product that is filled in, and the declaration that it is.
#[derive(Clone, Debug)]
pub struct Drafted {
    pub draft: ProductDraft,
    pub yaml: String,
    /// By where it stands in the product's declaration: `title`, `tables[1].name`.
    pub wrong: Vec<FieldError>,
}

/// `fill` is told the domain of the owning team, if there is such a team. Nothing is stored.
pub async fn draft(
    team: String,
    fill: impl FnOnce(Option<&Name>) -> ProductDraft + Send + 'static,
) -> Result<Drafted, AppError> {
    let (exchange, principal) = call()?;
    let domain = match exchange.team(&principal, &team).await {
        Ok(found) => Some(found.team.domain),
        Err(exchange::Error::NotFound(_)) => None,
        Err(error) => return Err(said(error)),
    };
    let draft = fill(domain.as_ref());
    let mut wrong = Vec::new();
    let mut blame = |field: &str, message: String| {
        wrong.push(FieldError {
            field: field.to_owned(),
            message,
        });
    };
    let mut named = draft.clone();
    match (draft.name.parse::<ProductName>(), &domain) {
        (Err(error), _) => {
            blame("name", words::sentence(&error.to_string()));
            NAMELESS.clone_into(&mut named.name);
        }
        (Ok(name), Some(domain)) if !name.is_of_domain(domain) => {
            blame("name", words::answers::name_begins_with_domain(&domain))
        }
        (Ok(_), Some(_)) => {}
        (Ok(_), None) => blame("team", words::answers::NO_SUCH_TEAM.to_owned()),
    }
    let yaml = exchange::declaration::draft(&named).map_err(said)?;
    let report = exchange
        .declaration_validate(&principal, &yaml)
        .map_err(said)?;
    let product = format!("products.{}", named.name);
    for problem in report.problems {
        let place = problem.path.strip_prefix(&product).unwrap_or_default();
        let place = place.trim_start_matches('.');
        let why = match place {
            "classification" if draft.classification.is_empty() => {
                words::answers::CHOOSE_A_CLASSIFICATION.to_owned()
            }
            _ => problem.message,
        };
        blame(place, words::sentence(&why));
    }
    Ok(Drafted { draft, yaml, wrong })
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

impl ScanForm {
    /// The storage, and what is asked of it.
    fn parts(self) -> (String, StorageScan) {
        let scan = StorageScan {
            prefix: self.prefix,
            team: Some(self.team).filter(|team| !team.is_empty()),
        };
        (self.storage, scan)
    }
}

/// All that stands below a folder as one declaration: a product for each folder that holds tables.
#[server]
pub async fn scan_storage(form: ScanForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let (storage, scan) = form.parts();
    let found = exchange
        .storage_scan(&principal, &storage, scan)
        .await
        .map_err(said)?;
    let usable = found.tables.iter().filter(|table| table.problem.is_none());
    let notice = match (usable.count(), found.tables.len()) {
        (_, 0) => words::answers::NO_TABLE_THERE.to_owned(),
        (usable, all) if usable == all => words::answers::tables_found(all as u64),
        (usable, all) => words::answers::tables_found_of_which_usable(all as u64, &usable),
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
        _ if is_refused => words::answers::CANNOT_BE_PUBLISHED,
        0 => words::answers::LIVE_ALREADY,
        _ => words::answers::WHAT_PUBLISHING_DOES,
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
        commit: words::answers::DECLARED_IN_THE_PORTAL.to_owned(),
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
    Ok(Done::new(to, words::answers::IS_AS_DECLARED))
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

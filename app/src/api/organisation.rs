//! Domains, teams and who belongs to them.

use exchange::Operation;
use exchange::policy::{Scope, allows};
use leptos::prelude::*;
use model::dto::Domain;
use model::dto::DomainChange;
use model::dto::DomainNew;
use model::dto::MemberChange;
use model::dto::Team;
use model::dto::TeamChange;
use model::dto::TeamDetail;
use model::dto::TeamNew;
use serde::Deserialize;
use serde::Serialize;

use crate::api::Done;
use crate::api::Listed;
use crate::error::AppError;
use crate::words;

use super::{call, every, said, sent};

const DOMAINS: &str = "/admin/domains";
const TEAMS: &str = "/admin/teams";

/// A page of domains.
#[derive(Clone, Debug)]
pub struct Domains {
    pub domains: Listed<Domain>,
    pub may_create: bool,
}

/// Domains in the order of their names.
pub async fn domains(after: Option<String>) -> Result<Domains, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest { after, limit: None };
    let found = exchange.domains(&principal, &page).await.map_err(said)?;
    Ok(Domains {
        domains: found.into(),
        may_create: allows(&principal, Operation::DomainCreate, &Scope::NONE),
    })
}

/// A domain, and whether the viewer may change it.
#[derive(Clone, Debug)]
pub struct DomainShown {
    pub domain: Domain,
    pub may_change: bool,
}

pub async fn domain(name: String) -> Result<DomainShown, AppError> {
    let (exchange, principal) = call()?;
    let domain = exchange.domain(&principal, &name).await.map_err(said)?;
    Ok(DomainShown {
        domain,
        may_change: allows(&principal, Operation::DomainUpdate, &Scope::NONE),
    })
}

#[server]
pub async fn create_domain(form: DomainNew) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let made = exchange
        .domain_create(&principal, form)
        .await
        .map_err(said)?;
    Ok(Done::new(
        format!("{DOMAINS}/{}", made.name),
        words::answers::domain_is_made(&made.name),
    ))
}

/// What is absent stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainForm {
    pub domain: String,
    #[serde(default)]
    pub revision: Option<i64>,
    #[serde(default, deserialize_with = "sent")]
    pub title: Option<String>,
    #[serde(default, deserialize_with = "sent")]
    pub description: Option<String>,
}

#[server]
pub async fn update_domain(form: DomainForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let change = DomainChange {
        title: form.title,
        description: form.description,
        revision: form.revision,
    };
    let domain = exchange
        .domain_update(&principal, &form.domain, change)
        .await
        .map_err(said)?;
    Ok(Done::new(
        format!("{DOMAINS}/{}", domain.name),
        words::answers::domain_is_changed(&domain.name),
    ))
}

/// A page of teams, and the domains that another could be in.
#[derive(Clone, Debug)]
pub struct Teams {
    pub teams: Listed<Team>,
    pub domains: Vec<Domain>,
    pub may_create: bool,
}

/// Teams in the order of their names.
pub async fn teams(after: Option<String>) -> Result<Teams, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest { after, limit: None };
    let found = exchange.teams(&principal, &page).await.map_err(said)?;
    Ok(Teams {
        teams: found.into(),
        domains: every!(|page| exchange.domains(&principal, &page)),
        may_create: allows(&principal, Operation::TeamCreate, &Scope::NONE),
    })
}

/// A team with its members, and what the viewer may do with it.
#[derive(Clone, Debug)]
pub struct TeamShown {
    pub detail: TeamDetail,
    pub may_change: bool,
    /// Say who belongs to it.
    pub may_staff: bool,
}

pub async fn team(name: String) -> Result<TeamShown, AppError> {
    let (exchange, principal) = call()?;
    let detail = exchange.team(&principal, &name).await.map_err(said)?;
    let record = exchange.team_by_name(&name).await;
    let record = record.map_err(|error| said(error.into()))?;
    let scope = record.map_or(Scope::NONE, |team| Scope::owner(team.id));
    Ok(TeamShown {
        detail,
        may_change: allows(&principal, Operation::TeamUpdate, &scope),
        may_staff: allows(&principal, Operation::MemberSet, &scope),
    })
}

#[server]
pub async fn create_team(form: TeamNew) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let made = exchange.team_create(&principal, form).await.map_err(said)?;
    Ok(Done::new(
        format!("{TEAMS}/{}", made.name),
        words::answers::team_is_made(&made.name),
    ))
}

/// What is absent stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamForm {
    pub team: String,
    #[serde(default)]
    pub revision: Option<i64>,
    #[serde(default, deserialize_with = "sent")]
    pub title: Option<String>,
    #[serde(default, deserialize_with = "sent")]
    pub cost_center: Option<String>,
    #[serde(default, deserialize_with = "sent")]
    pub contact: Option<String>,
}

#[server]
pub async fn update_team(form: TeamForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let change = TeamChange {
        title: form.title,
        cost_center: form.cost_center,
        contact: form.contact,
        revision: form.revision,
    };
    let team = exchange
        .team_update(&principal, &form.team, change)
        .await
        .map_err(said)?;
    Ok(Done::new(
        format!("{TEAMS}/{}", team.name),
        words::answers::team_is_changed(&team.name),
    ))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberForm {
    pub team: String,
    pub person: String,
    pub role: String,
}

#[server]
pub async fn set_member(form: MemberForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let change = MemberChange {
        role: form.role.clone(),
    };
    exchange
        .member_set(&principal, &form.team, &form.person, change)
        .await
        .map_err(|error| said(about_person(error)))?;
    Ok(Done::new(
        of_team(&form.team),
        words::answers::is_member(&form.person, &form.role, &form.team),
    ))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberGoneForm {
    pub team: String,
    pub person: String,
}

#[server]
pub async fn remove_member(form: MemberGoneForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    exchange
        .member_remove(&principal, &form.team, &form.person)
        .await
        .map_err(said)?;
    Ok(Done::new(
        of_team(&form.team),
        words::answers::is_no_member_any_more(&form.person, &form.team),
    ))
}

fn of_team(name: &str) -> String {
    format!("{TEAMS}/{}", crate::url::encode(name))
}

/// In a path a name that nobody has is not there; in a form it is a field that is wrong.
fn about_person(error: exchange::Error) -> exchange::Error {
    match error {
        exchange::Error::NotFound("person") => {
            exchange::Error::invalid("person", words::answers::NOBODY_SIGNS_IN_WITH_THAT_NAME)
        }
        other => other,
    }
}

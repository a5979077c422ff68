//! What happened to things, for those who may read the audit log; and what the workers have to do.

use exchange::Period;
use exchange::audit::AuditFilter;
use exchange::jobs::{WorkFilter, WorkKind, WorkState};
use leptos::prelude::*;
use model::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::api::Done;
use crate::api::Listed;
use crate::error::AppError;
use crate::words;

use super::{call, parse_id, said};

/// One row of the audit log, without its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    pub at: Timestamp,
    /// A person's pseudonym, `operator` or `system`.
    pub actor: String,
    pub operation: String,
    /// Kind and id of what it was done to.
    pub object: String,
    /// JSON.
    pub detail: String,
}

/// What is looked for in the log. An empty text looks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    /// Kind and name of what it was done to, `product:vehicle-visits`.
    pub about: String,
    pub actor: String,
    pub operation: String,
    pub since: String,
    pub until: String,
}

/// What happened and is looked for, newest first.
pub async fn sought(sought: Sought, after: Option<String>) -> Result<Listed<Happening>, AppError> {
    let period = Period::parse(Some(&sought.since), Some(&sought.until)).map_err(said)?;
    // What has no kind before it is nothing that the log knows.
    let about = sought.about.trim();
    let about = (!about.is_empty()).then(|| about.split_once(':').unwrap_or(("", about)));
    let filter = AuditFilter {
        object: about,
        actor: Some(sought.actor.trim()).filter(|text| !text.is_empty()),
        operation: Some(sought.operation.trim()).filter(|text| !text.is_empty()),
        period,
    };
    found(&filter, after).await
}

async fn found(
    filter: &AuditFilter<'_>,
    after: Option<String>,
) -> Result<Listed<Happening>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest {
        after,
        limit: Some(50),
    };
    let found = exchange
        .audit_found(&principal, filter, &page)
        .await
        .map_err(said)?;
    let items = found.items.into_iter().map(|row| Happening {
        at: row.at,
        actor: row.actor,
        operation: row.operation,
        object: format!("{} {}", row.object_kind, row.object_id),
        detail: row.detail,
    });
    Ok(Listed {
        items: items.collect(),
        next: found.next,
    })
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyForm {
    /// A head that was kept elsewhere.
    #[serde(default)]
    pub anchor: String,
}

#[server]
pub async fn verify_chain(form: VerifyForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let anchor = Some(form.anchor.trim()).filter(|anchor| !anchor.is_empty());
    let found = exchange
        .audit_verify(&principal, anchor)
        .await
        .map_err(said)?;
    const PAGE: &str = "/admin/audit";
    Ok(match found.broken {
        None => {
            let notice = words::answers::chain_is_whole(&found.rows, &found.head);
            Done::new(PAGE, notice)
        }
        Some(broken) => {
            let notice = words::answers::chain_is_broken(&broken.seq, &broken.why);
            Done::new(PAGE, notice).alarming()
        }
    })
}

/// A piece of the workers' queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub id: String,
    pub kind: String,
    pub key: String,
    pub failures: i64,
    pub error: Option<String>,
    pub parked: bool,
    pub is_leased: bool,
    pub created_at: Timestamp,
}

/// States of jobs, and their kinds, as addresses call them.
pub fn job_states() -> [&'static str; 4] {
    WorkState::ALL.map(WorkState::as_str)
}

pub fn job_kinds() -> [&'static str; 11] {
    WorkKind::ALL.map(WorkKind::as_str)
}

/// What waits, runs or is parked; of one state or kind where that is said. A word that is none says nothing.
pub async fn jobs(
    state: String,
    kind: String,
    after: Option<String>,
) -> Result<Listed<Job>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest { after, limit: None };
    let filter = WorkFilter {
        state: WorkState::ALL
            .into_iter()
            .find(|known| known.as_str() == state),
        kind: kind.parse().ok(),
    };
    let found = exchange.work_found(&principal, &filter, &page).await;
    let found = found.map_err(said)?;
    let items = found.items.into_iter().map(|row| Job {
        id: row.id.to_string(),
        kind: row.kind,
        key: row.key,
        failures: row.failures,
        error: row.last_error,
        parked: row.parked,
        is_leased: row.owner.is_some(),
        created_at: row.created_at,
    });
    Ok(Listed {
        items: items.collect(),
        next: found.next,
    })
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryForm {
    pub work: String,
}

#[server]
pub async fn retry_work(form: RetryForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&form.work)?;
    exchange.work_retry(&principal, id).await.map_err(said)?;
    Ok(Done::new(
        "/admin/jobs",
        words::answers::WORK_IS_TRIED_AGAIN,
    ))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryAllForm {
    pub kind: String,
}

#[server]
pub async fn retry_all(form: RetryAllForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let kind: WorkKind = form.kind.parse().map_err(|()| {
        said(exchange::Error::invalid(
            "kind",
            words::answers::NO_SUCH_WORK,
        ))
    })?;
    let found = exchange.work_retry_all(&principal, kind).await;
    let retried = found.map_err(said)?.retried;
    Ok(Done::new("/admin/jobs", words::retry::retried(retried)))
}

//! The queue as people look at it: what waits, runs or is parked, and trying that again.

use model::{Timestamp, WorkId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::WorkKind;
use crate::audit::Object;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// How a piece of work stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkState {
    Waiting,
    /// A worker holds it.
    Running,
    /// It failed, and is tried again by itself.
    Failing,
    /// It failed too often, and waits for a person.
    Parked,
}

impl WorkState {
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Running, Self::Failing, Self::Parked];

    /// As the list's condition has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Failing => "failing",
            Self::Parked => "parked",
        }
    }
}

/// Which work is listed; what is not said is not looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct WorkFilter {
    pub state: Option<WorkState>,
    pub kind: Option<WorkKind>,
}

/// All parked work of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkRetryAll {
    pub kind: WorkKind,
}

/// How much of it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkRetried {
    pub retried: u64,
}

/// One line of the list of work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkRow {
    pub id: WorkId,
    pub kind: String,
    pub key: String,
    pub attempt: i64,
    pub failures: i64,
    pub owner: Option<String>,
    pub lease_until: Option<Timestamp>,
    pub last_error: Option<String>,
    pub parked: bool,
    pub created_at: Timestamp,
}
from_row!(WorkRow {
    id,
    kind,
    key,
    attempt,
    failures,
    owner,
    lease_until,
    last_error,
    parked,
    created_at
});

impl Exchange {
    /// All work that waits, runs or is parked, newest last.
    pub async fn work_list(
        &self,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<Page<WorkRow>, Error> {
        self.work_found(principal, &WorkFilter::default(), page)
            .await
    }

    /// The same of one state or kind.
    pub async fn work_found(
        &self,
        principal: &Principal,
        filter: &WorkFilter,
        page: &PageRequest,
    ) -> Result<Page<WorkRow>, Error> {
        can(principal, Operation::WorkList, &Scope::NONE)?;
        let after: Option<WorkId> = page.parse_after()?;
        let rows = sql!(
            "select id, kind, key, attempt, failures, owner, lease_until, last_error, parked, created_at from work
             where (id > $1 or $1 is null) and (kind = $3 or cast($3 as text) is null)
                 and (cast($4 as text) is null or cast($4 as text) = case when parked then 'parked' when owner is not null then 'running'
                      when failures > 0 then 'failing' else 'waiting' end)
             order by id limit $2"
        )
        .bind(after)
        .bind(page.fetch())
        .bind(filter.kind.map(WorkKind::as_str))
        .bind(filter.state.map(WorkState::as_str))
        .all(self.db())
        .await?;
        Ok(page.cut(rows, |row: &WorkRow| row.id.to_string()))
    }

    /// Tries parked work again.
    pub async fn work_retry(&self, principal: &Principal, id: WorkId) -> Result<(), Error> {
        can(principal, Operation::WorkRetry, &Scope::NONE)?;
        let mut change = self.change(principal).await?;
        let changed =
            sql!("update work set parked = false, failures = 0, run_at = 0 where id = $1")
                .bind(id)
                .execute(change.tx())
                .await?;
        if changed == 0 {
            return Err(Error::NotFound("work"));
        }
        change.note(
            Operation::WorkRetry,
            Object::new("work", id),
            serde_json::Value::Null,
        );
        change.commit().await
    }

    /// Tries all parked work of a kind again, and says how much that is. Once what was wrong is mended, one by one is too slow.
    pub async fn work_retry_all(
        &self,
        principal: &Principal,
        kind: WorkKind,
    ) -> Result<WorkRetried, Error> {
        can(principal, Operation::WorkRetryAll, &Scope::NONE)?;
        let mut change = self.change(principal).await?;
        let retried = sql!(
            "update work set parked = false, failures = 0, run_at = 0 where parked and kind = $1"
        )
        .bind(kind.as_str())
        .execute(change.tx())
        .await?;
        change.note(
            Operation::WorkRetryAll,
            Object::new("work", kind.as_str()),
            json!({ "retried": retried }),
        );
        change.commit().await?;
        Ok(WorkRetried { retried })
    }
}

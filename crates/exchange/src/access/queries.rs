//! The access log: which recipient asked the sharing protocol for which table, and what came of it. Read by those whom it
//! concerns, and kept for a bounded time.

use model::dto::ShareQuery;
use model::{GrantId, Name, QueryId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, Period, from_row, sql};

/// So many lines are forgotten in one statement: whoever writes the next one does not wait for all of them.
const BATCH: i64 = 2_000;

/// So many lines one file holds.
const FILE: usize = 50_000;

/// Which lines; what is absent is no condition.
#[derive(Clone, Debug, Default)]
pub struct ShareQueryFilter {
    pub product: Option<String>,
    pub recipient: Option<String>,
    pub grant: Option<GrantId>,
    /// A table's name, with its schema before it or without.
    pub table: Option<String>,
    pub answer: Option<ShareAnswer>,
    pub period: Period,
}

/// How a call ended, as far as lists tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShareAnswer {
    /// The client got what it asked for, or began to.
    Given,
    /// It got a refusal or an error, or nothing.
    Refused,
}

impl ShareAnswer {
    pub const ALL: [Self; 2] = [Self::Given, Self::Refused];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Refused => "refused",
        }
    }
}

struct Line {
    id: QueryId,
    at: Timestamp,
    recipient: Name,
    team: Name,
    endpoint: String,
    share: String,
    schema_name: String,
    table_name: String,
    grant_id: Option<GrantId>,
    version: Option<u64>,
    files: u64,
    bytes_signed: u64,
    files_dropped: Option<u64>,
    actions: Option<u64>,
    duration_micros: Option<u64>,
    source: Option<String>,
    stale_since: Option<Timestamp>,
    outcome: Option<String>,
    error_code: Option<String>,
    reason: Option<String>,
    status: u32,
    user_agent: String,
}
from_row!(Line {
    id,
    at,
    recipient,
    team,
    endpoint,
    share,
    schema_name,
    table_name,
    grant_id,
    version,
    files,
    bytes_signed,
    files_dropped,
    actions,
    duration_micros,
    source,
    stale_since,
    outcome,
    error_code,
    reason,
    status,
    user_agent
});

impl From<Line> for ShareQuery {
    fn from(line: Line) -> Self {
        Self {
            id: line.id,
            at: line.at,
            recipient: line.recipient,
            team: line.team,
            endpoint: line.endpoint,
            share: line.share,
            schema: line.schema_name,
            table: line.table_name,
            grant: line.grant_id,
            version: line.version,
            files: line.files,
            bytes_signed: line.bytes_signed,
            files_dropped: line.files_dropped,
            actions: line.actions,
            duration_micros: line.duration_micros,
            source: line.source,
            stale_since: line.stale_since,
            outcome: line.outcome,
            error_code: line.error_code,
            reason: line.reason,
            status: line.status,
            user_agent: line.user_agent,
        }
    }
}

impl Exchange {
    /// The access log, newest first: to the recipient's team all that it asked for; to the team of a product all that was asked of
    /// it, also what was refused before anything was opened.
    pub async fn share_queries(
        &self,
        principal: &Principal,
        filter: &ShareQueryFilter,
        page: &PageRequest,
    ) -> Result<Page<ShareQuery>, Error> {
        can(principal, Operation::ShareQueryList, &Scope::NONE)?;
        self.filter_by(principal, filter.product.as_deref()).await?;
        let before: Option<QueryId> = page.parse_after()?;
        let (person, team) = principal.scope();
        let rows: Vec<Line> = sql!(
            "select query_log.id, query_log.at, recipient.name as recipient, team.name as team, endpoint, share, schema_name,
                    table_name, grant_id, version, files, bytes_signed, files_dropped, actions, duration_micros, source,
                    stale_since, outcome, error_code, query_log.reason, status, user_agent
             from query_log join recipient on recipient.id = query_log.recipient_id join team on team.id = recipient.team_id
                 left join product on product.id = query_log.product_id
             where (query_log.id < $1 or $1 is null) and (product.name = $2 or cast($2 as text) is null)
                 and (recipient.name = $3 or cast($3 as text) is null) and (grant_id = $4 or $4 is null)
                 and (table_name = $10 or schema_name || '.' || table_name = $10 or cast($10 as text) is null)
                 and ($11 = 0 or ($11 = 1 and status >= 200 and status < 300) or ($11 = 2 and (status < 200 or status >= 300)))
                 and (query_log.at >= $12 or $12 is null) and (query_log.at < $13 or $13 is null)
                 and ($5 or recipient.team_id = $7 or product.team_id = $7 or (product.classification = 'personal' and $8)
                     or recipient.team_id in (select team_member.team_id from team_member where person_id = $6)
                     or product.team_id in (select team_member.team_id from team_member where person_id = $6))
             order by query_log.id desc limit $9"
        )
        .bind(before)
        .bind(filter.product.as_deref())
        .bind(filter.recipient.as_deref())
        .bind(filter.grant)
        .bind(principal.sees_all())
        .bind(person)
        .bind(team)
        .bind(principal.has(model::Role::DataProtection))
        .bind(page.fetch())
        .bind(filter.table.as_deref())
        .bind(match filter.answer {
            None => 0_i64,
            Some(ShareAnswer::Given) => 1,
            Some(ShareAnswer::Refused) => 2,
        })
        .bind(filter.period.since())
        .bind(filter.period.until())
        .all(self.db())
        .await?;
        let page = page.cut(rows, |line| line.id.to_string());
        Ok(Page {
            items: page.items.into_iter().map(ShareQuery::from).collect(),
            next: page.next,
        })
    }

    /// All of them, as many as one file holds; what is more is left to narrower questions.
    pub async fn all_share_queries(
        &self,
        principal: &Principal,
        filter: &ShareQueryFilter,
    ) -> Result<Vec<ShareQuery>, Error> {
        let mut page = PageRequest::all();
        let mut all = Vec::new();
        loop {
            let found = self.share_queries(principal, filter, &page).await?;
            all.extend(found.items);
            page.after = found.next;
            if page.after.is_none() || all.len() >= FILE {
                return Ok(all);
            }
        }
    }

    /// Forgets the lines that are older than the installation keeps them. Called now and then by a worker.
    pub async fn share_queries_sweep(&self, principal: &Principal) -> Result<u64, Error> {
        can(principal, Operation::WorkRun, &Scope::NONE)?;
        let before = self.now().plus(-self.options().query_log_kept);
        let mut forgotten = 0;
        loop {
            let gone = sql!(
                "delete from query_log where id in (select id from query_log where at < $1 order by at limit $2)"
            )
            .bind(before)
            .bind(BATCH)
            .execute(self.db())
            .await?;
            forgotten += gone;
            if gone == 0 {
                return Ok(forgotten);
            }
        }
    }
}
